// What becomes of documents, as it happens: over /ws/documents/, and by asking every two seconds
// while that is down. Other modules listen to "document:news" on the document; the list is asked for again
// when a document's status is another one ("documents:changed" on the body).

import { getJSON, socketAddress } from "./http.js";

export const RUNNING = new Set(["queued", "processing"]);
const WORDS = JSON.parse(document.getElementById("live-words").textContent);
const POLL_MS = 2000;
// With the socket open, what was silent for so long is asked about: its collection may be newer than the socket.
const SILENT_MS = 5000;
// So many are asked about in one round, those unheard of for longest first.
const AT_ONCE = 10;
const REFRESH_MS = 2000;
// How long “6 seconds ago” may stand.
const AGO_MS = 30000;
const watched = new Set();
const heard = new Map();
const known = new Map();
let socket = null;
let tries = 0;
let polling = 0;
let refreshed = 0;
let refreshing = 0;

/** Follow a document even where no element on the page shows it. */
export function watch(id) {
  watched.add(id);
  const since = Date.now();
  // The change may have come between the upload's answer and now.
  setTimeout(() => watched.has(id) && lastHeard(id) < since && ask(id), POLL_MS);
}

/** "Reading page 12 of 80": the sentences are the server's own. */
export function stageText(news) {
  if (news.status !== "processing" || !WORDS.stages[news.stage]) return "";
  const [plain, counted] = WORDS.stages[news.stage];
  const { done, total } = news.progress || news;
  if (!counted || !total) return plain;
  return fill(counted, { done: Math.min(Math.max(done, 1), total), total });
}

/** The status as people see it: one that somebody cancelled did not fail. */
export function shownStatus(news) {
  return news.status === "failed" && news.reason === "cancelled" ? "cancelled" : news.status;
}

export function statusText(news) {
  return WORDS.statuses[shownStatus(news)] || news.status;
}

/** Have the list of documents asked for again: at once, but not oftener than every two seconds. */
export function refreshList() {
  refreshing ||= setTimeout(() => {
    refreshing = 0;
    refreshed = Date.now();
    document.body.dispatchEvent(new CustomEvent("documents:changed"));
  }, Math.max(0, refreshed + REFRESH_MS - Date.now()));
}

/** ``{name}`` in ``text`` by the number of that name. */
export function fill(text, numbers) {
  return text.replace(/\{(\w+)\}/g, (_, name) => figure(numbers[name]));
}

function figure(number) {
  return Number(number || 0).toLocaleString(document.documentElement.lang);
}

function connect() {
  socket = new WebSocket(socketAddress("/ws/documents/"));
  socket.onopen = () => {
    tries = 0;
    stopPolling();
    askAll(); // what happened while nobody listened
  };
  socket.onmessage = (message) => {
    const news = JSON.parse(message.data);
    if (news.type === "document") show(news);
  };
  socket.onclose = () => {
    startPolling();
    setTimeout(connect, Math.min(30000, 1000 * 2 ** tries++));
  };
}

function startPolling() {
  if (!polling) polling = setInterval(askAll, POLL_MS);
}

function stopPolling() {
  clearInterval(polling);
  polling = 0;
}

function askAll() {
  for (const holder of document.querySelectorAll("[data-document]")) {
    if (RUNNING.has(holder.dataset.status)) watched.add(holder.dataset.document);
  }
  askSome(Date.now());
}

function askSilent() {
  askSome(Date.now() - SILENT_MS);
}

function askSome(before) {
  const silent = [...watched].filter((id) => lastHeard(id) < before);
  silent.sort((a, b) => lastHeard(a) - lastHeard(b));
  for (const id of silent.slice(0, AT_ONCE)) ask(id);
}

function lastHeard(id) {
  return heard.get(id) || 0;
}

async function ask(id) {
  try {
    show(await getJSON(`/api/v1/documents/${id}/`));
  } catch (error) {
    if (error.status === 404 || error.status === 410) show({ id, status: "deleted" });
  }
}

function show(news) {
  heard.set(news.id, Date.now());
  if (!RUNNING.has(news.status)) watched.delete(news.id);
  document.dispatchEvent(new CustomEvent("document:news", { detail: news }));
  const holders = [...document.querySelectorAll(`[data-document="${CSS.escape(news.id)}"]`)];
  if (news.status !== (holders[0]?.dataset.status ?? known.get(news.id))) refreshList();
  known.set(news.id, news.status);
  for (const holder of holders) {
    if (news.status === "deleted") holder.remove();
    else update(holder, news);
  }
}

function update(holder, news) {
  const ended = RUNNING.has(holder.dataset.status) && !RUNNING.has(news.status);
  holder.dataset.status = news.status;
  const badge = holder.querySelector("[data-badge]");
  if (badge) {
    badge.dataset.status = shownStatus(news);
    badge.textContent = statusText(news);
  }
  put(holder, "[data-title]", news.title);
  put(holder, "[data-stage]", stageText(news));
  const bar = holder.querySelector("[data-percent]");
  if (bar) bar.value = news.percent || 0;
  count(holder, "[data-pages]", news.pages);
  count(holder, "[data-chunks]", news.chunks);
  unfold(holder, "[data-reason]", shownStatus(news) === "failed" ? news.reason : "");
  unfold(holder, "[data-notice]", news.notice);
  if (ended) document.body.dispatchEvent(new CustomEvent("document:ended"));
}

function put(holder, selector, text) {
  const element = holder.querySelector(selector);
  if (element && element.textContent !== text) element.textContent = text;
}

function count(holder, selector, number) {
  const element = holder.querySelector(selector);
  if (!element) return;
  element.textContent = figure(number);
  element.dataset.label = number === 1 ? element.dataset.one : element.dataset.many;
}

function unfold(holder, selector, text) {
  put(holder, selector, text || "");
  const element = holder.querySelector(selector);
  if (element) element.hidden = !text;
}

// --- The list keeps its open menus when it is swapped, and the focus inside them ---------------------

let open = [];
let focused = "";

document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.target.id !== "documents") return;
  open = [...detail.target.querySelectorAll("[data-menu][open]:not([data-menu-once])")];
  focused = detail.target.contains(document.activeElement) ? document.activeElement.id : "";
});
document.body.addEventListener("htmx:afterSwap", () => {
  for (const { id } of open.splice(0)) document.getElementById(id)?.setAttribute("open", "");
  // htmx looks for the focused element itself, but cannot focus what is in a menu that is still closed.
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  focused = "";
});

connect();
setInterval(askSilent, SILENT_MS);
setInterval(() => document.hidden || refreshList(), AGO_MS);
