// Short notices at the edge of the page: toast("Deleted.", { tone: "plain|good|bad", undo: { url, fields } }).
// An answer to htmx shows one by HX-Trigger: {"toast": {"text", "tone", "undo"}}.

import { csrf, problemText } from "./http.js";

const region = document.querySelector("[data-toasts]");
const words = region.dataset;
const SECONDS = { plain: 6, good: 6, bad: 12, undo: 10 };
const MOST = 4;

/** Shows a notice; it goes by itself, later while it is pointed at or holds the focus. */
export function toast(text, { tone = "plain", undo = null } = {}) {
  const item = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  item.dataset.tone = tone;
  item.querySelector("[data-toast-text]").textContent = text;
  const button = item.querySelector("[data-toast-undo]");
  button.hidden = !undo;
  button.addEventListener("click", () => takeBack(item, undo));
  item.querySelector("[data-toast-close]").addEventListener("click", () => dismiss(item));
  item.addEventListener("keydown", (event) => event.key === "Escape" && dismiss(item));
  const list = region.querySelector("[data-toast-list]");
  list.append(item);
  while (list.children.length > MOST) list.firstElementChild.remove();
  goesAfter(item, (undo ? SECONDS.undo : SECONDS[tone] || SECONDS.plain) * 1000);
  return item;
}

function goesAfter(item, milliseconds) {
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => item.matches(":hover, :focus-within") || dismiss(item), milliseconds);
  };
  const stop = () => clearTimeout(timer);
  for (const name of ["mouseenter", "focusin"]) item.addEventListener(name, stop);
  for (const name of ["mouseleave", "focusout"]) item.addEventListener(name, wait);
  wait();
}

/** The focus goes back into the page when it was in what vanishes. */
function dismiss(item) {
  const held = item.contains(document.activeElement);
  item.remove();
  if (held) document.getElementById("content").focus({ preventScroll: true });
}

async function takeBack(item, { url, fields = {} }) {
  item.querySelector("[data-toast-undo]").disabled = true;
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const each of [value].flat()) body.append(name, each);
  }
  const answer = await send(url, body);
  dismiss(item);
  const said = toldBy(answer);
  if (answer?.ok) toast(said?.text || words.textUndone, said || { tone: "good" });
  else toast(problemText(answer ? await answer.text() : "", words.textFailed), { tone: "bad" });
  document.body.dispatchEvent(new CustomEvent("documents:changed"));
}

async function send(url, body) {
  try {
    return await fetch(url, { method: "POST", body, headers: { "X-CSRFToken": csrf(), "HX-Request": "true" } });
  } catch {
    return null;
  }
}

/** The notice that an answer brings for itself, as one to htmx would. */
function toldBy(answer) {
  try {
    return JSON.parse(answer.headers.get("HX-Trigger")).toast || null;
  } catch {
    return null;
  }
}

document.body.addEventListener("toast", ({ detail }) => {
  if (detail?.text) toast(detail.text, detail);
});
