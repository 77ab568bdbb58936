// Uploads with a bar each: choose or drop files, send them two at a time, then follow their reading.

import { csrf, problemText } from "./http.js";
import { RUNNING, stageText, watch } from "./documents_live.js";

const AT_ONCE = 2;
const area = document.querySelector("[data-upload]");
const form = area.querySelector("[data-upload-form]");
const input = form.querySelector("input[type=file]");
const list = area.querySelector("[data-upload-rows]");
const news = area.querySelector("[data-upload-news]");
const veil = document.querySelector("[data-drop-veil]");
const words = area.dataset;
const waiting = [];
const rows = new Map(); // document id -> row
let sending = 0;

function enhance() {
  const choose = area.querySelector("[data-choose]");
  choose.hidden = false;
  choose.addEventListener("click", () => input.click());
  area.querySelector("[data-drop-hint]").hidden = false;
  form.querySelector("[type=submit]").hidden = true;
  input.classList.add("visually-hidden");
  input.tabIndex = -1;
  input.addEventListener("change", () => {
    take(input.files);
    input.value = "";
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    take(input.files);
  });
}

function take(files) {
  for (const file of files) waiting.push({ file, row: addRow(file.name) });
  next();
}

function addRow(name) {
  const row = area.querySelector("[data-upload-template]").content.firstElementChild.cloneNode(true);
  row.querySelector("[data-name]").textContent = name;
  list.append(row);
  list.hidden = false;
  say(row, "waiting", words.textWaiting);
  row.querySelector("[data-dismiss]").addEventListener("click", () => dismiss(row));
  return row;
}

function dismiss(row) {
  const index = waiting.findIndex((entry) => entry.row === row);
  if (index >= 0) waiting.splice(index, 1);
  if (row.request) return row.request.abort();
  if (RUNNING.has(row.dataset.state)) return cancel(row);
  row.remove();
  list.hidden = !list.children.length;
}

/** Stop what the portal makes of the file; the row then says how it ended. */
async function cancel(row) {
  const id = [...rows].find(([, entry]) => entry === row)?.[0];
  const headers = { "X-CSRFToken": csrf(), Accept: "application/json" };
  const response = await fetch(`/api/v1/documents/${id}/cancel/`, { method: "POST", headers });
  if (response.ok) follow(row, await response.json());
}

function say(row, state, text, percent = null) {
  row.dataset.state = state;
  row.querySelector("[data-state]").textContent = text;
  const bar = row.querySelector("[data-bar]");
  if (percent !== null) bar.value = percent;
}

function note(row, text, link = null) {
  const place = row.querySelector("[data-note]");
  place.hidden = false;
  place.textContent = text;
  if (!link) return;
  const anchor = document.createElement("a");
  anchor.href = link.href;
  anchor.textContent = link.text;
  place.append(" ", anchor);
}

function next() {
  while (sending < AT_ONCE && waiting.length) send(waiting.shift());
}

function send({ file, row }) {
  const body = new FormData();
  const collection = form.elements.collection.value;
  if (collection) body.append("collection", collection);
  body.append("file", file, file.name);
  const request = new XMLHttpRequest();
  row.request = request;
  sending += 1;
  request.open("POST", words.url);
  request.setRequestHeader("X-CSRFToken", csrf());
  request.setRequestHeader("Accept", "application/json");
  request.upload.onprogress = (event) => {
    const percent = event.lengthComputable ? Math.floor((event.loaded / event.total) * 100) : 0;
    say(row, "uploading", `${words.textUploading} ${percent} %`, percent);
  };
  request.onload = () => arrived(row, request);
  request.onerror = () => fail(row, words.textBroken);
  request.onabort = () => fail(row, words.textAborted);
  request.onloadend = () => {
    row.request = null;
    sending -= 1;
    next();
  };
  request.send(body);
}

function arrived(row, request) {
  if (request.status >= 300) return fail(row, problemText(request.responseText, `${request.status} ${request.statusText}`));
  const stored = JSON.parse(request.responseText);
  if (stored.duplicate) return duplicate(row, stored);
  rows.set(stored.id, row);
  follow(row, stored);
  watch(stored.id);
  document.body.dispatchEvent(new CustomEvent("documents:changed"));
}

function duplicate(row, stored) {
  say(row, "duplicate", "");
  note(row, words.textDuplicate, { href: `/documents/${stored.id}/`, text: stored.title });
  news.textContent = `${words.textDuplicate} ${stored.title}`;
}

function fail(row, reason) {
  say(row, "failed", "failed");
  note(row, reason);
  news.textContent = `${row.querySelector("[data-name]").textContent}: ${reason}`;
}

/** A row after the upload: queued, then the stages, then ready or failed with the reason. */
function follow(row, stored) {
  if (stored.status === "failed") return fail(row, stored.reason);
  const percent = stored.status === "ready" ? 100 : stored.percent || 0;
  say(row, stored.status, stageText(stored) || stored.status, percent);
  if (stored.status !== "ready") return;
  const name = row.querySelector("[data-name]");
  const link = document.createElement("a");
  link.href = `/documents/${stored.id}/`;
  link.textContent = stored.title;
  name.replaceChildren(link);
  news.textContent = `${stored.title}: ready`;
}

document.addEventListener("document:news", ({ detail }) => {
  const row = rows.get(detail.id);
  if (row) follow(row, detail);
});

// Drop anywhere on the page.
let depth = 0;
const holdsFiles = (event) => [...event.dataTransfer.types].includes("Files");
const veiled = (on) => { veil.hidden = !on; };
addEventListener("dragenter", (event) => holdsFiles(event) && veiled(++depth > 0));
addEventListener("dragleave", (event) => holdsFiles(event) && veiled(--depth > 0));
addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
addEventListener("drop", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  depth = 0;
  veiled(false);
  take(event.dataTransfer.files);
});

enhance();
