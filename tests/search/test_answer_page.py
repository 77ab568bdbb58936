"""The page's script alone, in a browser, with events as a socket would bring them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.conftest import CHROMIUM, CHROMIUM_ARGUMENTS, ROOT

PAGE = """<!doctype html><title>Ask</title>
<div data-thread><article data-answer="a" data-state="running">
  <p data-state-line><span data-state-text></span></p><div data-text></div>
  <section data-sources hidden><ol data-source-list></ol></section></article>
<form data-ask-form><input name="question"><input name="conversation"></form></div>
<aside data-passage data-quote hidden><p data-quote-text></p><p data-quote-from></p></aside>
<p data-news></p><script type="module" src="/static/js/answer.js"></script>"""
SOCKET = """window.WebSocket = class {
  constructor() { setTimeout(() => { this.onopen(); for (const event of EVENTS)
    this.onmessage({ data: JSON.stringify(event) }); document.title = "told"; }); }
  send() {} close() {} };"""


def shown_after(*events: dict[str, Any]) -> str:
    from playwright.sync_api import Route, sync_playwright

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix("http://portal.test/")
        if path.startswith("static/js/"):
            route.fulfill(body=(ROOT / path).read_text(), content_type="text/javascript")
        else:
            route.fulfill(body=PAGE, content_type="text/html")

    numbered = [{**event, "answer": "a", "seq": seq} for seq, event in enumerate(events, 1)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page()
        page.route("**/*", serve)
        page.add_init_script(f"const EVENTS = {json.dumps(numbered)};{SOCKET}")
        page.goto("http://portal.test/ask/")
        page.wait_for_function("document.title === 'told'")
        shown = page.locator("[data-text]").inner_text()
        browser.close()
    return " ".join(shown.split())


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: apt-get install chromium-headless-shell)")
def test_what_came_before_a_restart_is_no_longer_shown() -> None:
    wrong = [
        {"type": "sources", "citations": []},
        {"type": "token", "text": "The moon is made of cheese. And so"},
        {"type": "sentence", "text": "The moon is made of cheese.", "citations": [], "supported": True},
    ]
    right = {"type": "token", "text": "Herons fish at dusk."}
    again = {"type": "sources", "citations": []}
    assert shown_after(*wrong, again, right) == "The moon is made of cheese. And soHerons fish at dusk."
    assert shown_after(*wrong, {**again, "restart": True}, right) == "Herons fish at dusk."
