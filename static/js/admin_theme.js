// The admin keeps light or dark where the portal's pages do not. It follows their cookie; a choice by the admin's own
// switch holds until theirs changes. Runs before the admin's own script, so that nothing flashes.
{
  const chosen = (document.cookie.match(/(?:^|;\s*)theme=(light|dark)/) || [])[1] || "auto";
  if (localStorage.getItem("portal-theme") !== chosen) {
    localStorage.setItem("portal-theme", chosen);
    localStorage.setItem("theme", chosen);
  }
}
