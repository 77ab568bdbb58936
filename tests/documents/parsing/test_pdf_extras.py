"""What a PDF holds beside the text of its pages: outline, labels, form values, comments, attachments."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PageObject, PdfWriter
from pypdf.annotations import FreeText, Highlight, Link, Text
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NumberObject,
    TextStringObject,
)

from documents.exceptions import UnreadableDocument
from documents.parsing.pdf import catalog as pdf_catalog
from documents.parsing.pdf import fallback as pdf_fallback
from documents.parsing.pdf import parser as pdf
from documents.parsing.types import ParsedDocument
from tests.documents.parsing.pdf_factory import Run, make_pdf, make_pdf_of_runs
from tests.documents.parsing.test_pdf import PROSE, parsed

#: ReportLab-like: a heading only bold, prose below it.
CHAPTER = [Run("1 The first chapter", 60, 80, 11, True), *[Run(PROSE, 60, 110 + 14 * n) for n in range(5)]]


def changed(content: bytes, change: Callable[[PdfWriter], object]) -> bytes:
    writer = PdfWriter(clone_from=BytesIO(content))
    change(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def headings(document: ParsedDocument) -> list[tuple[int, str]]:
    return [
        (block.level, page.text[block.start : block.end])
        for page in document.pages
        for block in page.blocks
        if block.kind == "heading"
    ]


def with_outline(writer: PdfWriter) -> None:
    part = writer.add_outline_item(title="Part one", page_number=0)
    chapter = writer.add_outline_item(title="The First Chapter", page_number=0, parent=part)
    writer.add_outline_item(title="A title over two lines that is rather long", page_number=1, parent=chapter)


OUTLINED = [
    [Run("Part one", 60, 50), *CHAPTER],
    [Run("A title over two lines", 60, 60, 16), Run("that is rather long", 60, 80, 16), Run(PROSE, 60, 120)],
]


def test_the_outline_says_which_lines_are_headings_and_how_deep(tmp_path: Path) -> None:
    content = changed(make_pdf_of_runs(OUTLINED), with_outline)
    assert headings(parsed(tmp_path, content)) == [
        (1, "Part one"),
        (2, "1 The first chapter"),
        (3, "A title over two lines\nthat is rather long"),
    ]


def test_headings_that_the_outline_does_not_know_stand_below_it(tmp_path: Path) -> None:
    page = [*CHAPTER, Run("Bold words", 60, 200, 11, True), Run(PROSE, 60, 214)]
    content = changed(
        make_pdf_of_runs([page]),
        lambda writer: writer.add_outline_item(title="The first chapter", page_number=0),
    )
    assert headings(parsed(tmp_path, content)) == [(1, "1 The first chapter"), (3, "Bold words")]


def test_an_outline_of_other_words_changes_nothing(tmp_path: Path) -> None:
    plain = make_pdf_of_runs([CHAPTER])
    outlined = changed(plain, lambda writer: writer.add_outline_item(title="Something else", page_number=0))
    assert (
        headings(parsed(tmp_path, outlined))
        == headings(parsed(tmp_path, plain))
        == [(2, "1 The first chapter")]
    )


def test_a_damaged_outline_does_no_harm(tmp_path: Path) -> None:
    def loop(writer: PdfWriter) -> None:
        with_outline(writer)
        outline = writer.root_object["/Outlines"].get_object()
        assert isinstance(outline, DictionaryObject)
        first = outline.raw_get("/First")
        first.get_object()[NameObject("/Next")] = first
        first.get_object()[NameObject("/Dest")] = NumberObject(7)

    document = parsed(tmp_path, changed(make_pdf_of_runs(OUTLINED), loop))
    assert "Part one" in document.pages[0].text


def test_labels_are_kept_where_they_are_not_the_number(tmp_path: Path) -> None:
    def label(writer: PdfWriter) -> None:
        writer.set_page_label(0, 1, "/r")
        writer.set_page_label(2, 2, "/D", start=3)
        writer.set_page_label(3, 3, "/D", prefix="A-", start=1)

    document = parsed(tmp_path, changed(make_pdf([["words"]] * 4), label))
    assert [page.label for page in document.pages] == ["i", "ii", "", "A-1"]


def form_field(writer: PdfWriter, name: str, kind: str, value: object, top: float, **more: object) -> None:
    fields = {
        "/Type": NameObject("/Annot"),
        "/Subtype": NameObject("/Widget"),
        "/FT": NameObject(kind),
        "/T": TextStringObject(name),
        "/V": value,
        "/Rect": ArrayObject(FloatObject(n) for n in (100, 792 - top - 20, 300, 792 - top)),
        **{f"/{key}": found for key, found in more.items()},
    }
    field = writer._add_object(DictionaryObject({NameObject(key): found for key, found in fields.items()}))
    page = writer.pages[0]
    page.setdefault(NameObject("/Annots"), ArrayObject()).append(field)
    root = writer.root_object
    form = root.setdefault(NameObject("/AcroForm"), DictionaryObject({NameObject("/Fields"): ArrayObject()}))
    form["/Fields"].append(field)


def test_what_was_typed_into_a_form_belongs_to_its_page(tmp_path: Path) -> None:
    def fill(writer: PdfWriter) -> None:
        form_field(writer, "Name", "/Tx", TextStringObject("Ada\nLovelace"), 100)
        form_field(writer, "Country", "/Ch", TextStringObject("Ålandş"), 140)
        form_field(writer, "Empty", "/Tx", TextStringObject(""), 180)
        form_field(writer, "Secret", "/Tx", TextStringObject("hunter2"), 220, Ff=NumberObject(1 << 13))
        form_field(writer, "Agreed", "/Btn", NameObject("/Yes"), 260, AS=NameObject("/Yes"))
        form_field(writer, "Refused", "/Btn", NameObject("/Off"), 300, AS=NameObject("/Off"))

    page = parsed(tmp_path, changed(make_pdf([["A form"]]), fill)).pages[0]
    assert page.text.splitlines() == ["A form", "", "Name: Ada Lovelace", "Country: Ålandş", "Agreed: Yes"]
    x0, y0, x1, y1 = page.lines[1].box
    assert (x0, y0, x1, y1) == pytest.approx((100, 100, 300, 120), abs=1)


def test_values_that_the_page_shows_already_are_not_repeated(tmp_path: Path) -> None:
    content = make_pdf_of_runs([[Run("Ada Lovelace", 102, 115)]])
    filled = changed(content, lambda w: form_field(w, "Name", "/Tx", TextStringObject("Ada Lovelace"), 100))
    assert parsed(tmp_path, filled).pages[0].text == "Ada Lovelace"


def test_comments_are_text_and_links_are_not(tmp_path: Path) -> None:
    def annotate(writer: PdfWriter) -> None:
        for annotation in (
            Text(text="Please check.", rect=(100, 600, 120, 620)),
            FreeText(text="Typed on the page", rect=(100, 500, 300, 520)),
            Link(url="https://example.org/", rect=(100, 400, 120, 420)),
        ):
            writer.add_annotation(0, annotation)

    page = parsed(tmp_path, changed(make_pdf([["words"]]), annotate)).pages[0]
    assert page.text == "words\n\nComment: Please check.\nTyped on the page"


def test_embedded_files_are_attachments(tmp_path: Path) -> None:
    def attach(writer: PdfWriter) -> None:
        writer.add_attachment("../a/table.csv", b"a,b\n1,2\n")
        writer.add_attachment("note.txt", b"words")

    document = parsed(tmp_path, changed(make_pdf([["words"]]), attach))
    assert sorted((a.filename, a.content) for a in document.attachments) == [
        ("note.txt", b"words"),
        ("table.csv", b"a,b\n1,2\n"),
    ]


def test_attachments_are_limited_in_number_and_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def attach(writer: PdfWriter) -> None:
        for number in range(5):
            writer.add_attachment(f"{number}.txt", bytes(100))

    content = changed(make_pdf([["words"]]), attach)
    monkeypatch.setattr(pdf_catalog, "MAX_ATTACHED", 250)
    assert len(parsed(tmp_path, content).attachments) == 2
    pdf_catalog.open_reader.cache_clear()
    monkeypatch.setattr(pdf_catalog, "MAX_ATTACHED", 10_000)
    monkeypatch.setattr(pdf_catalog, "MAX_ATTACHMENTS", 3)
    assert len(parsed(tmp_path, content).attachments) == 3


def test_progress_is_told_every_ten_pages(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(make_pdf([["words"]] * 25))
    told: list[tuple[int, int]] = []
    pdf.parse(str(path), lambda done, total: told.append((done, total)))
    assert told == [(10, 25), (20, 25)]


def test_an_empty_password_is_tried(tmp_path: Path) -> None:
    content = changed(make_pdf([["words"]]), lambda w: w.encrypt("", "owner", algorithm="RC4-128"))
    assert parsed(tmp_path, content).pages[0].text == "words"


@pytest.fixture
def fallback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[bytes], ParsedDocument]:
    pdf_catalog.open_reader.cache_clear()

    def read(content: bytes) -> ParsedDocument:
        path = tmp_path / "file"
        path.write_bytes(content)
        return pdf_fallback.parse(str(path))

    return read


def test_pypdf_reads_outline_labels_and_metadata_too(fallback: Callable[[bytes], ParsedDocument]) -> None:
    def change(writer: PdfWriter) -> None:
        writer.add_outline_item(title="A heading", page_number=1)
        writer.set_page_label(0, 0, "/r")

    document = fallback(changed(make_pdf([["first"], ["A heading", PROSE]], title="Report"), change))
    assert document.title == "Report"
    assert [page.label for page in document.pages] == ["i", "1"]
    assert headings(document) == [(1, "A heading")]
    assert PROSE in document.pages[1].text


def test_pypdf_asks_for_the_password_too(fallback: Callable[[bytes], ParsedDocument]) -> None:
    with pytest.raises(UnreadableDocument, match="protected by a password"):
        fallback(make_pdf([["secret"]], password="pw"))


def test_pypdf_says_that_a_file_is_damaged(fallback: Callable[[bytes], ParsedDocument]) -> None:
    with pytest.raises(UnreadableDocument, match="damaged"):
        fallback(b"%PDF-1.7\n" + bytes(500))


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (0, 0, 1e6, 1e6), (-1e6, -1e6, 1e6, 1e6), (700, 800, 0, 0)])
def test_pages_of_any_size_are_read(tmp_path: Path, box: tuple[float, ...]) -> None:
    def resize(writer: PdfWriter) -> None:
        page: PageObject = writer.pages[0]
        page[NameObject("/MediaBox")] = ArrayObject(FloatObject(n) for n in box)

    page = parsed(tmp_path, changed(make_pdf([["words"]]), resize)).pages[0]
    assert page.text == "words"
    assert (page.width or 0) >= 0


def test_a_page_tree_that_bites_its_tail_ends(tmp_path: Path) -> None:
    def loop(writer: PdfWriter) -> None:
        pages = writer.root_object["/Pages"]
        pages.get_object()["/Kids"].append(pages.indirect_reference)  # type: ignore[index]
        pages.get_object()[NameObject("/Count")] = NumberObject(5)

    assert "words" in parsed(tmp_path, changed(make_pdf([["words"]]), loop)).pages[0].text


def test_actions_are_never_run(tmp_path: Path) -> None:
    def act(writer: PdfWriter) -> None:
        script = {"/S": NameObject("/JavaScript"), "/JS": TextStringObject("app.alert('run')")}
        action = DictionaryObject({NameObject(key): found for key, found in script.items()})
        writer.root_object[NameObject("/OpenAction")] = action
        writer.pages[0][NameObject("/AA")] = DictionaryObject({NameObject("/O"): action})

    assert parsed(tmp_path, changed(make_pdf([["words"]]), act)).pages[0].text == "words"


def test_highlighted_text_is_not_said_twice(tmp_path: Path) -> None:
    def annotate(writer: PdfWriter) -> None:
        box = (50, 690, 300, 730)
        quads = ArrayObject(FloatObject(n) for n in (50, 730, 300, 730, 50, 690, 300, 690))
        mark = Highlight(rect=box, quad_points=quads)
        mark[NameObject("/Contents")] = TextStringObject("marked words")
        writer.add_annotation(0, mark)

    assert (
        parsed(tmp_path, changed(make_pdf([["the marked words"]]), annotate)).pages[0].text
        == "the marked words"
    )
