// Search as one types: what is too short or the same as before is not asked, what came is told once and
// politely, and the results are walked by keys.

const form = document.querySelector("[data-search-form]");
const field = form.querySelector("[name=q]");
const news = document.querySelector("[data-search-news]");
const failed = document.querySelector("[data-search-failed]");
const SHORTEST = 2;
let asked = address(new FormData(form));

// --- What is asked ------------------------------------------------------------------------------

/** Of a form: what is filled in, and is not what an empty address means too. */
function address(data) {
  return String(new URLSearchParams([...data].filter(([name, value]) => value && !(name === "mode" && value === "hybrid"))));
}

form.addEventListener("htmx:configRequest", (event) => {
  const { parameters, formData, triggeringEvent } = event.detail;
  const wanted = address(formData);
  const typed = triggeringEvent?.type !== "submit";
  const short = field.value.trim().length > 0 && field.value.trim().length < SHORTEST;
  if (typed && (short || wanted === asked)) return event.preventDefault();
  for (const name of [...formData.keys()]) if (!parameters[name]) delete parameters[name];
  asked = wanted;
});

document.body.addEventListener("htmx:beforeSwap", (event) => {
  // Signed out meanwhile: the answer is the page to sign in, which is no result.
  if (event.detail.target.id !== "results" || new URL(event.detail.xhr.responseURL).pathname === location.pathname) return;
  event.detail.shouldSwap = false;
  location.reload();
});

// --- What came ----------------------------------------------------------------------------------

const results = () => document.getElementById("results");
let before = 0;

document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target.id !== "results") return;
  before = event.target.matches("[data-search-more]") ? links().length : 0;
  failed.hidden = true;
  results().setAttribute("aria-busy", "true");
});

document.body.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id !== "results") return;
  news.textContent = results().querySelector("[data-results-line], [data-testid=search-error]")?.textContent.trim() || "";
  document.title = `${field.value.trim() || news.dataset.textSearch} · ${news.dataset.textPortal}`;
  if (before) links()[before]?.focus();
});

for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.body.addEventListener(name, (event) => {
    if (event.detail.target.id !== "results") return;
    failed.hidden = false;
    results().removeAttribute("aria-busy");
    asked = null;
  });
}
document.body.addEventListener("htmx:abort", () => results().removeAttribute("aria-busy"));

// --- Keys ---------------------------------------------------------------------------------------

const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
const links = () => [...document.querySelectorAll("[data-hits] [data-hit]")];

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const at = links().indexOf(document.activeElement);
  const arrow = event.key.startsWith("Arrow");
  if (isTyping(event.target) && !(event.target === field && event.key === "ArrowDown")) return;
  if (event.key in STEPS && (!arrow || at >= 0 || event.target === field)) walk(at, STEPS[event.key], event);
  if (event.key === "o" && at >= 0) links()[at].click();
});

function isTyping(element) {
  return element.closest("input, textarea, select, [contenteditable], dialog") !== null;
}

/** From the first result back to the field. */
function walk(at, step, event) {
  const next = at + step < 0 ? (at < 0 ? links()[0] : field) : links()[at + step];
  if (!next) return;
  event.preventDefault();
  next.focus({ preventScroll: true });
  (next.closest(".hit") ?? next).scrollIntoView({ block: "nearest" });
}
