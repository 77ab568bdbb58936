// The page of a document around its reader: fields edited in place, the link to what is shown.

const copier = "[data-copy-link]";

/** Fields that are being edited are not swapped away by news of the document. */
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.matches("[data-refreshes]") && document.querySelector("[data-refreshes] [data-field-form]")) event.preventDefault();
});

/** After the form the focus is where it came from. */
let edited = "";
document.body.addEventListener("htmx:beforeRequest", ({ detail }) => {
  const form = detail.elt.closest("[data-field-form]");
  if (form) edited = form.querySelector("[data-field-name]").dataset.fieldName;
});
document.body.addEventListener("htmx:afterSettle", () => {
  ready();
  if (!edited || document.querySelector("[data-field-form]")) return;
  document.getElementById(`edit-${edited}`)?.focus({ preventScroll: true });
  edited = "";
});

/** A form that has just opened has the focus, once its links are htmx's; Escape closes it. */
document.body.addEventListener("htmx:afterSettle", ({ detail }) => {
  const own = detail.elt.matches?.("[data-field-form]") ? detail.elt : null;
  (own || detail.target.querySelector?.("[data-field-form]"))?.querySelector("[aria-invalid=true], input:not([type=hidden], [type=checkbox]), select, textarea")?.focus();
});
document.addEventListener("keydown", (event) => {
  const form = event.key === "Escape" && event.target.closest?.("[data-field-form]");
  if (form) form.querySelector("[data-field-cancel]").click();
});

/** What an undo has changed is shown anew. */
let undoing = false;
document.addEventListener("click", (event) => (undoing ||= Boolean(event.target.closest?.("[data-toast-undo]"))));
document.body.addEventListener("documents:changed", () => {
  if (!undoing) return;
  undoing = false;
  htmx.trigger("#document-head", "document:edited");
});

// --- The link to this page, and to the passage that is marked on it ---------------------------------------

function ready() {
  if (navigator.clipboard) for (const button of document.querySelectorAll(copier)) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.(copier);
  if (!button) return;
  await navigator.clipboard.writeText(location.href);
  document.body.dispatchEvent(new CustomEvent("toast", { detail: { text: button.dataset.textCopied, tone: "good" } }));
});

ready();
