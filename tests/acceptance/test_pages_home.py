"""The first page, collections and the account, in a real browser: as their owner, a member and a stranger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.acceptance.browsing import sign_in
from tests.acceptance.conftest import Portal

pytestmark = pytest.mark.acceptance

#: People of this module alone: what others put into the same portal is nothing that they see.
PEOPLE = """
from tests.people import person
for name in ("home-alice", "home-bob", "home-charlie"):
    person(name)
"""


@pytest.fixture(scope="module")
def _people(portal: Portal) -> None:
    portal.manage("shell", "-c", PEOPLE)


@pytest.fixture
def opened(portal: Portal, browser: Any, _people: None) -> Callable[..., Any]:
    """The first page, as the module's alice, bob or charlie sees it."""

    def open_as(name: str, **options: Any) -> Any:
        page = browser.new_context(locale="en-GB", base_url=portal.address, **options).new_page()
        sign_in(page, portal, f"home-{name}")
        page.goto("/")
        return page

    return open_as


def test_from_an_empty_portal_to_a_cited_answer(opened: Callable[..., Any]) -> None:
    page = opened("alice")
    page.locator("[data-testid=samples-add]").click()
    expect(page.locator("[role=status]", has_text="7 sample documents were added.")).to_be_visible()
    # Live: nobody reloads the page.
    expect(page.locator("[data-testid=question]")).to_have_count(6, timeout=60_000)
    expect(page.locator("[data-testid=busy]")).to_have_count(0)
    page.locator("[data-testid=question]", has_text="open to visitors").click()
    sentence = page.locator("[data-testid=answer-sentence]", has_text="first Saturday of each month")
    sentence.wait_for(timeout=60_000)
    expect(sentence.locator("[data-testid=citation]").first).to_be_visible()
    page.goto("/")
    expect(page.locator("section[aria-labelledby=talks-title]")).to_contain_text("open to visitors")
    page.locator("[data-testid=samples-remove]").click()
    expect(page.locator("[data-testid=welcome]")).to_be_visible()
    page.locator("[data-testid=message-undo]").click()
    expect(page.locator("[role=status]", has_text="7 sample documents were added.")).to_be_visible()
    assert opened("charlie").locator("[data-testid=welcome]").is_visible()


def test_samples_without_javascript(opened: Callable[..., Any]) -> None:
    page = opened("bob", java_script_enabled=False)
    page.locator("[data-testid=samples-add]").click()
    assert "7 sample documents were added." in page.locator("[role=status]").first.inner_text()
    page.locator("[data-testid=samples-remove]").click()
    assert page.locator("[data-testid=welcome]").is_visible()


def test_a_collection_from_its_making_to_its_end(opened: Callable[..., Any]) -> None:
    alice, bob, charlie = opened("alice"), opened("bob"), opened("charlie")
    alice.goto("/collections/")
    alice.keyboard.press("n")
    alice.fill("#id_name", "Harbour plans")
    alice.locator("[data-testid=collection-create]").click()
    address = alice.url
    for name, said in (
        ("nobody", "There is no user of that name."),
        ("home-bob", "home-bob is viewer here now."),
    ):
        alice.fill("#id_username", name)
        alice.locator("[data-testid=member-add]").click()
        expect(alice.locator("main")).to_contain_text(said)
    alice.locator("[data-testid=member-role]").select_option("manager")
    alice.locator("[data-testid=member-change]").click()
    expect(alice.locator("[role=status]", has_text="home-bob is manager here now.")).to_be_visible()
    assert charlie.goto(address).status == 404
    expect(charlie.locator("[data-testid=error-page]")).to_be_visible()
    bob.goto("/collections/")
    bob.locator("[data-testid=collection]", has_text="Harbour plans").click()
    bob.fill("#id_name", "Harbour plans " + "of the north quay " * 5)
    bob.locator("[data-testid=collection-save]").click()
    expect(bob.locator("[data-testid=collection-name]")).to_contain_text("north quay")
    bob.locator("[data-testid=leave]").click()
    expect(bob.locator("[role=status]", has_text="You left")).to_be_visible()
    alice.reload()
    alice.locator("[data-testid=collection-delete]").click()
    alice.locator("[data-testid=confirm-delete]").click()
    expect(alice.locator("[role=status]", has_text="was deleted.")).to_be_visible()


def test_a_token_is_copied_and_revoked(portal: Portal, opened: Callable[..., Any]) -> None:
    page = opened("alice", permissions=["clipboard-read", "clipboard-write"])
    page.goto("/account/")
    page.fill("[data-testid=token-name]", "Nightly import")
    page.locator("[data-testid=token-create]").click()
    secret = page.locator("[data-testid=token-secret]").inner_text()
    page.locator("[data-copy]").click()
    expect(page.locator("[data-copy]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == secret
    page.goto("/account/")
    expect(page.locator("[data-testid=token-secret]")).to_have_count(0)
    page.locator("[data-testid=token-revoke]").click()
    page.locator("[data-testid=token-revoke-confirm]").click()
    expect(page.locator("[data-testid=no-tokens]")).to_be_visible()


def test_all_conversations_are_deleted_after_asking(portal: Portal, opened: Callable[..., Any]) -> None:
    portal.client("home-bob").post("answers/", json={"question": "When do the pumps run?"}).raise_for_status()
    page = opened("bob")
    page.goto("/account/")
    expect(page.locator("[data-testid=conversations-count]")).to_contain_text("1 conversation.")
    page.locator("[data-testid=conversations-delete]").click()
    page.locator("[data-testid=conversations-delete-confirm]").click()
    expect(page.locator("[data-testid=conversations-count]")).to_contain_text("0 conversations.")
