// What a question is narrowed to: collections and documents are ticked in the menu and stand as chips
// above the button. Without this script the same boxes are sent with the form.

/** What is ticked, as the API takes it: {collections?, documents?}. */
export function chosenScope(form) {
  const scope = {};
  for (const name of ["collections", "documents"]) {
    const values = new Set([...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value));
    if (values.size) scope[name] = [...values];
  }
  return scope;
}

const picker = document.querySelector("[data-scope]");
const form = picker?.closest("form");
const chips = form?.querySelector("[data-scope-chips]");

function show() {
  for (const box of picker.querySelectorAll("[name=collections]")) chipOf(box);
  const some = Object.keys(chosenScope(form)).length;
  picker.querySelector("[data-scope-text]").textContent = some ? picker.dataset.textSome : picker.dataset.textAll;
}

/** A collection's chip, for as long as its box is ticked. A click on it unticks the box: it is its label. */
function chipOf(box) {
  const there = chips.querySelector(`[data-chip-of="${CSS.escape(box.value)}"]`);
  if (!box.checked) there?.remove();
  if (!box.checked || there) return;
  const chip = form.querySelector("[data-collection-chip]").content.firstElementChild.cloneNode(true);
  chip.dataset.chipOf = box.value;
  chip.htmlFor = box.id;
  chip.querySelector("span").textContent = box.closest("label").textContent.trim();
  chips.append(chip);
}

/** A document that was found and ticked becomes a chip, which holds its box from then on. */
function keep(line) {
  const box = line.querySelector("input");
  const chip = form.querySelector("[data-chip]").content.firstElementChild.cloneNode(true);
  chip.querySelector("input").value = box.value;
  chip.querySelector("input").checked = true;
  chip.querySelector("span").textContent = line.textContent.trim();
  line.remove();
  chips.append(chip);
}

/** Those that are chosen need not be found again. */
function tidy() {
  const kept = new Set([...chips.querySelectorAll("[name=documents]")].map((box) => box.value));
  for (const line of picker.querySelectorAll("[data-scope-found] label")) {
    if (kept.has(line.querySelector("input").value)) line.remove();
  }
}

if (picker) {
  picker.querySelector("[data-scope-look]").hidden = true;
  form.addEventListener("change", (event) => {
    const found = event.target.closest("[data-scope-found] label");
    if (found) keep(found);
    else if (event.target.name === "documents" && !event.target.checked) event.target.closest(".chip").remove();
    show();
  });
  picker.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("[data-scope-find]")) event.preventDefault();
  });
  document.body.addEventListener("htmx:afterSwap", tidy);
  tidy();
  show();
}
