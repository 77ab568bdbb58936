// What becomes of documents, as it happens: over /ws/documents/, and by asking every two seconds
// while that is down. Other modules listen to "document:news" on the document.

import { getJSON, socketAddress } from "./http.js";

export const RUNNING = new Set(["queued", "processing"]);
const POLL_MS = 2000;
// With the socket open, what was silent for so long is asked about: its collection may be newer than the socket.
const SILENT_MS = 5000;
const watched = new Set();
const heard = new Map();
let socket = null;
let tries = 0;
let polling = 0;

/** Follow a document even where no element on the page shows it. */
export function watch(id) {
  watched.add(id);
  // The change may have come between the upload's answer and now.
  setTimeout(() => watched.has(id) && ask(id), POLL_MS);
}

export function stageText(news) {
  const word = STAGES[news.stage] || "";
  return news.status === "processing" && word ? `${word} ${news.percent} %` : "";
}

const STAGES = { parsing: "reading", chunking: "splitting", embedding: "embedding", storing: "storing" };

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
  for (const id of [...watched].slice(0, 10)) ask(id);
}

function askSilent() {
  const before = Date.now() - SILENT_MS;
  for (const id of [...watched].filter((each) => (heard.get(each) || 0) < before).slice(0, 10)) ask(id);
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
  for (const holder of document.querySelectorAll(`[data-document="${CSS.escape(news.id)}"]`)) {
    if (news.status === "deleted") holder.remove();
    else update(holder, news);
  }
}

function update(holder, news) {
  const ended = RUNNING.has(holder.dataset.status) && !RUNNING.has(news.status);
  holder.dataset.status = news.status;
  const badge = holder.querySelector("[data-badge]");
  if (badge) {
    badge.dataset.status = news.status;
    badge.textContent = news.status;
  }
  put(holder, "[data-stage]", stageText(news));
  put(holder, "[data-pages]", Number(news.pages || 0).toLocaleString("en"));
  put(holder, "[data-chunks]", Number(news.chunks || 0).toLocaleString("en"));
  const reason = holder.querySelector("[data-reason]");
  if (reason) {
    reason.textContent = news.reason || "";
    reason.hidden = !news.reason;
  }
  if (ended) document.body.dispatchEvent(new CustomEvent("document:ended"));
}

function put(holder, selector, text) {
  const element = holder.querySelector(selector);
  if (element) element.textContent = text;
}

connect();
setInterval(askSilent, SILENT_MS);
