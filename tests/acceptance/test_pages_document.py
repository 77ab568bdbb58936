"""The page of a document in a browser, as alice (owner), bob (viewer) and charlie (stranger)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.acceptance.conftest import Portal, wait_for
from tests.documents.parsing.pdf_factory import make_pdf

pytestmark = pytest.mark.acceptance

#: Three people who are signed in already, and alice's collection, in which bob may read.
PEOPLE = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, BACKEND_SESSION_KEY
from django.contrib.auth.models import User
from documents.services import collection_create, membership_set
from portal.accounts.services import token_create
users = {name: User.objects.create_user(f"viewer-{name}") for name in ("alice", "bob", "charlie")}
made = collection_create(owner=users["alice"], name="Harbour office", slug="harbour-office")
membership_set(collection=made, user=users["bob"], role="viewer")
sessions = {}
for name, user in users.items():
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session.update({SESSION_KEY: str(user.pk), HASH_SESSION_KEY: user.get_session_auth_hash()})
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session.create()
    sessions[name] = session.session_key
print(json.dumps({"sessions": sessions, "token": token_create(user=users["alice"])[1]}))
"""
LINES = [f"Line {n} of the harbour rules is about berth number {n}." for n in range(40)]
PAGES = [LINES, [f"Page {n} tells of crane number {n}." for n in range(5)], ["The pilot is called at dawn."]]
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def people(portal: Portal) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(portal.manage("shell", "-c", PEOPLE).stdout.strip().splitlines()[-1])
    return said


@pytest.fixture(scope="module")
def address(portal: Portal, people: dict[str, Any]) -> str:
    """Of a document with three pages that have pictures."""
    bearer = {"Authorization": f"Bearer {people['token']}"}
    with httpx.Client(base_url=f"{portal.address}/api/v1/", headers=bearer, timeout=60) as client:
        given = {"collection": "harbour-office", "title": "Harbour rules"}
        files = {"file": ("rules.pdf", make_pdf(PAGES))}
        pk = client.post("documents/", files=files, data=given).json()["id"]
        wait_for(lambda: client.get(f"documents/{pk}/").json()["status"] == "ready")
    return f"{portal.address}/documents/{pk}/"


@pytest.fixture
def opened(portal: Portal, browser: Any, people: dict[str, Any], address: str) -> Open:
    def open_as(name: str, query: str = "", **options: Any) -> Any:
        context = browser.new_context(locale="en-GB", **options)
        context.add_cookies([{"name": "sessionid", "value": people["sessions"][name], "url": portal.address}])
        page = context.new_page()
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.status = page.goto(address + query).status
        return page

    return open_as


def text_of(page: Any) -> Any:
    return page.locator("[data-testid=page-text]")


def test_without_scripts_a_document_is_read_turned_and_searched(opened: Open) -> None:
    page = opened("bob", java_script_enabled=False)
    assert "berth number 7." in text_of(page).inner_text()
    page.click("a[rel=next]")
    assert "crane number 1" in text_of(page).inner_text()
    page.fill("[data-testid=find]", "PILOT")
    page.press("[data-testid=find]", "Enter")
    expect(page.locator("#match")).to_have_text("pilot")
    assert "find=PILOT" in page.url
    page.click("[data-testid=strip] a[data-page='1']")
    page.locator("[data-testid=outlines] a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#mark")).to_contain_text("harbour rules")
    assert page.locator("[data-testid=edit-title], [data-testid=replace], [data-testid=delete]").count() == 0


def test_passages_light_up_both_ways_and_are_chosen(opened: Open) -> None:
    page = opened("bob")
    passage, outline = page.locator(".page-text .passage").first, page.locator(".outline").first
    passage.hover()
    expect(outline).to_have_class(re.compile("is-lit"))
    outline.focus()
    page.mouse.move(1, 1)
    expect(passage).to_have_class(re.compile("is-lit"))
    passage.click()
    expect(page.locator("#mark")).to_be_visible()
    expect(page.locator("[data-testid=page-boxes] rect").first).to_be_attached()
    assert "chunk=" in page.url
    page.reload()
    expect(page.locator("#mark")).to_be_visible()
    page.go_back()
    expect(page.locator("#mark")).to_have_count(0)
    assert page.wrong == []


