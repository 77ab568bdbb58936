// A page of a document, on its own page and beside an answer: picture and text light each other up, the
// picture is made larger and stays sharp, arrow keys turn pages, the strip of pages follows.

const POINT = 96 / 72;
const STEPS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4];
// Pixels per point that the portal draws: its usual picture, then sharper ones up to its limit.
const SCALES = [1.5, 2, 3, 4];
const FIT = 0;
let zoom = FIT;

// --- Passages: what is pointed at in the text or the list is lit on the picture, and the other way round ----

/** It stays lit while it is pointed at or has the focus, wherever it stands. */
function light(passage) {
  const all = [...passage.closest(".reader").querySelectorAll(`[data-chunk="${CSS.escape(passage.dataset.chunk)}"]`)];
  const on = all.some((each) => each.matches(":hover, :focus"));
  for (const each of all) each.classList.toggle("is-lit", on);
}

const passageAt = (event) => event.target.closest?.(".reader [data-chunk]");

for (const name of ["pointerover", "pointerout", "focusin", "focusout"]) {
  document.addEventListener(name, (event) => {
    const passage = passageAt(event);
    // What is pointed at and what has the focus is known once the event is over.
    if (passage) setTimeout(() => passage.isConnected && light(passage));
  });
}

/** A click on a passage in the text or on the picture is one on its link in the list. */
document.addEventListener("click", (event) => {
  const passage = passageAt(event);
  if (!passage || passage.matches("[data-selects]") || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const text = getSelection();
  if (!passage.matches(".outline") && text && !text.isCollapsed) return;
  const link = passage.closest(".reader").querySelector(`[data-selects][data-chunk="${CSS.escape(passage.dataset.chunk)}"]`);
  if (!link) return;
  event.preventDefault();
  link.click();
});

// --- The size of the picture ----------------------------------------------------------------------------

function sheetIn(root) {
  return root.querySelector("[data-sheet]");
}

function fitting(sheet) {
  return sheet.parentElement.clientWidth / (Number(sheet.dataset.points) * POINT);
}

function shownZoom(sheet) {
  return sheet.getBoundingClientRect().width / (Number(sheet.dataset.points) * POINT);
}

function apply(reader) {
  const sheet = reader && sheetIn(reader);
  if (!sheet) return;
  reader.querySelector("[data-zoom]").hidden = false;
  sheet.style.width = zoom === FIT ? "" : `${Math.round(zoom * Number(sheet.dataset.points) * POINT)}px`;
  reader.querySelector("[data-zoom-now]").textContent = `${Math.round(shownZoom(sheet) * 100)} %`;
  reader.querySelector("[data-zoom-fit]").setAttribute("aria-pressed", String(zoom === FIT));
  sharpen(sheet);
}

/** Asks for a picture with as many pixels as are shown, and shows it when it is there. */
function sharpen(sheet) {
  const picture = sheet.querySelector("img");
  const wanted = (sheet.getBoundingClientRect().width * devicePixelRatio) / Number(sheet.dataset.points);
  const scale = SCALES.find((each) => each >= wanted * 0.9) || SCALES.at(-1);
  if (scale <= Number(sheet.dataset.scale || SCALES[0])) return;
  sheet.dataset.scale = scale;
  const sharper = new Image();
  sharper.addEventListener("load", () => (picture.src = sharper.src));
  sharper.src = `${picture.getAttribute("src").split("?")[0]}?scale=${scale}`;
}

function resize(reader, to) {
  const sheet = sheetIn(reader);
  const pane = sheet.parentElement;
  const across = (pane.scrollLeft + pane.clientWidth / 2) / Math.max(pane.scrollWidth, 1);
  const down = (pane.scrollTop + pane.clientHeight / 2) / Math.max(pane.scrollHeight, 1);
  zoom = to;
  apply(reader);
  pane.scrollLeft = across * pane.scrollWidth - pane.clientWidth / 2;
  pane.scrollTop = down * pane.scrollHeight - pane.clientHeight / 2;
}

function step(reader, direction) {
  const now = shownZoom(sheetIn(reader));
  const further = direction > 0 ? STEPS.find((each) => each > now * 1.02) : STEPS.findLast((each) => each < now * 0.98);
  if (further) resize(reader, further);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-zoom] button");
  if (!button) return;
  const reader = button.closest(".reader");
  if (button.matches("[data-zoom-in]")) step(reader, 1);
  else if (button.matches("[data-zoom-out]")) step(reader, -1);
  else resize(reader, button.matches("[data-zoom-full]") ? 1 : FIT);
});

