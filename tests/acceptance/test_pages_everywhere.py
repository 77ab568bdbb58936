"""What every page has: notices that can be taken back, keys, the theme, and pages for errors."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.acceptance.browsing import sign_in
from tests.acceptance.conftest import Portal

pytestmark = pytest.mark.acceptance

TOAST = "[data-testid=toast]"
#: As an answer to htmx would by ``HX-Trigger``.
SAY = """([text, more]) => document.querySelector("main").dispatchEvent(
    new CustomEvent("toast", { detail: { text, ...more }, bubbles: true }))"""


@pytest.fixture
def page(portal: Portal, browser: Any) -> Any:
    opened = browser.new_context(locale="en-GB").new_page()
    sign_in(opened, portal)
    opened.goto(portal.address)
    return opened


def test_a_notice_is_announced_and_taken_back(page: Any) -> None:
    asked = []
    page.route("**/undo-of-a-test/", lambda route: (asked.append(route.request), route.fulfill(status=204)))
    page.evaluate("document.body.addEventListener('documents:changed', () => { window.changed = true })")
    undo = {"url": "/undo-of-a-test/", "fields": {"document": ["a", "b"], "collection": "c"}}
    page.evaluate(SAY, ["Two documents were deleted.", {"tone": "good", "undo": undo}])
    assert page.locator("[role=status] " + TOAST).inner_text().startswith("Two documents were deleted.")
    page.keyboard.press("z")
    expect(page.locator(TOAST)).to_contain_text("Undone.")
    assert asked[0].post_data == "document=a&document=b&collection=c"
    assert len(asked[0].headers["x-csrftoken"]) > 30
    assert page.evaluate("window.changed")


def test_a_notice_that_is_read_stays(page: Any) -> None:
    page.clock.install()
    page.reload()
    page.evaluate(SAY, ["It stays while it holds the focus.", {"undo": {"url": "/x/"}}])
    page.clock.run_for(8_000)
    page.locator("[data-testid=toast-undo]").focus()
    page.clock.run_for(60_000)
    expect(page.locator(TOAST)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(TOAST)).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "content"
    page.evaluate(SAY, ["It goes by itself.", {"undo": {"url": "/x/"}}])
    page.clock.run_for(11_000)
    expect(page.locator(TOAST)).to_have_count(0)


def test_undo_that_fails_says_so(page: Any) -> None:
    page.evaluate(SAY, ["Deleted.", {"undo": {"url": "/there-is-no-such-address/"}}])
    page.locator("[data-testid=toast-undo]").click()
    expect(page.locator(f"{TOAST}[data-tone=bad]")).to_contain_text("That did not work.")


def test_keys_go_places_and_are_listed(portal: Portal, page: Any) -> None:
    for keys, path in (
        ("gd", "/documents/"),
        ("gs", "/search/"),
        ("ga", "/ask/"),
        ("gc", "/collections/"),
        ("gh", "/"),
    ):
        page.locator("main").focus()
        page.keyboard.type(keys)
        page.wait_for_url(f"{portal.address}{path}")
    page.goto(f"{portal.address}/collections/")
    page.keyboard.press("?")
    listed = page.locator("[data-testid=keys]")
    expect(listed).to_be_visible()
    assert {"Documents", "Collections", "Start"} <= set(listed.locator("dd").all_inner_texts())
    page.keyboard.type("gd")
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    assert page.url.endswith("/collections/"), "a dialog has the keyboard to itself"
    page.keyboard.press("Control+/")
    page.keyboard.press("/")
    page.wait_for_url(f"{portal.address}/search/")


def test_keys_are_letters_in_a_field_and_can_be_switched_off(portal: Portal, page: Any) -> None:
    page.keyboard.press("/")
    box = page.locator("[data-testid=home-input]")
    expect(box).to_be_focused()
    page.keyboard.type("gd/?")
    expect(box).to_have_value("gd/?")
    page.locator("[data-testid=account-menu]").click()
    page.locator("[data-testid=keys-open]").click()
    page.locator("[data-keys-on]").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("?")
    page.keyboard.type("gd")
    expect(page.locator("[data-testid=keys]")).to_be_hidden()
    assert page.url == f"{portal.address}/"


def test_escape_leaves_a_field_as_it_is(portal: Portal, page: Any) -> None:
    page.keyboard.press("/")
    box = page.locator("[data-testid=home-input]")
    box.fill("ferry")
    page.locator("[data-testid=theme-menu]").evaluate("summary => (summary.parentElement.open = true)")
    page.keyboard.press("Escape")
    expect(page.locator("[data-theme-choice]").first).to_be_hidden()
    expect(box).to_be_focused()
    page.keyboard.press("Escape")
    expect(box).not_to_be_focused()
    expect(box).to_have_value("ferry")
    page.keyboard.press("?")
    expect(page.locator("[data-testid=keys]")).to_contain_text("Other pages have keys of their own")
    page.keyboard.press("Escape")
    page.keyboard.type("gd")
    page.wait_for_url(f"{portal.address}/documents/")


def test_a_form_that_is_unfolded_has_the_focus(portal: Portal, page: Any) -> None:
    page.goto(f"{portal.address}/collections/")
    page.keyboard.press("n")
    expect(page.locator("#id_name")).to_be_focused()


def test_the_theme_menu_closes_when_one_is_chosen(page: Any) -> None:
    page.locator("[data-testid=theme-menu]").click()
    page.locator("[data-theme-choice][value=dark]").click()
    expect(page.locator("[data-theme-choice][value=dark]")).to_be_hidden()
    expect(page.locator("[data-testid=theme-menu]")).to_be_focused()


@pytest.mark.parametrize("script", [True, False])
def test_three_themes_without_a_flash(portal: Portal, browser: Any, script: bool) -> None:
    context = browser.new_context(color_scheme="dark", java_script_enabled=script, base_url=portal.address)
    page = context.new_page()
    page.goto("/login/")
    dark = ground(page)
    assert choose(page, "light") != dark
    sent = context.request.get("/login/").text()
    assert 'data-theme="light"' in sent, "the server writes it into the page: nothing flashes"
    assert choose(page, "dark") == dark
    assert choose(page, "system") == dark
    assert "theme" not in {cookie["name"] for cookie in context.cookies()}
    page.emulate_media(color_scheme="light")
    assert ground(page) != dark


def choose(page: Any, theme: str) -> Any:
    if not page.locator("[data-theme-choice]").first.is_visible():
        page.locator("[data-testid=theme-menu]").click()
    page.locator(f"[data-theme-choice][value={theme}]").first.click()
    expect(page.locator(f"[data-theme-choice][value={theme}]").first).to_have_attribute(
        "aria-pressed", "true"
    )
    return ground(page)


def ground(page: Any) -> Any:
    """The colour of the page, as it is painted: a picture of one pixel."""
    return page.screenshot(clip={"x": 5, "y": 300, "width": 1, "height": 1})


def test_the_admin_follows_the_theme_until_it_has_its_own(portal: Portal, page: Any) -> None:
    page.context.add_cookies([{"name": "theme", "value": "dark", "url": portal.address}])
    page.goto(f"{portal.address}/admin/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator(".theme-toggle").click()
    expect(page.locator("html")).not_to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).not_to_have_attribute("data-theme", "dark")


def test_a_narrow_page_does_not_scroll_sideways_and_targets_are_large(portal: Portal, browser: Any) -> None:
    page = browser.new_context(viewport={"width": 360, "height": 740}, base_url=portal.address).new_page()
    sign_in(page, portal)
    for address in ("/", "/collections/", "/account/", "/account/password/", "/nothing/", "/api/v1/docs/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
        assert page.evaluate(SMALL) == [], address


#: Buttons and fields below 24 by 24 pixels, and links that stand alone.
SMALL = """[...document.querySelectorAll(
    "button, summary, input:not([type=hidden]), select, nav a, .button, li > a")]
  .filter((each) => each.checkVisibility() && !each.closest("label"))
  .map((each) => [each.outerHTML.slice(0, 90), each.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.width < 24 || box.height < 24)).map(([html]) => html)"""


def test_the_content_is_the_first_stop(page: Any) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_a_lost_page_searches_on(portal: Portal, page: Any) -> None:
    page.goto(f"{portal.address}/there/was/something/")
    page.keyboard.press("/")
    page.keyboard.type("ferry")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{portal.address}/search/?q=ferry")
