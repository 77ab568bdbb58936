"""Around an answer, in a browser: narrowed to a document, rated with a reason, asked again, looked into."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.browsing import is_error, sign_in
from tests.acceptance.conftest import Portal, wait_for

pytestmark = pytest.mark.acceptance

NOTE = b"The weather vane of Ostrava was forged by Milena Dvorak in 1931. It points west."


def test_a_conversation_from_scope_to_replay(portal: Portal, browser: Any) -> None:
    with portal.client() as client:
        pk = client.post("documents/", files={"file": ("vane.txt", NOTE)}).json()["id"]
        wait_for(lambda: client.get(f"documents/{pk}/").json()["status"] == "ready", 60)
    page = browser.new_context(locale="en-GB").new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if is_error(line) else None)
    sign_in(page, portal)

    page.goto(f"{portal.address}/ask/")
    page.click("[data-testid=scope]")
    page.fill("[data-testid=scope-find]", "vane")
    page.locator("[data-testid=scope-document]", has_text="vane").click()
    chip = page.locator("[data-testid=scope-chip]", has_text="vane")
    chip.wait_for()
    page.keyboard.press("Escape")
    page.fill("[data-testid=ask-input]", "Who forged the weather vane of Ostrava?")
    page.press("[data-testid=ask-input]", "Enter")
    page.locator("[data-testid=answer-sentence]", has_text="Milena Dvorak").wait_for(timeout=30_000)

    page.locator("[data-testid=regenerate]").click()
    page.locator("[data-testid=versions]").wait_for(timeout=30_000)
    assert page.locator("[data-testid=answer]").count() == 1
    assert page.locator("[data-testid=scope-chip]", has_text="vane").count() == 1

    page.click("[data-testid=rate-down]")
    page.check("[name=category][value=incomplete]")
    page.click("[data-testid=feedback-send]")
    page.locator("[data-testid=rate-down][aria-pressed=true]").wait_for()

    page.click("[data-testid=receipt-link]")
    assert "vane" in page.locator("[data-testid=receipt-passage]").first.inner_text()
    page.click("[data-testid=replay]")
    page.locator("[data-testid=nothing-changed]").wait_for(timeout=30_000)
    assert problems == []
