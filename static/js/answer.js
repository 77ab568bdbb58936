// Answers as they come: words at once, then each finished sentence with its citations in their place.

import { follow } from "./stream.js";
import { reveal } from "./passage.js";
import { chosenScope } from "./scope.js";

const thread = document.querySelector("[data-thread]");
const form = document.querySelector("[data-ask-form]");
const field = form.elements.question;
const news = document.querySelector("[data-news]");
const words = news.dataset;
let address = "";

// --- Asking -----------------------------------------------------------------------------------

function ask() {
  const question = field.value.trim();
  if (!question) return;
  const article = document.querySelector("[data-answer-template]").content.firstElementChild.cloneNode(true);
  article.querySelector("[data-question]").textContent = question;
  document.querySelector("[data-ask-start]")?.remove();
  for (const offered of document.querySelectorAll("[data-follow-ups]")) offered.remove();
  thread.classList.remove("thread-empty");
  form.before(article);
  following = true;
  keepUp();
  field.value = "";
  run(article, { ask: { question, ...scope() } }, question);
}

function scope() {
  const conversation = form.elements.conversation.value;
  return { ...(conversation && { conversation }), ...chosenScope(form) };
}

function run(article, start, question = "") {
  announce(words.textStarted);
  const view = { article, citations: new Map(), draft: null };
  const stream = follow(start, {
    event: (event) => handlers[event.type]?.(view, event),
    waiting: (waiting) => waiting && tell(view, words.textReconnecting),
    lost: () => lost(view, question),
  });
  article.querySelector("[data-stop]")?.addEventListener("click", (event) => {
    event.preventDefault();
    event.currentTarget.setAttribute("aria-disabled", "true"); // and keeps the focus until the answer stands
    stream.stop();
  });
}

const handlers = {
  started(view, event) {
    view.article.dataset.answer = event.answer;
    view.article.id = `answer-${event.answer}`;
    if (event.conversation) form.elements.conversation.value = event.conversation;
    field.placeholder = words.textFollowUp;
    address = `/ask/${event.answer}/`;
    history.replaceState(history.state, "", address);
  },
  sources(view, event) {
    if (event.restart) beginAgain(view);
    view.citations = new Map(event.citations.map((citation) => [citation.n, citation]));
    const list = view.article.querySelector("[data-source-list]");
    list.replaceChildren(...event.citations.map(sourceLine));
    view.article.querySelector("[data-sources]").hidden = !event.citations.length;
    tell(view, words.textSources);
  },
  token(view, event) {
    tell(view, "");
    draft(view).textContent = visible(draft(view).textContent + event.text);
  },
  sentence(view, event) {
    tell(view, "");
    const rest = withoutSentence(draft(view).textContent, visible(event.text));
    draft(view).before(sentence(view, event), " ");
    draft(view).textContent = rest;
  },
  done(view, event) {
    finish(view, event);
  },
  error(view, event) {
    end(view);
    const note = make("p", "note note-bad", event.detail || event.title || words.textBroken);
    note.dataset.testid = "answer-error";
    note.setAttribute("role", "alert");
    view.article.querySelector("[data-text]").after(note);
  },
};

// --- What a view shows --------------------------------------------------------------------------

function draft(view) {
  if (!view.draft) {
    view.draft = make("span", "draft");
    view.article.querySelector("[data-text]").append(view.draft);
  }
  return view.draft;
}

/** Another way of answering took over: what was shown so far is void. */
function beginAgain(view) {
  view.article.querySelector("[data-text]").replaceChildren();
  view.draft = null;
}

/** What of the draft comes after the sentence that is finished now. */
function withoutSentence(text, finished) {
  const plain = (part) => part.replace(/\[\d+\]|\s/g, "");
  const wanted = plain(finished);
  if (!plain(text).startsWith(wanted)) return "";
  let at = 0;
  while (at < text.length && plain(text.slice(0, at)).length < wanted.length) at += 1;
  return text.slice(at).replace(/^(\s*\[\d+\])+/, "");
}

function sentence(view, event) {
  const span = make("span", "sentence", event.text);
  span.dataset.testid = "answer-sentence";
  for (const n of event.citations) {
    if (view.citations.has(n)) span.append(chip(view.citations.get(n)));
  }
  if (!event.supported) {
    span.classList.add("is-unsupported");
    const flag = make("span", "unsupported", words.textUnsupported);
    flag.dataset.testid = "unsupported";
    span.append(flag);
  }
  return span;
}

function chip(citation) {
  const link = make("a", "citation", String(citation.n));
  link.href = passageAddress(citation);
  link.dataset.n = citation.n;
  link.dataset.opensPassage = "";
  link.dataset.testid = "citation";
  link.setAttribute("aria-label", `${citation.n}: ${origin(citation)}`);
  return link;
}

