// Requests to the portal's own API: the session's CSRF token, and problems as sentences.

export function csrf() {
  const field = document.querySelector("input[name=csrfmiddlewaretoken]");
  return field ? field.value : "";
}

/** What the API says is English, but for pages, which show it to people: they say in which language. */
export const PAGE_LANGUAGE = { "X-Page-Language": document.documentElement.lang };

export async function getJSON(url, signal) {
  const response = await fetch(url, { headers: { Accept: "application/json", ...PAGE_LANGUAGE }, signal });
  if (!response.ok) throw Object.assign(new Error(String(response.status)), { status: response.status });
  return response.json();
}

/** The sentence in a problem+json body, or the fallback. */
export function problemText(body, fallback) {
  try {
    const problem = typeof body === "string" ? JSON.parse(body) : body;
    return problem.detail || problem.title || fallback;
  } catch {
    return fallback;
  }
}

export function socketAddress(path) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${location.host}${path}?language=${document.documentElement.lang}`;
}
