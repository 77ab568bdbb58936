// Keys outside of text fields. An element with data-key="e" (or "g d", one after the other) is clicked by it,
// a field is focused; data-key-label says in the list what it does. data-key-help only lists a key.

const TYPED_IN = "input:not([type=checkbox], [type=radio], [type=button], [type=submit], [type=range], [type=file])";
const WRITTEN_IN = `${TYPED_IN}, textarea, [contenteditable]:not([contenteditable=false])`;
const TEXT = `${WRITTEN_IN}, select`;
const OFF = "keys-off";
const SECOND_KEY_MS = 1500;
const dialog = document.querySelector("[data-keys]");
const chosen = dialog.querySelector("[data-keys-on]");
let first = "";
let timer = 0;

chosen.checked = !kept();
chosen.addEventListener("change", () => keep(!chosen.checked));
for (const opener of document.querySelectorAll("[data-keys-open]")) {
  opener.hidden = false;
  opener.addEventListener("click", show);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (!chosen.checked || event.target.closest?.(TEXT) || busy(event.key)) return;
  if (pressed(event.key)) event.preventDefault();
});

/** Esc leaves a field as it is, where it closes nothing: what does, prevents the default. */
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || event.isComposing || !chosen.checked) return;
  if (!event.target.closest?.(WRITTEN_IN) || document.querySelector("dialog[open]:modal")) return;
  event.preventDefault();
  event.target.blur();
});

/** Another dialog has the keyboard to itself; in ours "?" closes it again. */
function busy(key) {
  const open = document.querySelector("dialog[open]:modal");
  return open && !(open === dialog && key === "?");
}

function pressed(key) {
  const both = first && `${first} ${key}`;
  forget();
  if (both && act(both)) return true;
  if (key === "?") return dialog.open ? dialog.close() : show(), true;
  if (act(key)) return true;
  if (key === "/") return search();
  if (candidates().some((element) => element.dataset.key.startsWith(`${key} `))) remember(key);
  return false;
}

function remember(key) {
  first = key;
  timer = setTimeout(forget, SECOND_KEY_MS);
}

function forget() {
  clearTimeout(timer);
  first = "";
}

function candidates() {
  return [...document.querySelectorAll("[data-key]")].filter(usable);
}

/** What a closed menu holds can be used; what is hidden otherwise cannot. */
function usable(element) {
  if (element.disabled || element.closest("[hidden]")) return false;
  return element.checkVisibility() || Boolean(element.closest("details:not([open])"));
}

function act(keys) {
  const element = candidates().find((each) => each.dataset.key === keys);
  if (!element) return false;
  if (element.matches(TEXT)) focus(element);
  else element.click();
  return true;
}

function search() {
  const box = [...document.querySelectorAll("main input[type=search]")].find(usable);
  if (box) focus(box);
  else location.assign(dialog.dataset.search);
  return true;
}

function focus(field) {
  field.focus();
  field.select?.();
}

// --- The list of keys ---------------------------------------------------------------------------------

function show() {
  const here = dialog.querySelector("[data-keys-here]");
  here.replaceChildren(...rows("main [data-key], main [data-key-help]"));
  dialog.querySelector("[data-keys-page]").hidden = !here.children.length;
  dialog.querySelector("[data-keys-go]").replaceChildren(...rows(".bar [data-key], .bar [data-key-help]"));
  document.querySelector("details[data-menu][open]")?.removeAttribute("open");
  dialog.showModal();
}

/** Each key once, whatever number of elements carry it. */
function rows(selector) {
  const found = new Map();
  for (const element of document.querySelectorAll(selector)) {
    const keys = element.dataset.key || element.dataset.keyHelp;
    if (element.dataset.keyLabel && !found.has(keys)) found.set(keys, element.dataset.keyLabel);
  }
  return [...found].map(([keys, label]) => row(keys, label));
}

function row(keys, label) {
  const line = document.createElement("div");
  const name = document.createElement("dt");
  for (const key of keys.split(" ")) {
    const cap = document.createElement(key === "/" && keys !== "/" ? "span" : "kbd");
    cap.textContent = key;
    name.append(cap, " ");
  }
  const meaning = document.createElement("dd");
  meaning.textContent = label;
  line.append(name, meaning);
  return line;
}

// --- Whether keys are wanted: somebody who speaks to the computer must be able to have none -----------

function kept() {
  try {
    return localStorage.getItem(OFF) === "yes";
  } catch {
    return false;
  }
}

function keep(off) {
  try {
    localStorage.setItem(OFF, off ? "yes" : "");
  } catch {
    // Without storage it holds for this page.
  }
}