function sourceLine(citation) {
  const item = make("li", "source");
  item.dataset.source = citation.n;
  item.dataset.testid = "source";
  const number = make("span", "source-n", String(citation.n));
  number.setAttribute("aria-hidden", "true");
  const body = make("div", "grow");
  const link = make("a", "");
  link.href = passageAddress(citation);
  link.dataset.opensPassage = "";
  const from = make("span", "", origin(citation));
  from.dataset.sourceFrom = "";
  link.append(from);
  const text = make("p", "source-text", citation.quote);
  text.dataset.sourceText = "";
  body.append(link, text);
  item.append(number, body);
  return item;
}

function origin(citation) {
  return citation.document ? `${citation.document.title}, ${words.textPage} ${citation.page}` : "";
}

function passageAddress(citation) {
  if (!citation.document) return "#";
  const query = new URLSearchParams({ page: citation.page, chunk: citation.chunk });
  if (citation.end > citation.start) {
    query.set("start", citation.start);
    query.set("end", citation.end);
  }
  for (const [page, ...edges] of citation.boxes || []) {
    if (page === citation.page) query.append("box", edges.map((edge) => edge.toFixed(1)).join(","));
  }
  return `/documents/${citation.document.id}/?${query}#mark`;
}

async function finish(view, event) {
  const held = view.article.contains(document.activeElement);
  end(view);
  announce(event.abstained ? words.textAbstained : event.state === "stopped" ? words.textStopped : words.textDone);
  // The stored answer, as the server shows it: the same as after a reload.
  const id = view.article.dataset.answer;
  await htmx.ajax("GET", `/ask/${id}/`, { target: view.article, swap: "outerHTML show:none" });
  if (held) field.focus({ preventScroll: true });
  await htmx.ajax("GET", `/conversations/links/?current=${form.elements.conversation.value}`, { target: "#talks-found", swap: "innerHTML" });
  document.querySelector("[data-talks]").hidden = false;
}

function end(view) {
  view.article.dataset.state = "done";
  view.draft?.remove();
  view.draft = null;
  tell(view, "");
  const button = view.article.querySelector("[data-stop]");
  if (button) button.hidden = true;
}

function lost(view, question) {
  end(view);
  if (!field.value) field.value = question;
  handlers.error(view, { detail: words.textBroken });
}

function tell(view, text) {
  const line = view.article.querySelector("[data-state-line]");
  if (!line) return;
  line.hidden = !text;
  line.querySelector("[data-state-text]").textContent = text;
}

function announce(text) {
  news.textContent = text;
}

function make(name, className, text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.textContent = visible(text);
  return element;
}

/** Without what hides in text or turns it, until the server shows the whole answer (documents/invisible.py). */
function visible(text) {
  return text.replace(/[\u00ad\u200b\u2060-\u206f\u202a-\u202e\ufeff\u{e0000}-\u{e007f}]/gu, "");
}

// --- The end of the answer stays in sight while it grows, unless the reader looks elsewhere -----------------

let following = false;
let scrolled = scrollY;

function keepUp() {
  if (following) thread.querySelector("article:last-of-type").scrollIntoView({ block: "end" });
}

function endInSight() {
  return thread.querySelector("article:last-of-type").getBoundingClientRect().bottom < form.getBoundingClientRect().top + 1;
}

addEventListener("scroll", () => {
  if (following && scrollY < scrolled && !endInSight()) following = false;
  scrolled = scrollY;
}, { passive: true });

new ResizeObserver(keepUp).observe(thread);
new ResizeObserver(() => document.documentElement.style.setProperty("--composer", `${form.offsetHeight}px`)).observe(form);

// --- The form -----------------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});

field.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-opens-passage]")) following = false;
  const offered = event.target.closest("[data-follow-up]");
  if (!offered) return;
  field.value = offered.textContent.trim();
  ask();
  field.focus({ preventScroll: true });
});

for (const list of document.querySelectorAll("[data-talks]")) {
  list.open = matchMedia("(min-width: 60rem)").matches;
}

// Entries of the history around an open passage (passage.js) carry the address of before the last question.
addEventListener("popstate", () => address && history.replaceState(history.state, "", address));

// --- On arrival: take up what is still running; ask what another page of ours sent here ------------

for (const article of document.querySelectorAll("[data-answer][data-state=running]")) {
  if (article.dataset.answer) run(article, { answer: article.dataset.answer });
}
const here = new URLSearchParams(location.search);
if (here.has("go") && document.referrer.startsWith(`${location.origin}/`)) ask();
const current = location.pathname.match(/^\/ask\/([0-9a-f-]+)\/$/);
if (current && !location.hash) document.getElementById(`answer-${current[1]}`)?.scrollIntoView();
reveal();
