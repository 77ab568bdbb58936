// The files behind what was chosen or dropped: whole folders, each file with its path inside them.

// Hidden files, those still being written, leftovers of programs: the server's own rule (documents/folders.py).
const PASSED_OVER = new RegExp(document.querySelector("[data-upload]").dataset.passedOver, "iu");

/** Of a file input: [{file, path}]; ``path`` is empty for a file that was chosen by itself. */
export function chosen(files) {
  return [...files].map((file) => ({ file, path: file.webkitRelativePath || "" })).filter(isMeant);
}

/** Of a drop. The browser forgets what was dropped as soon as the event is over: called in it, awaited later. */
export function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() || item.getAsFile()).filter(Boolean);
  return Promise.all(entries.map(walk)).then((found) => found.flat());
}

async function walk(entry) {
  if (entry instanceof File) return [{ file: entry, path: "" }];
  const path = inside(entry.fullPath);
  if (!isMeant({ path })) return [];
  if (entry.isFile) return [await opened(entry, path)];
  const found = [];
  for (const child of await children(entry)) found.push(...(await walk(child)));
  return found;
}

/** Null for a file that the browser cannot read: it is shown as refused, not left out in silence. */
async function opened(entry, path) {
  const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
  return { file, path, name: entry.name };
}

async function children(folder) {
  const reader = folder.createReader();
  const found = [];
  // A reader gives at most a hundred at a time, and then none.
  for (;;) {
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return found;
    found.push(...some);
  }
}

function inside(fullPath) {
  const path = fullPath.replace(/^\//, "");
  return path.includes("/") ? path : "";
}

/** What was chosen by itself is meant, whatever it is called: it has no path. */
function isMeant({ path }) {
  return !PASSED_OVER.test(path);
}
