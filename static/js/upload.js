// Uploads with a bar each: choose, drop or paste files and folders, send them three at a time, then follow their reading.

import { PAGE_LANGUAGE, csrf, problemText } from "./http.js";
import { RUNNING, fill, refreshList, shownStatus, stageText, statusText, watch } from "./documents_live.js";
import { chosen, dropped } from "./folders.js";
import { pasted } from "./paste.js";

const AT_ONCE = 3;
const area = document.querySelector("[data-upload]");
const form = area.querySelector("[data-upload-form]");
const input = form.querySelector("input[name=file]");
const folder = form.querySelector("[data-folder-input]");
const list = area.querySelector("[data-upload-rows]");
const summary = area.querySelector("[data-upload-summary]");
const news = area.querySelector("[data-upload-news]");
const veil = document.querySelector("[data-drop-veil]");
const words = area.dataset;
// Each upload: {file, path, collection, row, state, id, request}. States: waiting, uploading, those of a
// document, and duplicate, refused, cancelled.
const uploads = new Set();
const waiting = [];
let sending = 0;
let drawing = 0;

function enhance() {
  offer("[data-choose]", input);
  if ("webkitdirectory" in folder) offer("[data-choose-folder]", folder);
  area.querySelector("[data-drop-hint]").hidden = false;
  form.querySelector("[type=submit]").hidden = true;
  input.classList.add("visually-hidden");
  input.tabIndex = -1;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    take(chosen(input.files));
  });
  summary.querySelector("[data-cancel-all]").addEventListener("click", () => [...uploads].forEach(cancel));
  summary.querySelector("[data-clear]").addEventListener("click", clear);
}

function offer(button, field) {
  const choose = area.querySelector(button);
  choose.hidden = false;
  choose.addEventListener("click", () => field.click());
  field.addEventListener("change", () => {
    take(chosen(field.files));
    field.value = "";
  });
}

function take(found) {
  const rows = document.createDocumentFragment();
  for (const { file, path, name } of found) {
    const upload = { file, path, collection: form.elements.collection.value, row: addRow(rows, path || name || file.name) };
    uploads.add(upload);
    upload.row.querySelector("[data-dismiss]").addEventListener("click", () => dismiss(upload));
    upload.row.querySelector("[data-retry]").addEventListener("click", () => retry(upload));
    if (file) queue(upload);
    else refuse(upload, words.textUnreadable);
  }
  list.prepend(rows); // the newest first
  list.hidden = !uploads.size;
  next();
}

function addRow(rows, name) {
  const row = area.querySelector("[data-upload-template]").content.firstElementChild.cloneNode(true);
  const title = row.querySelector("[data-name]");
  title.textContent = title.title = name;
  rows.append(row);
  return row;
}

function queue(upload) {
  say(upload, "waiting", words.textWaiting, 0);
  waiting.push(upload);
}

// --- Sending -------------------------------------------------------------------------------------

function next() {
  while (sending < AT_ONCE && waiting.length) send(waiting.shift());
}

function send(upload) {
  const request = new XMLHttpRequest();
  upload.request = request;
  sending += 1;
  request.open("POST", words.url);
  request.setRequestHeader("X-CSRFToken", csrf());
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("X-Page-Language", PAGE_LANGUAGE["X-Page-Language"]);
  request.upload.onprogress = (event) => {
    const percent = event.lengthComputable ? Math.floor((event.loaded / event.total) * 100) : 0;
    say(upload, "uploading", `${words.textUploading} ${percent} %`, percent);
  };
  request.onload = () => arrived(upload, request);
  request.onerror = () => refuse(upload, words.textBroken, true);
  request.onabort = () => aborted(upload);
  request.onloadend = () => {
    upload.request = null;
    sending -= 1;
    next();
  };
  say(upload, "uploading", words.textUploading, 0);
  request.send(bodyOf(upload));
}

function bodyOf({ file, path, collection }) {
  const body = new FormData();
  if (collection) body.append("collection", collection);
  if (path) body.append("path", path);
  body.append("file", file, file.name);
  return body;
}

function arrived(upload, request) {
  if (request.status >= 300) {
    const reason = problemText(request.responseText, `${request.status} ${request.statusText}`);
    return refuse(upload, reason, request.status >= 500);
  }
  const stored = JSON.parse(request.responseText);
  upload.file = null; // it is with the portal now
  if (stored.duplicate) return duplicate(upload, stored);
  upload.id = stored.id;
  follow(upload, stored);
  if (RUNNING.has(stored.status)) watch(stored.id);
  return refreshList();
}

// --- How it goes on ------------------------------------------------------------------------------

function duplicate(upload, stored) {
  const anchor = { href: `/documents/${stored.id}/`, text: stored.title };
  if (stored.status === "failed") return failedBefore(upload, stored, anchor);
  say(upload, "duplicate", words.textHere);
  return note(upload, words.textDuplicate, anchor);
}

/** The portal has this file already and could not read it, or was told to stop. */
function failedBefore(upload, stored, anchor) {
  const cancelled = shownStatus(stored) === "cancelled";
  upload.id = stored.id;
  say(upload, shownStatus(stored), statusText(stored));
  note(upload, cancelled ? words.textCancelledBefore : `${words.textFailedBefore} ${stored.reason}`, anchor);
  offerRetry(upload, true);
  news.textContent = `${nameOf(upload)}: ${upload.row.querySelector("[data-note]").textContent}`;
}

function refuse(upload, reason, again = false) {
  // What is supported stands above the list already.
  const why = reason.replace(words.supported, "").trim();
  say(upload, "refused", words.textRefused);
  note(upload, why);
  offerRetry(upload, again && upload.file);
  news.textContent = `${nameOf(upload)}: ${why}`;
}

