"""The list of documents in a browser: as owner, viewer and stranger; without JavaScript too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.acceptance.browsing import sign_in
from tests.acceptance.conftest import Portal, wait_for
from tests.documents.parsing.pdf_factory import make_pdf

pytestmark = pytest.mark.acceptance

LINK = "[data-testid=document-link]"
TOAST = "[data-testid=toast]"
PEOPLE = """
from tests.people import person
from documents.models import Collection, Role
from documents.services import collection_create, membership_set
alice, bob, charlie = (person(name) for name in ("alice", "bob", "charlie"))
for name, slug in (("Shipyard", "shipyard"), ("Attic", "attic")):
    if not Collection.objects.filter(slug=slug).exists():
        made = collection_create(owner=alice, name=name, slug=slug)
        membership_set(collection=made, user=bob, role=Role.VIEWER)
"""


@pytest.fixture(scope="module")
def shipyard(portal: Portal) -> list[str]:
    """Ids of what is in alice's collection; bob may read it."""
    portal.manage("shell", "-c", PEOPLE)
    client = portal.client("alice")
    ids = []
    for number, tag in enumerate(("oak", "oak", "pine", "pine")):
        text = f"The keel of ship {number} was laid in spring."
        ids.append(stored(client, f"keel-{number}.txt", text.encode(), tag))
    ids.append(stored(client, "plans.pdf", make_pdf([["# Plans", "The plans of the keel."]]), "oak"))
    for pk in ids:
        wait_for(lambda pk=pk: client.get(f"documents/{pk}/").json()["status"] == "ready")
    return ids


def stored(client: Any, name: str, content: bytes, tags: str) -> str:
    given = {"collection": "shipyard", "tags": tags}
    answer = client.post("documents/", data=given, files={"file": (name, content)})
    return str(answer.json()["id"])


@pytest.fixture
def opened(portal: Portal, browser: Any, shipyard: list[str]) -> Callable[..., Any]:
    """The list, opened by somebody in a context of their own."""

    def page_of(user: str, query: str = "collection=shipyard", **options: Any) -> Any:
        page = browser.new_context(locale="en-GB", **options).new_page()
        sign_in(page, portal, user)
        page.goto(f"{portal.address}/documents/?{query}")
        return page

    return page_of


def select(page: Any, *titles: str) -> None:
    for title in titles:
        page.get_by_label(f"Select {title}", exact=True).check()


def test_grid_facets_order_and_the_way_back(opened: Any) -> None:
    page = opened("alice")
    expect(page.locator(LINK)).to_have_count(5)
    page.click("[data-testid=view-grid]")
    expect(page.locator("[data-testid=document-card]")).to_have_count(5)
    picture = page.locator("[data-testid=document-card]", has_text="plans").locator("img")
    picture.scroll_into_view_if_needed()
    wait_for(lambda: picture.evaluate("image => image.naturalWidth") == 320)
    page.locator("[data-testid=facet-tag]", has_text="oak").click()
    expect(page.locator(LINK)).to_have_count(3)
    page.click("[data-testid=sort-menu]")
    page.click("[data-testid=sort-title]")
    expect(page.locator(LINK).first).to_have_text("keel-0")
    assert "tag=oak" in page.url
    assert "sort=title" in page.url
    page.fill("#filter-q", "plans")
    expect(page.locator(LINK)).to_have_text(["plans"])
    assert "tag=oak" in page.url
    page.get_by_label("Remove Tag: oak").click()
    expect(page.get_by_label("Remove Tag: oak")).to_have_count(0)
    page.get_by_label("Remove “plans”").click()
    expect(page.locator(LINK)).to_have_count(5)
    expect(page.locator("#filter-q")).to_have_value("")
    page.go_back()
    expect(page.locator(LINK)).to_have_text(["plans"])
    page.goto(page.url.split("?")[0])
    expect(page.locator("[data-testid=document-grid]")).to_be_visible()  # remembered


def test_a_view_is_saved_and_opened(opened: Any) -> None:
    page = opened("alice", "collection=shipyard&tag=pine")
    page.click("[data-testid=view-save-open]")
    expect(page.locator("#view-name")).to_be_focused()
    page.fill("#view-name", "Pine ships")
    page.press("#view-name", "Enter")
    tab = page.locator("[data-testid=saved-view]", has_text="Pine ships")
    expect(tab).to_have_attribute("aria-current", "page")
    page.click("text=All documents")
    tab.click()
    expect(page.locator(LINK)).to_have_count(2)
    assert opened("charlie", "").locator("[data-testid=saved-view]").count() == 0
    page.reload()
    page.click("[data-testid=view-menu]")
    page.click("[data-testid=view-delete]")
    expect(page.locator("[data-testid=saved-view]")).to_have_count(0)


