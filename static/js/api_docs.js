// "Try it": sends what the form says, as whoever is signed in, and shows the answer as it is.

const SHOWN = 20000;

const csrfToken = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";

const filled = (form, place) =>
  [...form.querySelectorAll(`[data-in="${place}"]`)].filter((input) => input.value !== "");

const address = (form) => {
  let path = form.dataset.path;
  for (const input of filled(form, "path")) {
    path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
  }
  const query = new URLSearchParams(filled(form, "query").map((input) => [input.name, input.value]));
  return query.size ? `${path}?${query}` : path;
};

// Numbers, lists and objects are written as in JSON; lists may also be words with commas.
const value = (input) => {
  const { type } = input.dataset;
  if (type === "array" && !input.value.startsWith("[")) return input.value.split(",").map((word) => word.trim());
  if (["array", "integer", "number", "boolean", "object"].includes(type)) {
    try { return JSON.parse(input.value); } catch { return input.value; }
  }
  return input.value;
};

const body = (form) => {
  const inputs = filled(form, "body");
  if (!form.dataset.body) return undefined;
  if (form.dataset.body === "multipart/form-data") {
    const parts = new FormData();
    for (const input of inputs) parts.append(input.name, input.files ? input.files[0] : input.value);
    return parts;
  }
  return JSON.stringify(Object.fromEntries(inputs.map((input) => [input.name, value(input)])));
};

const headers = (form) => {
  const given = Object.fromEntries(filled(form, "header").map((input) => [input.name, input.value]));
  if (form.dataset.body && form.dataset.body !== "multipart/form-data") given["Content-Type"] = "application/json";
  if (form.dataset.method !== "GET") given["X-CSRFToken"] = csrfToken();
  return given;
};

const readable = async (response) => {
  const type = response.headers.get("Content-Type") ?? "";
  if (!/json|text/.test(type)) return `(${type || "no content"})`;
  const text = await response.text();
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
};

const run = async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const shown = form.querySelector("[data-answer]");
  shown.hidden = false;
  shown.textContent = "…";
  try {
    const response = await fetch(address(form), {
      method: form.dataset.method, headers: headers(form), body: body(form), credentials: "same-origin",
    });
    shown.textContent = `${response.status} ${response.statusText}\n${await readable(response)}`.slice(0, SHOWN);
  } catch (error) {
    shown.textContent = String(error);
  }
};

for (const form of document.querySelectorAll("[data-try]")) {
  form.addEventListener("submit", run);
  form.querySelector("[data-run]").hidden = false;
}
