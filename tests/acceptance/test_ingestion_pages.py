"""Whole folders, progress that outlives a reload, cancel and retry: in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.acceptance.browsing import sign_in
from tests.acceptance.conftest import Portal, wait_for
from tests.documents.parsing.pdf_factory import make_pdf

pytestmark = pytest.mark.acceptance

ROW = "[data-testid=upload-row]"
COUNTED = re.compile(r"Embedding passage \d+ of \d+")


@pytest.fixture
def documents(portal: Portal, browser: Any) -> Callable[..., Any]:
    """The list of documents, opened by the admin in a context of its own."""

    def opened(**options: Any) -> Any:
        page = browser.new_context(locale="en-GB", **options).new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        sign_in(page, portal)
        page.goto(f"{portal.address}/documents/")
        return page

    return opened


def long_text(subject: str, paragraphs: int = 250) -> str:
    return "\n\n".join(
        f"Paragraph {n} tells of {subject} {n}. It carries {n} tonnes in a year. " * 6
        for n in range(paragraphs)
    )


def test_a_folder_is_uploaded_with_the_paths_of_its_files(
    portal: Portal, documents: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    (folder / "2024").mkdir(parents=True)
    for number in range(12):
        (folder / "2024" / f"ferry-{number}.txt").write_text(f"Ferry {number} crosses the fjord at dawn.")
    (folder / "twin.txt").write_text("Ferry 3 crosses the fjord at dawn.")
    (folder / "empty.txt").touch()
    (folder / ".hidden.txt").write_text("Not meant.")
    (folder / ".git").mkdir()
    (folder / ".git" / "config.txt").write_text("Not meant.")
    for name in ("~$ferry.docx", "ferry.txt.part", "a.crdownload", "a.tmp", "a.swp", "Thumbs.db"):
        (folder / "2024" / name).write_text("Not meant either.")
    page = documents()
    at_once = watch_uploads(page)
    page.set_input_files("[data-testid=folder-input]", str(folder))
    page.locator(f"{ROW}[data-state=ready]").nth(11).wait_for(timeout=60_000)
    assert page.locator(ROW).count() == 14
    summary = page.locator("[data-testid=upload-summary]")
    expect(summary).to_have_text("14 files: 12 ready, 1 already here, 1 refused")
    twin = page.locator(f"{ROW}[data-state=duplicate]")
    expect(twin.locator("[data-testid=upload-state]")).to_have_text("already here")
    expect(page.locator(ROW).first).to_contain_text("archive/empty.txt")
    assert max(at_once) == 3
    refused = page.locator(f"{ROW}[data-state=refused]")
    assert "archive/empty.txt" in refused.inner_text()
    assert "The file is empty." in refused.inner_text()
    first = page.locator(f"{ROW}[data-state=duplicate] a")
    assert re.fullmatch("ferry-3|twin", first.inner_text())
    assert first.get_attribute("href").startswith("/documents/")
    found = portal.client().get("documents/", params={"q": "ferry", "limit": 100}).json()["results"]
    assert "archive/2024/ferry-7.txt" in {document["source"] for document in found}


def watch_uploads(page: Any) -> list[int]:
    """How many uploads are under way, each time that this changes."""
    under_way, seen = set[Any](), [0]

    def started(request: Any) -> None:
        if request.method == "POST" and request.url.endswith("/api/v1/documents/"):
            under_way.add(request)
            seen.append(len(under_way))

    page.on("request", started)
    page.on("response", lambda response: under_way.discard(response.request))
    return seen


WALK = """async () => {
  const names = performance.getEntriesByType("resource").map((each) => each.name);
  const { dropped } = await import(names.find((name) => name.includes("folders")));
  const last = (path) => path.split("/").pop();
  const read = (path) => new File(["x"], last(path));
  const open = (path) => (done, failed) => (path.includes("locked") ? failed() : done(read(path)));
  const file = (path) => ({ isFile: true, name: last(path), fullPath: path, file: open(path) });
  const some = (children) => ({ readEntries: (done) => done(children.splice(0, 2)) });
  const folder = (path, inside) => ({ name: last(path), fullPath: path, createReader: () => some(inside) });
  const deep = folder("/box/deep", [file("/box/deep/b.txt"), file("/box/deep/locked.txt")]);
  const git = folder("/box/.git", [file("/box/.git/c.txt")]);
  const others = ["/box/.hidden", "/box/z.txt.part", "/box/z.txt"].map(file);
  const box = folder("/box", [file("/box/a.txt"), git, deep, ...others]);
  const items = [box, file("/alone.txt")].map((each) => ({ kind: "file", webkitGetAsEntry: () => each }));
  const found = await dropped({ items });
  return found.map(({ file, path, name }) => [path, file ? file.name : null, name]);
}"""


def test_a_folder_that_is_dropped_is_walked_to_its_end(documents: Callable[..., Any]) -> None:
    """With stand-ins for the browser's entries, which no script can make; a reader gives a few at a time."""
    assert documents().evaluate(WALK) == [
        ["box/a.txt", "a.txt", "a.txt"],
        ["box/deep/b.txt", "b.txt", "b.txt"],
        ["box/deep/locked.txt", None, "locked.txt"],
        ["box/z.txt", "z.txt", "z.txt"],
        ["", "alone.txt", "alone.txt"],
    ]


