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

async function openPanel(link) {
  opener = link;
  panel.hidden = false;
  document.body.classList.add("has-panel");
  const target = panel.querySelector("[data-panel-body]");
  target.setAttribute("aria-busy", "true");
  target.textContent = panel.dataset.textGone;
  await htmx.ajax("GET", link.getAttribute("href").split("#")[0], { target, swap: "innerHTML" });
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
  panel.querySelector("[data-panel-close]").addEventListener("click", closePanel);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-opens-passage]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    hideQuote(0);
    openPanel(link);
  });
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (hint && !hint.hidden) hideQuote(0);
  else if (panel && !panel.hidden) closePanel();
});

document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.elt.closest?.(".reader") || event.detail.target.closest?.(".reader")) reveal();
});

reveal();