def test_pages_are_turned_by_keys_and_the_strip_follows(opened: Open) -> None:
    page = opened("bob")
    for key, number in (("ArrowRight", 2), ("j", 3), ("k", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        expect(page.locator("#reader")).to_have_attribute("data-page", str(number))
        expect(page.locator("[data-strip] [aria-current]")).to_have_attribute("data-page", str(number))
        assert page.url.endswith(f"?page={number}")
    page.keyboard.press("f")
    page.keyboard.type("crane number")
    page.keyboard.press("Enter")
    expect(page.locator("[data-testid=find-count]")).to_have_text("“crane number”: 1 of 5")
    page.locator("#find-here").blur()
    page.keyboard.press("n")
    expect(page.locator("[data-testid=find-count]")).to_have_text("“crane number”: 2 of 5")
    assert "match=2" in page.url
    expect(page.locator("[data-testid=found-boxes] rect")).to_have_count(5)
    page.click("[data-testid=find-clear]")
    expect(page.locator("[data-testid=finds]")).to_have_count(0)
    assert page.wrong == []


def test_the_picture_grows_and_stays_sharp(opened: Open) -> None:
    page = opened("bob")
    sheet, now = page.locator("[data-sheet]"), page.locator("[data-zoom-now]")
    fitting = sheet.bounding_box()["width"]
    page.click("[data-testid=zoom-full]")
    expect(now).to_have_text("100 %")
    with page.expect_request("**/image/?scale=2"):
        page.click("[data-testid=zoom-in]")
        page.click("[data-testid=zoom-in]")
    expect(now).to_have_text("150 %")
    page.keyboard.press("j")
    expect(page.locator("#reader")).to_have_attribute("data-page", "2")
    expect(now).to_have_text("150 %")
    page.locator("[data-pane]").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, 100)
    page.keyboard.up("Control")
    expect(now).to_have_text("125 %")
    page.keyboard.press("0")
    assert abs(sheet.bounding_box()["width"] - fitting) < 2


def test_fields_are_edited_in_place_and_taken_back(opened: Open) -> None:
    page = opened("alice")
    page.click("[data-testid=edit-tags]")
    expect(page.locator("#field-more")).to_be_focused()
    page.keyboard.type("quay, pier")
    page.keyboard.press("Enter")
    expect(page.locator("#place-tags .tag")).to_have_text(["quay", "pier"])
    expect(page.locator("[data-testid=edit-tags]")).to_be_focused()
    expect(page.locator("[data-testid=history] li").first).to_contain_text("Tags changed: +quay, +pier")
    page.click("[data-testid=toast-undo]")
    expect(page.locator("#place-tags .tag")).to_have_count(0)
    page.click("[data-testid=edit-details]")
    expect(page.locator("#field-details")).to_be_focused()
    page.keyboard.type("no colon")
    page.click("[data-testid=field-save]")
    expect(page.locator("[data-testid=field-form] .errorlist")).to_contain_text("is not of the form")
    expect(page.locator("#field-details")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-testid=field-form]")).to_have_count(0)
    expect(page.locator("[data-testid=edit-details]")).to_be_focused()
    assert page.wrong == []


@pytest.fixture(scope="module")
def sections(portal: Portal, people: dict[str, Any]) -> str:
    """The address of a text of three sections, all of them on its only page."""
    text = "# Harbour\n\n" + "\n\n".join(
        f"## {name}\n\n" + f"The {name.lower()} is looked after by the harbour master. " * 60
        for name in ("Quay", "Lighthouse", "Breakwater")
    )
    bearer = {"Authorization": f"Bearer {people['token']}"}
    with httpx.Client(base_url=f"{portal.address}/api/v1/", headers=bearer, timeout=60) as client:
        given = {"collection": "harbour-office", "title": "Sections"}
        files = {"file": ("sections.md", text.encode())}
        pk = client.post("documents/", files=files, data=given).json()["id"]
        wait_for(lambda: client.get(f"documents/{pk}/").json()["status"] == "ready")
    return f"{portal.address}/documents/{pk}/"


def test_the_outline_shows_the_section_of_the_passage(opened: Open, sections: str) -> None:
    page = opened("bob")
    page.goto(sections)
    here, links = page.locator(".outline-list .is-here"), page.locator(".outline-list a")
    expect(here).to_contain_text("Harbour")
    links.filter(has_text="Lighthouse").click()
    expect(page.locator("#mark")).to_contain_text("lighthouse is looked after")
    expect(here).to_contain_text("Lighthouse")
    page.goto(sections + links.filter(has_text="Quay").get_attribute("href").rpartition("/")[2])
    expect(here).to_contain_text("Quay")
    page.goto(f"{sections}?find=breakwater+is")
    expect(here).to_contain_text("Breakwater")
    assert page.wrong == []


def test_a_new_title_reaches_the_tab_and_the_path(opened: Open, sections: str) -> None:
    page = opened("alice")
    page.goto(sections)
    page.click("[data-testid=edit-title]")
    page.fill("#field-title", "Parts & pieces")
    page.keyboard.press("Enter")
    expect(page.locator("[data-testid=document-title]")).to_have_text("Parts & pieces")
    expect(page).to_have_title("Parts & pieces · Document portal")
    expect(page.locator(".crumb-list [aria-current]")).to_have_text("Parts & pieces")
    expect(page.locator(".crumb-list > li")).to_have_count(3)
    page.click("[data-testid=toast-undo]")
    expect(page).to_have_title("Sections · Document portal")
    expect(page.locator(".crumb-list [aria-current]")).to_have_text("Sections")


def test_a_change_can_be_taken_back_also_when_news_have_swapped_its_form_away(
    opened: Open, sections: str
) -> None:
    def answered_late(route: Any) -> None:
        answer = route.fetch()
        page.evaluate("document.querySelector('[data-field-form]').remove()")
        route.fulfill(response=answer)

    page = opened("alice")
    page.goto(sections)
    page.click("[data-testid=edit-title]")
    page.fill("#field-title", "Parts & pieces")
    page.route(re.compile("/documents/.*title"), answered_late, times=1)
    page.keyboard.press("Enter")
    page.click("[data-testid=toast-undo]", timeout=5000)
    expect(page.locator("[data-testid=document-title]")).to_have_text("Sections")


def test_a_link_is_copied_and_a_question_asked_of_it_alone(opened: Open) -> None:
    page = opened("bob", "?page=2", permissions=["clipboard-read", "clipboard-write"])
    page.click("[data-testid=copy-link]")
    expect(page.locator("[data-testid=toast]")).to_contain_text("Link copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.fill("[data-testid=ask-this]", "Who calls the pilot?")
    page.click("[data-testid=ask-document]")
    page.wait_for_url(re.compile("/ask/[0-9a-f-]{36}/$"))  # asked at once
    expect(page.locator("[data-question]")).to_have_text("Who calls the pilot?")
    expect(page.locator("main")).to_contain_text("Harbour rules")


def test_similar_documents_come_when_they_are_looked_at(opened: Open, sections: str) -> None:
    page = opened("bob")
    page.locator("#similar-title").scroll_into_view_if_needed()
    expect(page.locator("[data-testid=similar] a")).to_contain_text("Sections")


def test_a_stranger_finds_nothing(opened: Open) -> None:
    page = opened("charlie")
    assert page.status == 404
    assert "Harbour rules" not in page.content()
