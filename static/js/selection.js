// Several documents at once: which are ticked is remembered while the list is asked for again, and the bar
// above it says how many they are. Without this module the same form works as it stands.

import { fill } from "./documents_live.js";

const bar = document.querySelector("[data-bulk]");
const box = document.getElementById("filter-q");
const selected = new Set();
let everything = false;
let last = null;

const list = () => document.getElementById("documents");
const boxes = () => [...list().querySelectorAll("[data-select]")];
const whole = () => list().querySelector("[data-select-all]");
const page = () => list().querySelector("[data-select-page]");

document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-select]")) tick(target);
  else if (target.matches("[data-select-page]")) for (const each of boxes()) set(each, target.checked);
  else if (target.matches("[data-select-all]")) everything = target.checked;
  else return;
  draw();
});

// Shift and click ticks all between this one and the one before.
document.addEventListener("click", (event) => {
  if (!event.shiftKey || !event.target.matches("[data-select]") || !last) return;
  const all = boxes();
  const [from, to] = [all.findIndex(({ value }) => value === last), all.indexOf(event.target)].sort((a, b) => a - b);
  if (from >= 0) for (const each of all.slice(from, to + 1)) set(each, event.target.checked);
});

function tick(target) {
  set(target, target.checked);
  if (!target.checked) everything = false;
  last = target.value;
}

function set(target, on) {
  target.checked = on;
  if (on) selected.add(target.value);
  else selected.delete(target.value);
}

function clear() {
  selected.clear();
  everything = false;
  for (const each of boxes()) each.checked = false;
  draw();
}

/** What is shown now; ticked documents that are not on this page any more are let go. */
function draw() {
  const all = boxes();
  const there = new Set(all.map(({ value }) => value));
  for (const id of selected) if (!there.has(id)) selected.delete(id);
  for (const each of all) each.checked = selected.has(each.value);
  if (whole()) whole().checked = everything;
  else everything = false;
  if (page()) {
    page().checked = all.length > 0 && selected.size === all.length;
    page().indeterminate = selected.size > 0 && selected.size < all.length;
  }
  const count = everything ? Number(list().dataset.total) : selected.size;
  const words = count === 1 ? bar.dataset.textOne : bar.dataset.textMany;
  bar.querySelector("[data-bulk-count]").textContent = fill(words, { n: count.toLocaleString(document.documentElement.lang) });
  bar.toggleAttribute("data-active", count > 0);
}

if (bar) {
  const clearing = bar.querySelector("[data-bulk-clear]");
  clearing.hidden = false;
  clearing.addEventListener("click", clear);
  document.body.addEventListener("htmx:afterSettle", draw);
  bar.addEventListener("htmx:afterRequest", ({ detail }) => detail.elt === bar && detail.successful && clear());
  // Enter in the field of the tag adds it; the browser would take the first button anyway.
  draw();
}

// The words in the box are those of the address, whichever link was taken.
document.body.addEventListener("htmx:afterSettle", () => {
  const words = new URLSearchParams(location.search).get("q") || "";
  if (document.activeElement !== box && box.value !== words) box.value = words;
});
