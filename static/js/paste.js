// What is pasted, as files: those on the clipboard, or its plain text as a file of its own.

const TITLE_LENGTH = 60;
const TYPED_IN = "input, textarea, select, [contenteditable]";

/** [{file, path}] of a paste event; nothing while somebody writes. Names say when it was pasted. */
export function pasted(event) {
  if (event.target.closest?.(TYPED_IN) && !event.clipboardData.files.length) return [];
  const files = [...event.clipboardData.files].map(named);
  const text = event.clipboardData.getData("text/plain").trim();
  const found = files.length || !text ? files : [textFile(text)];
  return found.map((file) => ({ file, path: "" }));
}

/** A picture from the clipboard is called image.png, like every other one. */
function named(file) {
  if (!/^image\.\w+$/.test(file.name)) return file;
  const stamp = new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".");
  return new File([file], file.name.replace("image", `Picture ${stamp}`), { type: file.type });
}

function textFile(text) {
  const first = text.split("\n", 1)[0].replace(/[\\/:*?"<>|.\s]+/g, " ").trim().slice(0, TITLE_LENGTH) || "Text";
  return new File([text], `${first}.txt`, { type: "text/plain" });
}
