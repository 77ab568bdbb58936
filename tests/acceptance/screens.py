"""Every screen and the states it can be in: looked at by axe, by the validator, and as pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.acceptance.world import PASSWORD, World

THEMES = ("light", "dark")
WIDTHS = (360, 1440)
HEIGHT = 900


@dataclass(frozen=True, slots=True)
class Screen:
    """``then`` brings the page that was opened into the state; ``status`` is what the page answers."""

    name: str
    path: str
    who: str = "alice"
    then: Callable[[Any], None] | None = None
    status: int = 200


def screens(world: World) -> list[Screen]:
    missing = "/documents/00000000-0000-4000-8000-000000000000/"
    return [
        Screen("sign-in", "/login/", who=""),
        Screen("sign-in-wrong", "/login/", who="", then=wrong_password),
        Screen("not-found-signed-out", "/nowhere/", who="", status=404),
        Screen("home", "/"),
        Screen("home-empty", "/", who="charlie"),
        Screen("keys", "/", then=show_keys),
        Screen("account-menu", "/", then=open_account_menu),
        Screen("documents", "/documents/?view=table"),
        Screen("documents-empty", "/documents/", who="charlie"),
        Screen("documents-none-match", "/documents/?q=zeppelin"),
        Screen("documents-many", "/documents/?view=table", who="dora"),
        Screen("documents-grid", "/documents/?view=grid"),
        Screen("documents-many-grid", "/documents/?view=grid&tag=board&page=3", who="dora"),
        Screen("documents-chosen", "/documents/?view=table", then=choose_documents),
        Screen("documents-tagged", "/documents/?view=table", then=tag_chosen),
        Screen("documents-as-member", "/documents/", who="bob"),
        Screen("document-pictured", world.report),
        Screen("document-find", f"{world.report}?find=crane"),
        Screen("document-field", world.report, then=edit_title),
        Screen("document-similar", f"{world.report}similar/"),
        Screen("document-history", f"{world.report}history/"),
        Screen("document-text", world.notes),
        Screen("document-failed", world.broken),
        Screen("document-long-title", world.long),
        Screen("document-as-member", world.report, who="bob"),
        Screen("document-as-stranger", world.report, who="charlie", status=404),
        Screen("document-delete", f"{world.notes}delete/"),
        Screen("not-found", missing, status=404),
        Screen("search-start", "/search/"),
        Screen("search-results", "/search/?q=crane+service"),
        Screen("search-keys", "/search/?q=crane", then=walk_results),
        Screen("search-nothing", "/search/?q=zzyzx+qwv&mode=keyword"),
        Screen("search-empty-portal", "/search/?q=crane", who="charlie"),
        Screen("why", f"/search/why/?q=crane&document={world.notes.split('/')[2]}"),
        Screen("explain", "/search/explain/?q=crane", who="admin"),
        Screen("ask-start", "/ask/"),
        Screen("ask-start-empty", "/ask/", who="charlie"),
        Screen("answer", world.conversation),
        Screen("answer-passage", world.conversation, then=open_passage),
        Screen("answer-refused", world.refused),
        Screen("answer-alone", world.answered),
        Screen("answer-as-stranger", world.answered, who="charlie", status=404),
        Screen("receipt", f"{world.answered}receipt/"),
        Screen("collections", "/collections/"),
        Screen("collection", "/collections/harbour-works/"),
        Screen("collection-as-member", "/collections/harbour-works/", who="bob"),
        Screen("collection-as-stranger", "/collections/harbour-works/", who="charlie", status=404),
        Screen("collections-empty", "/collections/", who="charlie"),
        Screen("account", "/account/"),
        Screen("account-token", "/account/", who="bob", then=make_token),
        Screen("password", "/account/password/"),
        Screen("api-docs", "/api/v1/docs/"),
        Screen("admin-dashboard", "/admin/", who="admin"),
        Screen("admin-documents", "/admin/documents/document/", who="admin"),
    ]


def wrong_password(page: Any) -> None:
    page.fill("input[name=username]", "alice")
    page.fill("input[name=password]", "not-this-one")
    page.press("input[name=password]", "Enter")
    page.wait_for_selector("[role=alert], .errorlist, .note-bad")


def show_keys(page: Any) -> None:
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")


def open_account_menu(page: Any) -> None:
    page.click("[data-testid=account-menu]")


def choose_documents(page: Any) -> None:
    for box in page.locator("[data-testid=document-row] input[type=checkbox]").all()[:2]:
        box.check()


def tag_chosen(page: Any) -> None:
    choose_documents(page)
    page.fill("[data-testid=bulk] input[name=tag]", "seen")
    page.click("[data-testid=bulk-tag]")
    page.wait_for_selector("[data-testid=toast]")
    page.wait_for_load_state("networkidle")


def edit_title(page: Any) -> None:
    page.locator("[data-testid=edit-title]").first.click()
    page.wait_for_selector("input[name=title]")


def walk_results(page: Any) -> None:
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")


def make_token(page: Any) -> None:
    page.fill("input[name=name]", "reports")
    page.press("input[name=name]", "Enter")
    page.wait_for_selector(".secret")


def open_passage(page: Any) -> None:
    page.locator("[data-testid=citation]").first.click()
    page.wait_for_selector("[data-testid=passage-panel] .reader")


class Looker:
    """Opens screens in one browser, in one signed-in context for each person."""

    def __init__(self, browser: Any, world: World) -> None:
        self.browser, self.world = browser, world
        self.contexts: dict[str, Any] = {}

    @contextmanager
    def looking(self, screen: Screen, width: int) -> Iterator[Any]:
        """The page in its state, settled, in the light theme."""
        page = self.context(screen.who).new_page()
        page.set_viewport_size({"width": width, "height": HEIGHT})
        answer = page.goto(self.world.portal.address + screen.path, wait_until="load")
        assert answer.status == screen.status, f"{screen.name}: {answer.status}"
        if screen.then:
            screen.then(page)
        page.wait_for_selector(".htmx-request", state="detached")
        yield page
        page.close()

    def context(self, who: str) -> Any:
        if who not in self.contexts:
            self.contexts[who] = self.browser.new_context(
                color_scheme="light", locale="en-GB", reduced_motion="reduce"
            )
            if who:
                self.sign_in(self.contexts[who], who)
        return self.contexts[who]

    def sign_in(self, context: Any, who: str) -> None:
        portal = self.world.portal
        page = context.new_page()
        page.goto(f"{portal.address}/login/")
        page.fill("input[name=username]", who)
        password = portal.environment["ADMIN_PASSWORD"] if who == "admin" else PASSWORD
        page.fill("input[name=password]", password)
        page.press("input[name=password]", "Enter")
        page.wait_for_url(lambda url: "login" not in url)
        page.close()
