// Light, dark or as the system: kept in a cookie, so that the server writes it into the page and nothing flashes.
// Without this script the buttons send a form that does the same.

const YEAR_SECONDS = 31536000;

for (const button of document.querySelectorAll("[data-theme-choice]")) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    choose(button.value);
    closeMenus((menu) => menu.contains(button));
  });
}

function choose(theme) {
  const own = theme !== "system";
  if (own) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  document.querySelector("meta[name=color-scheme]").content = own ? theme : "light dark";
  document.cookie = `theme=${own ? theme : ""}; path=/; max-age=${own ? YEAR_SECONDS : 0}; samesite=lax`;
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
}

// A menu closes when something else is clicked, and on Escape.
document.addEventListener("click", (event) => closeMenus((menu) => !menu.contains(event.target)));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && closeMenus(() => true)) event.preventDefault();
});

/** Whether there were any. */
function closeMenus(which) {
  let closed = false;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!which(menu)) continue;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
    closed = true;
  }
  return closed;
}

// A form to fill in that is unfolded by its summary has the focus in its first field.
document.addEventListener("click", (event) => {
  const details = event.target.closest("summary")?.parentElement;
  const field = details?.querySelector("form:not([role=search]) :is(input:not([type=hidden]), select, textarea)");
  if (field && !details.open) details.addEventListener("toggle", () => field.focus(), { once: true });
});
