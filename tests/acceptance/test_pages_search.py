"""The page of results in a browser: as one types, by keys, without JavaScript, and when nothing answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.acceptance.browsing import is_error, sign_in
from tests.acceptance.conftest import Portal, wait_for

pytestmark = pytest.mark.acceptance

FIELD, HIT = "[data-testid=search-input]", "[data-testid=search-result]"
LINK = "[data-testid=result-link]"
QUARRIES = [
    f"The slate quarry of Nordvik number {n} was opened in 19{n:02}. It is deep." for n in range(10, 23)
]


@pytest.fixture(scope="module")
def quarries(portal: Portal) -> None:
    """Documents to find, and what the first search waits for: the model is loaded."""
    with portal.client() as client:
        sent = [
            client.post("documents/", files={"file": (f"quarry-{n}.txt", text.encode())}).json()["id"]
            for n, text in enumerate(QUARRIES)
        ]
        for pk in sent:
            wait_for(lambda pk=pk: client.get(f"documents/{pk}/").json()["status"] == "ready", 60)
        client.get("search/", params={"q": "slate quarry"})


@pytest.fixture
def page(portal: Portal, quarries: None, browser: Any) -> Any:
    opened = browser.new_context(locale="en-GB").new_page()
    opened.problems = []
    opened.on("pageerror", lambda error: opened.problems.append(str(error)))
    opened.on("console", lambda line: opened.problems.append(line.text) if is_error(line) else None)
    sign_in(opened, portal)
    opened.goto(f"{portal.address}/search/")
    return opened


def asked_by(page: Any) -> list[str]:
    """The queries that the page sends, as it sends them."""
    sent: list[str] = []

    def note(request: Any) -> None:
        address = urlsplit(request.url)
        if address.path == "/search/" and request.resource_type in ("xhr", "fetch"):
            sent.append(parse_qs(address.query).get("q", [""])[0])

    page.on("request", note)
    return sent


def test_results_come_as_one_types(page: Any) -> None:
    sent, visited = asked_by(page), page.evaluate("history.length")
    page.locator(FIELD).press_sequentially("s", delay=30)
    page.wait_for_timeout(600)
    assert sent == []
    page.locator(FIELD).press_sequentially("late quarry", delay=30)
    page.locator(HIT).first.wait_for()
    assert sent == ["slate quarry"]
    expect(page.locator("[data-search-news]")).to_have_text("The 10 best passages")
    assert page.url.endswith("/search/?q=slate+quarry")
    assert page.title().startswith("slate quarry")
    assert page.locator(f"{HIT} mark").first.inner_text().casefold() in ("slate", "quarry")
    page.locator(FIELD).blur()
    page.wait_for_timeout(500)
    assert sent == ["slate quarry"]
    page.check("[data-testid=mode-keyword]")
    page.wait_for_url("**/search/?q=slate+quarry&mode=keyword")
    assert page.evaluate("history.length") == visited
    page.locator("[data-testid=why-this] summary").first.click()
    expect(page.locator(".reasons").first).to_contain_text("by words")
    page.locator("[data-testid=more-results]").click()
    expect(page.locator(HIT)).to_have_count(13)
    expect(page.locator(LINK).nth(10)).to_be_focused()
    assert page.problems == []


def test_an_older_request_is_let_go(page: Any) -> None:
    waiting: list[Any] = []
    page.route("**/search/?q=slate**", lambda route: waiting.append(route))
    page.fill(FIELD, "slate")
    wait_for(lambda: page.wait_for_timeout(50) or waiting, 10)
    page.fill(FIELD, "quarry 12")
    page.locator(HIT).first.wait_for()
    assert page.url.endswith("?q=quarry+12")
    assert waiting[0].request.failure == "net::ERR_ABORTED"


def test_results_are_walked_by_keys(page: Any) -> None:
    page.fill(FIELD, "slate quarry")
    page.locator(HIT).nth(1).wait_for()
    page.press(FIELD, "ArrowDown")
    expect(page.locator(LINK).nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(LINK).nth(1)).to_be_focused()
    outline = "element => getComputedStyle(element.closest('li')).outlineStyle"
    assert page.locator(LINK).nth(1).evaluate(outline) == "solid"
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(page.locator(FIELD)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("o")
    page.wait_for_url("**/documents/**")
    expect(page.locator("[data-testid=passage-mark]").first).to_be_visible()


def test_a_search_that_is_not_answered_says_so(page: Any) -> None:
    page.fill(FIELD, "slate quarry")
    page.locator(HIT).first.wait_for()
    page.route("**/search/?q=nordvik**", lambda route: route.abort())
    page.fill(FIELD, "nordvik")
    page.locator("[data-testid=search-failed]").wait_for()
    assert page.locator(HIT).count() == 10
    page.unroute("**/search/?q=nordvik**")
    page.press(FIELD, "Enter")
    expect(page.locator("[data-testid=search-failed]")).to_be_hidden()


def test_search_without_javascript(portal: Portal, quarries: None, browser: Any) -> None:
    page = browser.new_context(java_script_enabled=False, locale="en-GB").new_page()
    sign_in(page, portal)
    page.goto(f"{portal.address}/search/")
    page.fill(FIELD, "slate quarry")
    page.press(FIELD, "Enter")
    page.wait_for_selector(HIT)
    assert page.locator(HIT).count() == 10
    page.locator("[data-testid=facets] a", has_text="Text").first.click()
    page.locator("[data-testid=chips]").wait_for()
    page.locator("[data-testid=why-missing] summary").click()
    page.fill("[data-testid=why-not-find]", "quarry-3")
    page.press("[data-testid=why-not-find]", "Enter")
    page.locator("[data-testid=trace]").wait_for()
    page.goto(f"{portal.address}/search/?q=slate+quarry")
    page.locator(LINK).first.click()
    page.locator("[data-testid=passage-mark]").first.wait_for()
