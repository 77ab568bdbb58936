"""A German browser, far from Greenwich: its pages are German, and their times are its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from portal import catalogue
from tests.acceptance.browsing import sign_in
from tests.acceptance.conftest import Portal

pytestmark = pytest.mark.acceptance

PAGES = [
    "/",
    "/documents/",
    "/search/",
    "/search/?q=ferry",
    "/ask/",
    "/collections/",
    "/account/",
    "/nowhere/",
]
#: What a page says, and what its controls are called.
SAID = """() => {
  const attributes = ["aria-label", "title", "placeholder", "alt"];
  const texts = [];
  const walk = (root) => {
    for (const node of root.childNodes) {
      if (node.nodeType === 3) texts.push(node.data);
      if (node.nodeType !== 1 || ["SCRIPT", "STYLE", "SVG"].includes(node.nodeName)) continue;
      for (const { name, value } of node.attributes) {
        if (attributes.includes(name) || name.startsWith("data-text-")) texts.push(value);
      }
      walk(node.nodeName === "TEMPLATE" ? node.content : node);
    }
  };
  walk(document.documentElement);
  return texts.map((text) => text.trim().replace(/\\s+/g, " ")).filter(Boolean);
}"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def german(portal: Portal, browser: Any) -> Iterator[Any]:
    """A page on a small screen, of a browser that speaks German and is in Nepal (UTC+05:45)."""
    context = browser.new_context(
        locale="de-DE", timezone_id="Asia/Kathmandu", viewport={"width": 360, "height": 800}
    )
    yield context.new_page()
    context.close()


def english() -> set[str]:
    """What must not stand alone on a German page: strings that German says in another way."""
    path = catalogue.LOCALES / "de" / "LC_MESSAGES" / "django.po"
    pairs = [(entry.id, entry.string) for entry in catalogue.read(path) if isinstance(entry.id, str)]
    german_too = {said for _string, said in pairs}
    return {string for string, said in pairs if string and string != said} - german_too


def test_every_page_is_german_and_fits_a_small_screen(portal: Portal, german: Any) -> None:
    portal.client().post("documents/", files={"file": ("ferry.txt", b"The ferry crosses at dawn.")})
    unwanted = english()
    german.goto(f"{portal.address}/login/")
    expect(german.locator("h1")).to_have_text("Anmelden")
    assert unwanted & {*german.evaluate(SAID)} == set()
    sign_in(german, portal)
    for path in PAGES:
        german.goto(portal.address + path)
        assert german.locator("html").get_attribute("lang") == "de", path
        assert unwanted & {*german.evaluate(SAID)} == set(), path
        assert german.evaluate(WIDER) <= 0, path


def test_times_are_those_of_the_browser(portal: Portal, german: Any) -> None:
    sign_in(german, portal)
    portal.client().post("documents/", files={"file": ("clock.txt", b"The clock on the quay is late.")})
    german.goto(portal.address)  # the first page learns the zone
    german.goto(f"{portal.address}/documents/?q=clock")
    when = german.locator("[data-testid=document-row] time").first
    exact, told = when.get_attribute("datetime"), when.get_attribute("title")
    here = german.evaluate("(exact) => new Date(exact).toTimeString().slice(0, 5)", exact)
    assert told.endswith(f", {here}")


def test_the_switch_in_the_menu_is_kept(portal: Portal, german: Any) -> None:
    sign_in(german, portal)
    german.goto(f"{portal.address}/account/")
    german.locator("[data-testid=account-menu]").click()
    german.locator("[data-testid=languages] button", has_text="English").click()
    expect(german.locator("h1")).to_have_text("Account")
    german.goto(f"{portal.address}/search/")
    assert german.locator("html").get_attribute("lang") == "en"


def test_what_the_api_refuses_is_told_in_german(portal: Portal, german: Any) -> None:
    sign_in(german, portal)
    german.goto(f"{portal.address}/documents/")
    nothing = {"name": "leer.txt", "mimeType": "text/plain", "buffer": b""}
    german.set_input_files("[data-testid=upload-input]", [nothing])
    expect(german.locator("[data-testid=upload-row]")).to_contain_text("Die Datei ist leer.")