function aborted(upload) {
  say(upload, "cancelled", words.textAborted);
  offerRetry(upload, upload.file);
}

/** An upload after its file has arrived: queued, then the stages, then ready or failed with the reason. */
function follow(upload, stored) {
  const percent = stored.status === "ready" ? 100 : stored.percent || 0;
  const state = shownStatus(stored);
  say(upload, state, stageText(stored) || statusText(stored), percent);
  note(upload, state === "failed" ? stored.reason : stored.notice);
  offerRetry(upload, stored.status === "failed");
  if (state === "failed") news.textContent = `${nameOf(upload)}: ${stored.reason}`;
  if (stored.status === "ready") link(upload, stored);
}

function link(upload, stored) {
  const anchor = document.createElement("a");
  anchor.href = `/documents/${stored.id}/`;
  anchor.textContent = stored.title;
  upload.row.querySelector("[data-name]").replaceChildren(anchor);
}

function nameOf(upload) {
  return upload.row.querySelector("[data-name]").textContent;
}

function say(upload, state, text, percent = null) {
  if (state !== upload.state && (state === "refused" || state === "failed")) raise(upload);
  upload.state = upload.row.dataset.state = state;
  upload.row.querySelector("[data-state]").textContent = text;
  if (percent !== null) upload.row.querySelector("[data-bar]").value = percent;
  drawing ||= requestAnimationFrame(summarise);
}

/** What went wrong is seen without scrolling. A row with the focus stays: moved, it would lose it. */
function raise({ row }) {
  if (!row.contains(document.activeElement)) row.parentNode?.prepend(row);
}

function note(upload, text, anchor = null) {
  const place = upload.row.querySelector("[data-note]");
  place.hidden = !text;
  place.textContent = text || "";
  if (!anchor) return;
  const element = document.createElement("a");
  element.href = anchor.href;
  element.textContent = anchor.text;
  place.append(" ", element);
}

function offerRetry(upload, possible) {
  upload.row.querySelector("[data-retry]").hidden = !possible;
}

document.addEventListener("document:news", ({ detail }) => {
  for (const upload of [...uploads].filter(({ id }) => id === detail.id)) {
    if (detail.status === "deleted") forget(upload);
    else follow(upload, detail);
  }
});

// --- Cancel, retry, dismiss ----------------------------------------------------------------------

function isUnderWay({ state }) {
  return state === "waiting" || state === "uploading" || RUNNING.has(state);
}

function dismiss(upload) {
  if (isUnderWay(upload)) cancel(upload);
  else forget(upload);
}

function cancel(upload) {
  if (upload.request) upload.request.abort();
  else if (upload.state === "waiting") unqueue(upload);
  else if (RUNNING.has(upload.state)) post(upload, "cancel");
}

function unqueue(upload) {
  waiting.splice(waiting.indexOf(upload), 1);
  aborted(upload);
}

function retry(upload) {
  note(upload, "");
  offerRetry(upload, false);
  if (upload.id) return post(upload, "reindex");
  queue(upload);
  return next();
}

/** Ask the portal to stop reading the document, or to read it again; the row then says how that went. */
async function post(upload, what) {
  const headers = { "X-CSRFToken": csrf(), Accept: "application/json", ...PAGE_LANGUAGE };
  const response = await fetch(`/api/v1/documents/${upload.id}/${what}/`, { method: "POST", headers }).catch(() => null);
  if (!response?.ok) {
    const reason = response ? problemText(await response.text(), `${response.status}`) : words.textBroken;
    offerRetry(upload, what === "reindex");
    return note(upload, reason);
  }
  const stored = await response.json();
  follow(upload, stored);
  if (RUNNING.has(stored.status)) watch(stored.id);
  return undefined;
}

function forget(upload) {
  uploads.delete(upload);
  upload.row.remove();
  list.hidden = !uploads.size;
  drawing ||= requestAnimationFrame(summarise);
}

function clear() {
  for (const upload of [...uploads]) if (!isUnderWay(upload)) forget(upload);
}

// --- The line above the list: "300 files: 157 to send, 141 ready, 2 refused" -------------------------

function summarise() {
  drawing = 0;
  const counts = { sending: 0, reading: 0, ready: 0, duplicate: 0, refused: 0, failed: 0, cancelled: 0 };
  for (const upload of uploads) counts[countedAs(upload)] += 1;
  const running = counts.sending + counts.reading;
  const texts = words.textCounts.split("|");
  const parts = Object.values(counts).map((n, index) => (n ? fill(texts[index], { n }) : ""));
  const files = fill(words.textFiles, { n: uploads.size });
  summary.querySelector("[data-summary-text]").textContent = `${files}: ${parts.filter(Boolean).join(", ")}`;
  summary.querySelector("[data-cancel-all]").hidden = !running;
  summary.querySelector("[data-clear]").hidden = running === uploads.size;
  summary.hidden = uploads.size < 2;
}

/** Each upload counts once, so that the outcomes add up to the files. */
function countedAs(upload) {
  if (!isUnderWay(upload)) return upload.state;
  return RUNNING.has(upload.state) ? "reading" : "sending";
}

// --- Drop anywhere on the page -------------------------------------------------------------------

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
  dropped(event.dataTransfer).then(take);
});
addEventListener("paste", (event) => {
  const found = pasted(event);
  if (!found.length) return;
  event.preventDefault();
  take(found);
});
// Files that still wait here are known to this page alone.
addEventListener("beforeunload", (event) => {
  if (sending || waiting.length) event.preventDefault();
});

enhance();
