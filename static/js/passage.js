// Passages: bring the marked place into view; show a quote beside its citation; open it in the panel.

import { prepare } from "./viewer.js";

const panel = document.querySelector("[data-panel]");
const hint = document.querySelector("[data-quote]");
let opener = null;
let closing = 0;

export function reveal(root = document) {
  const found = root.querySelector("#match");
  centre(root.querySelector(found ? ".sheet-found rect" : "#mark"));
  // Where there is a picture of the page, its boxes show the passage as it was printed.
  centre(found || root.querySelector(".sheet-boxes rect"));
}

/** Text and picture that scroll by themselves do so, and the page goes no further than to them. */
function centre(place) {
  const pane = place?.closest(".pane");
  if (!place) return;
  if (!pane || pane.scrollHeight <= pane.clientHeight + 1) {
    place.scrollIntoView({ block: "center", behavior: "instant" });
    return;
  }
  const [inner, outer] = [place.getBoundingClientRect(), pane.getBoundingClientRect()];
  pane.scrollTop += inner.top + inner.height / 2 - outer.top - outer.height / 2;
  pane.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
  pane.closest(".reader").scrollIntoView({ block: "start", behavior: "instant" });
}

// --- The quote of a citation, on hover and on focus ------------------------------------------

function quoteOf(chip) {
  const answer = chip.closest("[data-answer]");
  return answer && answer.querySelector(`[data-source="${CSS.escape(chip.dataset.n)}"]`);
}

function showQuote(chip) {
  const source = quoteOf(chip);
  if (!hint || !source) return;
  clearTimeout(closing);
  hint.querySelector("[data-quote-text]").textContent = source.querySelector("[data-source-text]")?.textContent.trim() || "";
  hint.querySelector("[data-quote-from]").textContent = source.querySelector("[data-source-from]")?.textContent.trim() || "";
  hint.hidden = false;
  chip.setAttribute("aria-describedby", hint.id);
  place(chip.getBoundingClientRect());
}

function place(chip) {
  const box = hint.getBoundingClientRect();
  const left = Math.max(8, Math.min(chip.left + chip.width / 2 - box.width / 2, innerWidth - box.width - 8));
  const above = chip.top - box.height - 6;
  hint.style.left = `${left}px`;
  hint.style.top = `${above > 64 ? above : chip.bottom + 6}px`;
}

function hideQuote(delay = 120) {
  clearTimeout(closing);
  closing = setTimeout(() => hint && (hint.hidden = true), delay);
}

/** The opener has the focus again; its quote was read in the panel. */
function backTo(link) {
  link?.focus();
  hideQuote(0);
}

// --- The passage in the side panel ------------------------------------------------------------

/** An entry of the history, one for whatever is opened in it: Back closes the panel, a reload shows it again. */
function open(link) {
  const [state, from] = [{ passage: link.getAttribute("href") }, history.state?.passage];
  history[from ? "replaceState" : "pushState"](state, "");
  openPanel(state.passage, link);
}

async function openPanel(address, link) {
  opener = link;
  panel.hidden = false;
  document.body.classList.add("has-panel");
  const target = panel.querySelector("[data-panel-body]");
  target.setAttribute("aria-busy", "true");
  target.textContent = panel.dataset.textGone;
  await htmx.ajax("GET", address.split("#")[0], { target, swap: "innerHTML" });
  target.removeAttribute("aria-busy");
  prepare(target.querySelector(".reader"));
  reveal(target);
  panel.querySelector("[data-panel-close]").focus({ preventScroll: true });
}

function closePanel() {
  panel.hidden = true;
  document.body.classList.remove("has-panel");
  backTo(opener);
}

/** By its button or Esc: the entry of the history goes too. */
function dismissPanel() {
  closePanel();
  if (history.state?.passage) history.back();
}

/** As the entry of the history says that is shown now. */
function showEntry(state) {
  if (state?.passage) openPanel(state.passage, linkTo(state.passage));
  else if (!panel.hidden) closePanel();
}

function linkTo(address) {
  return [...document.querySelectorAll("a[data-opens-passage]")].find((link) => link.getAttribute("href") === address);
}

if (hint) {
  const chipAt = (event) => event.target.closest?.("[data-testid=citation]");
  document.addEventListener("pointerover", (event) => {
    const chip = chipAt(event);
    if (chip && event.pointerType !== "touch") showQuote(chip);
    else if (hint.contains(event.target)) clearTimeout(closing);
  });
  document.addEventListener("pointerout", (event) => (chipAt(event) || hint.contains(event.target)) && hideQuote());
  document.addEventListener("focusin", (event) => chipAt(event) && showQuote(chipAt(event)));
  document.addEventListener("focusout", (event) => chipAt(event) && hideQuote());
  addEventListener("scroll", () => hideQuote(0), { passive: true });
}

if (panel) {
  panel.querySelector("[data-panel-close]").addEventListener("click", dismissPanel);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-opens-passage]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    hideQuote(0);
    open(link);
  });
  addEventListener("popstate", (event) => showEntry(event.state));
  showEntry(history.state);
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (hint && !hint.hidden) hideQuote(0);
  else if (panel && !panel.hidden) dismissPanel();
  else return;
  event.preventDefault();
});

document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.elt.closest?.(".reader") || event.detail.target.closest?.(".reader")) reveal();
});

reveal();