document.addEventListener("wheel", (event) => {
  const pane = event.ctrlKey && event.target.closest?.("[data-pane]");
  if (!pane) return;
  event.preventDefault();
  step(pane.closest(".reader"), event.deltaY < 0 ? 1 : -1);
}, { passive: false });

addEventListener("resize", () => apply(document.getElementById("reader")));

// --- Turning pages ----------------------------------------------------------------------------------------

const TURNS = { ArrowLeft: "back", ArrowRight: "on" };

document.addEventListener("keydown", (event) => {
  const turn = TURNS[event.key];
  if (!turn || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable], dialog")) return;
  const pane = document.querySelector("#reader [data-pane]");
  if (pane && pane.scrollWidth > pane.clientWidth + 1 && pane.matches(":focus-within")) return;
  const link = document.querySelector(`#reader [data-turn="${turn}"]`);
  if (!link) return;
  event.preventDefault();
  link.click();
});

/** The heading above what is marked on the page; where nothing is, the first on it, or the last before it. */
function headingAt(reader, number, headings) {
  const mark = reader.querySelector("#mark, #match");
  const stands = ({ dataset }) => {
    if (Number(dataset.ofPage) !== number) return Number(dataset.ofPage) < number;
    const begin = reader.querySelector(`.page-text [data-chunk="${CSS.escape(dataset.ofChunk)}"]`);
    return mark && begin && !(begin.compareDocumentPosition(mark) & Node.DOCUMENT_POSITION_PRECEDING);
  };
  const first = mark ? null : headings.find((each) => Number(each.dataset.ofPage) === number);
  return first || headings.findLast(stands);
}

/** The strip and the outline show where the reader is; a part of the strip that is not there is fetched. */
function follow(reader) {
  const number = Number(reader.dataset.page);
  const strip = document.querySelector("[data-viewer] [data-strip]");
  for (const link of document.querySelectorAll("[data-viewer] [data-page][aria-current]")) link.removeAttribute("aria-current");
  const headings = [...document.querySelectorAll("[data-of-page]")];
  const here = headingAt(reader, number, headings);
  for (const each of headings) each.classList.toggle("is-here", each === here);
  if (!strip) return;
  const link = strip.querySelector(`[data-page="${number}"]`);
  if (!link) {
    htmx.ajax("GET", `${strip.dataset.strip}?page=${number}`, { target: strip, swap: "innerHTML" }).then(() => show(strip, number));
    return;
  }
  link.setAttribute("aria-current", "page");
  show(strip, number);
}

/** Scrolls the strip alone, never the page. */
function show(strip, number) {
  const item = strip.querySelector(`[data-page="${number}"]`)?.parentElement;
  if (!item) return;
  strip.scrollTop = item.offsetTop - (strip.clientHeight - item.offsetHeight) / 2;
  strip.scrollLeft = item.offsetLeft - (strip.clientWidth - item.offsetWidth) / 2;
}

let prepared = null;

/** Once for each page that is shown. */
export function prepare(reader) {
  if (!reader || reader === prepared) return;
  prepared = reader;
  apply(reader);
  follow(reader);
}

document.body.addEventListener("htmx:afterSwap", () => prepare(document.getElementById("reader")));
prepare(document.getElementById("reader"));