def test_several_are_tagged_deleted_and_brought_back(
    opened: Any, portal: Portal, shipyard: list[str]
) -> None:
    page = opened("alice")
    bar = page.locator("[data-testid=bulk]")
    expect(bar).to_be_hidden()
    select(page, "keel-0", "keel-1")
    expect(page.locator("[data-testid=bulk-count]")).to_have_text("2 selected")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('documents:changed'))")  # the list is renewed
    page.wait_for_timeout(600)
    expect(page.locator("[data-testid=select]:checked")).to_have_count(2)
    page.fill("#bulk-tag", "Dry dock")
    page.click("[data-testid=bulk-tag]")
    expect(page.locator(TOAST)).to_contain_text("2 documents tagged “dry dock”.")
    expect(page.locator(".tag", has_text="dry dock")).to_have_count(2)
    expect(bar).to_be_hidden()
    page.click("[data-testid=toast-undo]")
    expect(page.locator(".tag", has_text="dry dock")).to_have_count(0)
    page.locator("[data-testid=select-page]").check()
    page.click("[data-testid=bulk-delete]")
    expect(page.locator("[data-testid=empty]")).to_be_visible()
    address = f"documents/{shipyard[0]}/"
    assert portal.client("alice").get(address).status_code == 404
    page.locator(TOAST, has_text="5 documents deleted.").locator("[data-testid=toast-undo]").click()
    expect(page.locator(LINK)).to_have_count(5)
    assert portal.client("alice").get(address).status_code == 200
    found = portal.client("alice").get("search/", params={"q": "keel of ship 0", "collection": "shipyard"})
    assert shipyard[0] in {hit["document"]["id"] for hit in found.json()["results"]}


def test_one_is_deleted_from_its_menu_and_from_its_page(opened: Any) -> None:
    page = opened("alice")
    row = page.locator("[data-testid=document-row]", has_text="keel-3")
    row.locator("[data-testid=row-menu]").click()
    row.locator("[data-testid=row-delete]").click()
    expect(page.locator(LINK)).to_have_count(4)
    page.click("[data-testid=toast-undo]")
    expect(page.locator(LINK)).to_have_count(5)
    page.locator(LINK, has_text="keel-3").click()
    page.goto(page.url.split("?")[0] + "delete/")
    page.click("[data-testid=confirm-delete]")
    page.click("[data-testid=message-undo]")
    expect(page.locator(".messages")).to_contain_text("Undone for 1 document.")


def test_a_viewer_changes_nothing_and_a_stranger_sees_nothing(
    opened: Any, portal: Portal, shipyard: list[str]
) -> None:
    page = opened("bob")
    expect(page.locator(LINK)).to_have_count(5)
    for name in ("select", "select-page", "row-menu"):
        expect(page.locator(f"[data-testid={name}]")).to_have_count(0)
    page = opened("charlie")
    expect(page.locator(LINK)).to_have_count(0)
    expect(page.locator("[data-testid=empty]")).to_be_visible()
    assert page.request.get(f"{portal.address}/documents/{shipyard[-1]}/thumbnail/").status == 404


PASTE = """(text) => {
  const data = new DataTransfer();
  if (text) data.setData("text/plain", text);
  else data.items.add(new File([new Uint8Array([1, 2, 3])], "image.png", { type: "image/png" }));
  const target = document.querySelector(text === "typed" ? "#filter-q" : "main");
  target.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""


def test_what_is_pasted_is_uploaded(opened: Any) -> None:
    page = opened("alice", "collection=attic")
    page.evaluate(PASTE, "typed")
    page.evaluate(PASTE, "Bill of lading: 40 casks\nof tar, for the attic.")
    row = page.locator("[data-testid=upload-row]")
    expect(row).to_have_count(1)
    row.locator("a", has_text="Bill of lading 40 casks").wait_for(timeout=30_000)
    page.evaluate(PASTE, "")
    expect(row).to_have_count(2)
    expect(row.first).to_contain_text("Picture 2")


def refused(route: Any) -> None:
    if route.request.method == "POST":
        route.abort()
    else:
        route.fallback()


def test_five_hundred_files_do_not_freeze_the_page(opened: Any, tmp_path: Path) -> None:
    page = opened("alice", "collection=attic")
    page.route("**/api/v1/documents/", refused)
    for number in range(500):
        (tmp_path / f"{number}.txt").write_text(str(number))
    page.evaluate(
        "() => { window.longest = 0; let last = performance.now(); const step = () => { const now = "
        "performance.now(); window.longest = Math.max(window.longest, now - last); last = now; "
        "requestAnimationFrame(step); }; step(); }"
    )
    page.set_input_files("[data-testid=upload-input]", [str(path) for path in tmp_path.iterdir()])
    expect(page.locator("[data-testid=upload-row]")).to_have_count(500)
    expect(page.locator("[data-testid=upload-summary]")).to_contain_text("500 refused", timeout=30_000)
    assert page.evaluate("window.longest") < 2000


def test_without_javascript(opened: Any, tmp_path: Path) -> None:
    page = opened("alice", "collection=attic", java_script_enabled=False)
    path = tmp_path / "rope.txt"
    path.write_text("Forty fathoms of rope lie in the attic.")
    page.set_input_files("[data-testid=upload-input]", str(path))
    page.select_option("[data-testid=upload-collection]", "attic")
    page.click("[data-testid=upload-submit]")
    expect(page.locator(".messages")).to_contain_text("rope was added.")
    page.fill("#filter-q", "rope")
    page.press("#filter-q", "Enter")
    expect(page.locator(LINK)).to_have_text(["rope"])
    page.locator("[data-testid=facet-collection]", has_text="Attic").click()
    page.click("[data-testid=view-table]")
    assert "collection=attic" in page.url
    assert "q=rope" in page.url
    select(page, "rope")
    page.click("[data-testid=bulk-delete]")
    expect(page.locator(".messages")).to_contain_text("1 document deleted.")
    expect(page.locator(LINK)).to_have_count(0)
    page.click("[data-testid=message-undo]")
    expect(page.locator(".messages")).to_contain_text("Undone for 1 document.")
    expect(page.locator(LINK)).to_have_text(["rope"])
