// One answer's events, each once and in order, whatever the connection does: over the socket with
// resume, else over server-sent events, else by asking for the stored answer until it is there.

import { PAGE_LANGUAGE, csrf, getJSON, problemText, socketAddress } from "./http.js";

const SOCKET_TRIES = 3;
const POLL_MS = 2000;

/**
 * Starts `ask` ({question, conversation?, collections?}) or takes up `answer` after `seq`.
 * `on.event(event)` gets every event; `on.waiting(bool)` tells of a lost connection;
 * `on.lost()` says that the question may never have arrived. Returns {stop}.
 */
export function follow({ ask = null, answer = null, seq = 0 }, on) {
  const state = { ask, answer, seq, over: false, asked: false, socket: null, failures: 0, on };
  overSocket(state);
  return { stop: () => stop(state) };
}

function take(state, event) {
  if (state.over || (event.seq && event.seq <= state.seq)) return;
  if (event.seq) state.seq = event.seq;
  if (event.type === "started") state.answer = event.answer;
  state.over = event.type === "done" || event.type === "error";
  state.failures = 0;
  state.on.waiting(false);
  state.on.event(event);
  if (state.over) state.socket?.close();
}

function overSocket(state) {
  const socket = new WebSocket(socketAddress("/ws/answers/"));
  state.socket = socket;
  socket.onopen = () => {
    const message = state.answer ? { type: "resume", answer: state.answer, seq: state.seq } : { type: "ask", ...state.ask };
    state.asked = true;
    socket.send(JSON.stringify(message));
  };
  socket.onmessage = (message) => take(state, JSON.parse(message.data));
  socket.onclose = () => !state.over && socketClosed(state);
}

function socketClosed(state) {
  state.failures += 1;
  if (state.asked && !state.answer) return lost(state);
  if (state.failures >= SOCKET_TRIES || !state.asked) return overEvents(state);
  state.on.waiting(true);
  setTimeout(() => state.over || overSocket(state), 500 * 2 ** state.failures);
}

function lost(state) {
  state.over = true;
  state.on.lost();
}

async function overEvents(state) {
  try {
    const response = await openEvents(state);
    if (!response.ok) return refused(state, response);
    await readEvents(state, response.body);
  } catch {
    if (!state.answer) return lost(state);
  }
  if (!state.over) poll(state);
}

function openEvents(state) {
  const headers = { Accept: "text/event-stream", ...PAGE_LANGUAGE };
  if (state.answer) {
    return fetch(`/api/v1/answers/${state.answer}/events/`, { headers: { ...headers, "Last-Event-ID": String(state.seq) } });
  }
  return fetch("/api/v1/answers/", {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json", "X-CSRFToken": csrf() },
    body: JSON.stringify(state.ask),
  });
}

async function refused(state, response) {
  if (state.answer && response.status !== 404) return poll(state);
  const detail = problemText(await response.text(), `${response.status} ${response.statusText}`);
  take(state, { type: "error", answer: state.answer, seq: 0, detail, status: response.status });
}

async function readEvents(state, body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const blocks = buffer.split(/\r?\n\r?\n/);
    buffer = blocks.pop();
    for (const block of blocks) takeBlock(state, block);
  }
}

function takeBlock(state, block) {
  const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
  if (lines.length) take(state, JSON.parse(lines.map((line) => line.slice(5).trimStart()).join("\n")));
}

async function poll(state) {
  if (state.over) return;
  state.on.waiting(true);
  try {
    const stored = await getJSON(`/api/v1/answers/${state.answer}/`);
    if (stored.state !== "running") return take(state, { ...stored, type: "done", answer: stored.id, seq: 0 });
  } catch (error) {
    if (error.status === 404) return take(state, { type: "error", answer: state.answer, seq: 0, detail: "" });
  }
  setTimeout(() => poll(state), POLL_MS);
}

function stop(state) {
  if (state.over || !state.answer) return;
  if (state.socket?.readyState === WebSocket.OPEN) {
    state.socket.send(JSON.stringify({ type: "stop", answer: state.answer }));
  } else {
    fetch(`/api/v1/answers/${state.answer}/stop/`, { method: "POST", headers: { "X-CSRFToken": csrf() } });
  }
}