def test_progress_outlives_a_reload_and_a_cancelled_one_is_tried_again(
    portal: Portal, documents: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "barges.txt"
    path.write_text(long_text("barge"))
    page = documents()
    page.set_input_files("[data-testid=upload-input]", str(path))
    page.locator(ROW, has_text=COUNTED).wait_for(timeout=60_000)
    page.reload()
    row = page.locator("[data-testid=document-row]", has_text="barges")
    assert COUNTED.fullmatch(row.locator("[data-testid=document-stage]").inner_text())
    row.locator("[data-testid=document-link]").click()
    stage = page.locator("[data-testid=document-stage]")
    expect(stage).to_have_text(COUNTED)
    shown = stage.inner_text()
    expect(stage).not_to_have_text(shown, timeout=30_000)
    page.locator("[data-testid=cancel]").click()
    expect(page.locator("[data-testid=document-status]")).to_have_text("cancelled")
    assert page.locator("[data-testid=document-reason]").is_hidden()
    page.goto(f"{portal.address}/documents/?q=barges")
    row.locator("[data-testid=retry]").click()
    row.locator("[data-testid=document-status]", has_text="ready").wait_for(timeout=120_000)
    assert row.locator("[data-testid=document-reason]").is_hidden()


def send(portal: Portal, name: str, content: bytes) -> Any:
    return portal.client().post("documents/", files={"file": (name, content)}).json()


def broken_pdf(subject: str) -> bytes:
    return f"%PDF-1.7\nNothing of a PDF follows, but {subject}.\n%%EOF".encode()


def test_the_list_follows_what_happens_elsewhere(portal: Portal, documents: Callable[..., Any]) -> None:
    page = documents()
    row = page.locator("[data-testid=document-row]")
    page.goto(f"{portal.address}/documents/?status=failed&q=sunken")
    page.locator("[data-testid=empty]").wait_for()
    first = send(portal, "sunken-1.pdf", broken_pdf("sunken one"))
    row.nth(0).wait_for(timeout=30_000)
    row.locator("summary").click()
    page.locator(f"#again-{first['id']}, #file-{first['id']}").last.focus()
    page.evaluate("document.querySelector('#documents tr').dataset.before = 'true'")
    send(portal, "sunken-2.pdf", broken_pdf("sunken two"))
    row.nth(1).wait_for(timeout=30_000)
    assert page.locator("tr[data-before]").count() == 0, "it was swapped"
    assert page.evaluate("document.activeElement.id") == f"file-{first['id']}"
    assert page.locator(f"#menu-{first['id']}[open]").count() == 1
    expect(page.locator("caption")).to_have_text("2 documents")
    page.evaluate("window.before = true")
    page.click("[data-testid=retry-all]")
    page.locator("[data-testid=toast]", has_text="tried again").wait_for()
    page.wait_for_timeout(3000)
    row.nth(1).wait_for(timeout=30_000)
    row.locator("[data-badge]", has_text="failed").nth(1).wait_for(timeout=30_000)
    assert page.evaluate("window.before"), "the page was not loaded again"
    portal.client().delete(f"documents/{first['id']}/")
    expect(row).to_have_count(1, timeout=15_000)
    expect(page.locator("caption")).to_have_text("1 document", timeout=15_000)


MAIL = b"""From: a@example.org\r\nTo: b@example.org\r\nSubject: The dredger\r\nMIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=cut\r\n\r\n--cut\r\nContent-Type: text/plain\r\n\r
The dredger comes on Monday, see the plan.\r\n--cut\r\nContent-Type: text/plain\r
Content-Disposition: attachment; filename="dredging-plan.txt"\r\n\r
It begins at the eastern pier.\r\n--cut--\r\n"""


def test_attachments_appear_in_the_list_and_go_with_their_mail(
    portal: Portal, documents: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "dredger.eml"
    path.write_bytes(MAIL)
    page = documents()
    page.set_input_files("[data-testid=upload-input]", str(path))
    page.locator("[data-testid=document-link]", has_text="dredging-plan").wait_for(timeout=60_000)
    page.locator(f"{ROW}[data-state=ready] a").click()
    page.click("[data-testid=delete]")
    expect(page.locator("[data-testid=delete-attached]")).to_contain_text("2 documents of 2 pages in all")
    page.click("[data-testid=confirm-delete]")
    page.wait_for_url("**/documents/")
    expect(page.locator("[data-testid=document-link]", has_text="dredging-plan")).to_have_count(0)


def test_a_file_that_failed_before_says_so_and_is_tried_again(
    portal: Portal, documents: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "wreck.pdf"
    path.write_bytes(broken_pdf("a wreck"))
    stored = send(portal, "wreck.pdf", path.read_bytes())
    client = portal.client()
    failed = wait_for(lambda: (got := client.get(f"documents/{stored['id']}/").json())["reason"] and got)
    page = documents()
    page.set_input_files("[data-testid=upload-input]", str(path))
    page.wait_for_selector(f"{ROW}[data-state=failed]")
    note = page.locator(f"{ROW} [data-note]").inner_text()
    assert note == f"Already here, but it could not be read: {failed['reason']} wreck"
    with page.expect_response("**/reindex/") as answered:
        page.click("[data-testid=upload-retry]")
    assert answered.value.status == 202
    page.locator(f"{ROW}[data-state=failed] [data-note]", has_text="PDF").wait_for(timeout=30_000)


def test_a_row_is_cancelled_beside_the_uploads(documents: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "pontoons.txt").write_text(long_text("pontoon"))
    (tmp_path / "odd.bin").write_bytes(bytes(range(256)) * 8)
    page = documents()
    page.set_input_files("[data-testid=upload-input]", [str(path) for path in tmp_path.iterdir()])
    page.wait_for_selector(f"{ROW}[data-state=refused]")
    refusal = page.locator(f"{ROW}[data-state=refused] [data-note]").inner_text()
    assert refusal
    assert "Supported:" not in refusal, "that stands above the list"
    row = page.locator("[data-testid=document-row]", has_text="pontoons")
    row.locator("summary").click()
    row.locator("[data-testid=cancel]").click()
    row.locator("[data-badge]", has_text="cancelled").wait_for(timeout=30_000)
    assert row.locator("[data-testid=document-reason]").is_hidden()
    page.wait_for_selector(f"{ROW}[data-state=cancelled]")
    summary = page.locator("[data-testid=upload-summary]")
    expect(summary).to_have_text("2 files: 1 refused, 1 cancelled")


def test_a_file_is_replaced_on_its_page(
    portal: Portal, documents: Callable[..., Any], tmp_path: Path
) -> None:
    stored = send(portal, "tide.txt", b"The tide of Regen is two metres.")
    (tmp_path / "tide.txt").write_text("The tide of Regen is three metres.")
    page = documents(java_script_enabled=False)
    page.goto(f"{portal.address}/documents/{stored['id']}/")
    page.click("[data-testid=replace]")
    page.set_input_files("[data-testid=replace-input]", str(tmp_path / "tide.txt"))
    page.click("[data-testid=replace-submit]")
    expect(page.locator("body")).to_contain_text("Replaced.")
    client = portal.client()
    wait_for(lambda: client.get(f"documents/{stored['id']}/").json()["status"] == "ready")
    page.reload()
    assert "three metres" in page.locator("[data-testid=page-text]").inner_text()


def test_a_citation_is_shown_on_the_picture_of_its_page(
    portal: Portal, documents: Callable[..., Any]
) -> None:
    lines = [f"Line {n} of the harbour rules is about berth number {n}." for n in range(40)]
    stored = send(portal, "rules.pdf", make_pdf([lines]))
    client = portal.client()
    wait_for(lambda: client.get(f"documents/{stored['id']}/").json()["status"] == "ready")
    page = documents(viewport={"width": 360, "height": 640})
    page.goto(f"{portal.address}/documents/{stored['id']}/?page=1&start=900&end=1000&box=60,600,300,612")
    page.locator("[data-testid=passage-mark]").wait_for()
    box = page.locator("[data-testid=page-boxes] rect").bounding_box()
    assert 0 < box["y"] < 640 - box["height"]


def test_an_upload_is_cancelled_and_tried_again(documents: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "tugs.txt"
    path.write_text("Two tugs wait at the lock of Regen.")
    page = documents()
    held: list[Any] = []
    page.route("**/api/v1/documents/", lambda route: held.append(route))
    page.set_input_files("[data-testid=upload-input]", str(path))
    row = page.locator(ROW)
    page.wait_for_selector(f"{ROW}[data-state=uploading]")
    row.locator("[data-testid=upload-dismiss]").click()
    page.wait_for_selector(f"{ROW}[data-state=cancelled]")
    page.unroute("**/api/v1/documents/")
    row.locator("[data-testid=upload-retry]").click()
    page.wait_for_selector(f"{ROW}[data-state=ready]", timeout=60_000)


def test_without_scripts_files_are_uploaded_and_failed_ones_tried_again(
    portal: Portal, documents: Callable[..., Any], tmp_path: Path
) -> None:
    paths = [tmp_path / "skiff.txt", tmp_path / "broken.pdf"]
    paths[0].write_text("A skiff lies at the pier of Regen.")
    paths[1].write_bytes(b"%PDF-1.7\nNothing of a PDF follows.\n%%EOF")
    page = documents(java_script_enabled=False)
    page.set_input_files("[data-testid=upload-input]", [str(path) for path in paths])
    page.click("[data-testid=upload-submit]")
    expect(page.locator("body")).to_contain_text("skiff was added.")
    client = portal.client()
    wait_for(lambda: client.get("documents/", params={"q": "broken", "status": "failed"}).json()["results"])
    page.goto(f"{portal.address}/documents/?q=broken")
    row = page.locator("[data-testid=document-row]")
    assert "PDF" in row.locator("[data-testid=document-reason]").inner_text()
    page.click("[data-testid=retry-all]")
    expect(page.locator("body")).to_contain_text(re.compile(r"\d+ documents? (is|are) tried again\."))
    assert page.url.endswith("/documents/?q=broken")
