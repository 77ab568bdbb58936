"""The page that answers, in a browser: streams that are cut, left and stopped; citations, copies, follow-ups.

The language model says a few words and then waits, so that every test meets an answer in its middle.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.acceptance.browsing import is_error, sign_in
from tests.acceptance.conftest import Portal, portal_of_its_own, wait_for
from tests.search.language_model import Model, serving

pytestmark = pytest.mark.acceptance

FIRST = "The lighthouse of Regen was built in 1871"
SECOND = "Its lamp is seen for twenty miles in clear nights"
SAID = f"{FIRST} [1]. {SECOND} [1]."
KEEPER = "The keeper of Regen climbs 214 steps each night."
DOCUMENT = f"# Lighthouse\n\n{FIRST}. {SECOND}.\n\n## Keeper\n\n{KEEPER}\n"
QUESTION = "When was the lighthouse of Regen built?"
KEEPER_QUESTION = "How many steps does the keeper of Regen climb?"
PANEL, MARK = "[data-testid=passage-panel]", "[data-testid=passage-mark]"
SENTENCE, CITATION = "[data-testid=answer-sentence]", "[data-testid=citation]"
NEWS = """() => {
  window.told = [];
  const news = document.querySelector("[data-news]");
  new MutationObserver(() => told.push(news.textContent)).observe(news, { childList: true });
}"""
#: By how much the last answer reaches under the composer.
BELOW = """() => [...document.querySelectorAll("[data-testid=answer]")].at(-1).getBoundingClientRect().bottom
  - document.querySelector("[data-ask-form]").getBoundingClientRect().top"""
NINA = (
    "from django.contrib.auth.models import User; User.objects.create_user('nina', password='nina-password')"
)
LIVE = """() => [...document.querySelectorAll("[aria-live], [role=status], [role=log], [role=alert]")]
  .filter((element) => element.contains(document.querySelector("[data-text]"))).length"""


class Halting(list[str]):
    """Says the first sentence and a little more, and the rest when it may go on."""

    def __init__(self) -> None:
        super().__init__([f"{word} " for word in SAID.split()])
        self.may_go_on = threading.Event()

    def __iter__(self) -> Iterator[str]:
        for said, word in enumerate(super().__iter__()):
            if said == 11:
                self.may_go_on.wait(60)
            yield word


@pytest.fixture(scope="module")
def words() -> Halting:
    return Halting()


@pytest.fixture(scope="module")
def answering(words: Halting, used_before: Portal) -> Iterator[Portal]:
    given = {"LLM_MODEL": "small", "CACHE_TTL_SECONDS": "0"}
    with (
        serving(Model(words, pause=0.01)) as model,
        portal_of_its_own(used_before, LLM_BASE_URL=model.url, **given) as running,
    ):
        client = running.client()
        pk = client.post("documents/", files={"file": ("regen.md", DOCUMENT.encode())}).json()["id"]
        wait_for(lambda: client.get(f"documents/{pk}/").json()["status"] == "ready", 60)
        yield running
        words.may_go_on.set()


@pytest.fixture
def halted(words: Halting) -> Iterator[threading.Event]:
    """The model stops in the middle; to ``set`` this lets it go on."""
    words.may_go_on.clear()
    yield words.may_go_on
    words.may_go_on.set()


@pytest.fixture
def context(answering: Portal, browser: Any) -> Any:
    made = browser.new_context(locale="en-GB", permissions=["clipboard-read", "clipboard-write"])
    made.problems = []
    made.on("weberror", lambda error: made.problems.append(str(error.error)))
    made.on("console", lambda line: made.problems.append(line.text) if is_error(line) else None)
    sign_in(made.new_page(), answering)
    return made


def asked(page: Any, portal: Portal) -> None:
    page.goto(f"{portal.address}/ask/")
    page.evaluate(NEWS)
    page.fill("[data-testid=ask-input]", QUESTION)
    page.press("[data-testid=ask-input]", "Enter")
    page.locator(SENTENCE, has_text=FIRST).wait_for(timeout=30_000)


def whole(page: Any) -> None:
    """Each sentence once, as the stored answer has them."""
    page.locator("[data-testid=rate-up]").first.wait_for(timeout=30_000)
    expect(page.locator(SENTENCE)).to_have_count(2)
    expect(page.locator(SENTENCE).nth(0)).to_contain_text(FIRST)
    expect(page.locator(SENTENCE).nth(1)).to_contain_text(SECOND)


def test_a_socket_that_is_cut_is_taken_up_again(
    answering: Portal, context: Any, halted: threading.Event
) -> None:
    page = context.new_page()
    sockets: list[Any] = []
    sent: list[str] = []

    def opened(socket: Any) -> None:
        server = socket.connect_to_server()
        sockets.append(socket)
        socket.on_message(lambda message: (sent.append(message), server.send(message)))

    page.route_web_socket(re.compile("/ws/answers/"), opened)
    asked(page, answering)
    expect(page.locator(".draft")).to_contain_text("Its lamp")
    assert page.evaluate(LIVE) == 0
    sockets[0].close(code=1011)
    expect(page.locator("[data-state-text]")).to_contain_text("Connection lost")
    halted.set()
    whole(page)
    first, again = sent
    assert ('"type":"ask"' in first, '"type":"resume"' in again) == (True, True)
    assert page.evaluate("told") == ["Looking for an answer", "The answer is complete"]
    assert context.problems == []


def test_a_reload_and_a_second_tab_lose_nothing(
    answering: Portal, context: Any, halted: threading.Event
) -> None:
    page = context.new_page()
    asked(page, answering)
    second = context.new_page()
    second.goto(page.url)
    page.reload()
    for tab in (page, second):
        tab.locator(SENTENCE, has_text=FIRST).wait_for()
        expect(tab.locator(".draft")).to_contain_text("Its lamp")
    halted.set()
    for tab in (page, second):
        whole(tab)
    assert context.problems == []


def test_what_is_stopped_stays_and_is_asked_again(
    answering: Portal, context: Any, halted: threading.Event
) -> None:
    page = context.new_page()
    asked(page, answering)
    page.locator("[data-testid=stop]").click()
    page.get_by_text("Stopped before it was finished.").wait_for()
    expect(page.locator(SENTENCE).first).to_contain_text(FIRST)
    expect(page.locator("[data-testid=ask-input]")).to_be_focused()
    halted.set()
    page.locator("[data-testid=regenerate]").click()
    whole(page)
    page.locator("[data-testid=versions]").wait_for()


def test_an_answer_is_looked_into_copied_and_followed(
    answering: Portal, context: Any, words: Halting
) -> None:
    words.may_go_on.set()
    page = context.new_page()
    asked(page, answering)
    whole(page)
    citation, quote = page.locator(CITATION).first, page.locator("[data-testid=quote]")
    citation.hover()
    expect(quote).to_contain_text("1871")
    page.mouse.move(0, 0)
    expect(quote).to_be_hidden()

    page.locator("body").press("Tab")
    citation.focus()
    expect(quote).to_be_visible()
    assert citation.get_attribute("aria-describedby") == quote.get_attribute("id")
    page.keyboard.press("Escape")
    expect(quote).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("[data-testid=passage-panel] [data-testid=passage-mark]").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-testid=passage-panel]")).to_be_hidden()
    expect(citation).to_be_focused()

    page.locator("[data-testid=copy-answer]").click()
    expect(page.locator("[data-testid=copy-answer]")).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"## {QUESTION}\n\n{FIRST}. [1]")
    assert f"](<{answering.address}/documents/" in copied
    page.locator("[data-testid=copy-link]").click()
    wait_for(lambda: page.evaluate("navigator.clipboard.readText()") == page.url, 10)

    follow_up = page.locator("[data-testid=follow-up]", has_text="Keeper")
    follow_up.click()
    expect(page.locator("[data-testid=answer]")).to_have_count(2)
    page.locator("[data-testid=rate-up]").nth(1).wait_for(timeout=30_000)
    page.reload()
    expect(page.locator("[data-testid=answer]")).to_have_count(2)
    assert context.problems == []


def test_a_tap_opens_the_passage(answering: Portal, browser: Any, words: Halting) -> None:
    words.may_go_on.set()
    size = {"width": 360, "height": 740}
    page = browser.new_context(locale="en-GB", has_touch=True, is_mobile=True, viewport=size).new_page()
    sign_in(page, answering)
    asked(page, answering)
    whole(page)
    page.locator(CITATION).first.tap()
    expect(page.locator("[data-testid=passage-panel] [data-testid=passage-mark]").first).to_be_visible()
    expect(page.locator("[data-testid=quote]")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_back_closes_the_passage(answering: Portal, browser: Any, words: Halting) -> None:
    words.may_go_on.set()
    page = browser.new_context(locale="en-GB", viewport={"width": 360, "height": 740}).new_page()
    sign_in(page, answering)
    asked(page, answering)
    whole(page)
    panel, address, entries = page.locator(PANEL), page.url, page.evaluate("history.length")
    page.locator(CITATION).first.click()
    expect(panel).to_be_visible()
    page.go_back()
    expect(panel).to_be_hidden()
    expect(page.locator(CITATION).first).to_be_focused()
    assert page.url == address

    page.locator(CITATION).first.click()
    page.locator(CITATION).last.dispatch_event("click")
    page.reload()
    expect(panel.locator(MARK).first).to_be_visible()
    assert page.evaluate("history.length") == entries + 1, "one entry, whatever is opened in it"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    page.wait_for_function("history.state === null")
    page.go_forward()
    expect(panel.locator(MARK).first).to_be_visible()
    page.locator("[data-panel-close]").click()
    page.wait_for_function("history.state === null")
    page.go_back()
    page.wait_for_url(lambda url: url != address)


def test_the_head_of_the_passage_stays(answering: Portal, browser: Any, words: Halting) -> None:
    words.may_go_on.set()
    page = browser.new_context(locale="en-GB", viewport={"width": 360, "height": 400}).new_page()
    sign_in(page, answering)
    asked(page, answering)
    whole(page)
    page.locator(CITATION).first.click()
    body = page.locator("[data-panel-body]")
    expect(body.locator(MARK).first).to_be_visible()
    body.evaluate("body => { body.scrollTop = body.scrollHeight; body.parentElement.scrollTop = 500; }")
    assert body.evaluate("body => body.scrollTop") > 100
    expect(page.locator("[data-panel-close]")).to_be_in_viewport(ratio=1)
    expect(body.locator("[data-testid=find]")).to_be_in_viewport(ratio=1)


def test_the_end_of_an_answer_stays_above_the_composer(
    answering: Portal, browser: Any, halted: threading.Event
) -> None:
    page = browser.new_context(locale="en-GB", viewport={"width": 360, "height": 640}).new_page()
    sign_in(page, answering)
    halted.set()
    asked(page, answering)
    whole(page)
    halted.clear()
    page.fill("[data-testid=ask-input]", KEEPER_QUESTION)
    page.press("[data-testid=ask-input]", "Enter")
    expect(page.locator("[data-testid=stop]")).to_be_in_viewport(ratio=1)
    halted.set()
    page.locator("[data-testid=rate-up]").nth(1).wait_for(timeout=30_000)
    wait_for(lambda: page.evaluate(BELOW) <= 0, 10)

    halted.clear()
    page.fill("[data-testid=ask-input]", QUESTION)
    page.press("[data-testid=ask-input]", "Enter")
    page.locator(".draft", has_text="Its lamp").wait_for(timeout=30_000)
    page.mouse.move(100, 200)
    page.mouse.wheel(0, -400)
    page.wait_for_function(f"({BELOW})() > 100")
    at = page.evaluate("scrollY")
    halted.set()
    page.locator("[data-testid=rate-up]").nth(2).wait_for(timeout=30_000)
    assert page.evaluate("scrollY") == at, "who has scrolled away is left there"


def test_the_first_conversation_is_listed_beside_itself(answering: Portal, browser: Any) -> None:
    answering.manage("shell", "-v", "0", "-c", NINA)
    page = browser.new_context(locale="en-GB").new_page()
    sign_in(page, answering, "nina")
    page.goto(f"{answering.address}/ask/")
    expect(page.locator("[data-talks]")).to_be_hidden()
    page.fill("[data-testid=ask-input]", QUESTION)
    page.press("[data-testid=ask-input]", "Enter")
    page.locator("#talks-found a[aria-current=page]", has_text=QUESTION).wait_for(timeout=30_000)


def test_an_answer_without_javascript(answering: Portal, browser: Any, halted: threading.Event) -> None:
    page = browser.new_context(java_script_enabled=False, locale="en-GB").new_page()
    sign_in(page, answering)
    page.goto(f"{answering.address}/ask/")
    page.fill("[data-testid=ask-input]", QUESTION)
    page.click("[data-testid=ask-submit]")
    page.locator("[data-testid=refreshing]").wait_for(timeout=30_000)
    halted.set()
    page.locator(SENTENCE, has_text=SECOND).wait_for(timeout=30_000)
    page.locator(CITATION).first.click()
    page.locator("[data-testid=passage-mark]").first.wait_for()
