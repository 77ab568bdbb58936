// An answer with its sources, or its address, to the clipboard. Where there is none, the links lead there.

const news = document.querySelector("[data-news]");
const SHOWN_MS = 2000;

document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-copy-text], [data-copy-link]");
  if (!link || !navigator.clipboard || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    await ("copyText" in link.dataset ? copyFrom(link.href) : navigator.clipboard.writeText(link.href));
    confirm(link, news.dataset.textCopied);
  } catch {
    confirm(link, news.dataset.textNotCopied);
  }
});

/** The clipboard is given a promise: some browsers let it be written only in the very moment of the click. */
function copyFrom(address) {
  const text = fetch(address).then(async (response) => {
    if (!response.ok) throw new Error(String(response.status));
    return new Blob([await response.text()], { type: "text/plain" });
  });
  return navigator.clipboard.write([new ClipboardItem({ "text/plain": text })]);
}

function confirm(link, text) {
  const label = link.querySelector("span");
  link.dataset.label ??= label.textContent;
  label.textContent = text;
  label.classList.add("is-told");
  news.textContent = text;
  setTimeout(() => {
    label.textContent = link.dataset.label;
    label.classList.remove("is-told");
  }, SHOWN_MS);
}
