from __future__ import annotations

import time

import pytest

from documents.exceptions import UnreadableDocument
from documents.parsing import builder as builder_module
from documents.parsing.builder import PageBuilder, table_line
from documents.parsing.text import PAGE_CHARACTERS
from tests.documents.parsing.ooxml_factory import blocks, texts


def test_blocks_stand_where_their_offsets_say() -> None:
    builder = PageBuilder()
    builder.heading("  Pumps \n and filters ", 2)
    builder.paragraph("First  line\n\n second line ")
    builder.items([(0, "-", "one"), (1, "a)", "two\nlines"), (0, "", "  ")])
    builder.code("\n  def f():\n      pass\n\n")
    builder.table([["A", "B"], ["1", ""], ["", "2"]])
    document = builder.build()
    assert [(block.kind, block.level) for block in document.pages[0].blocks] == [
        ("heading", 2),
        ("paragraph", 0),
        ("list", 0),
        ("code", 0),
        ("table", 0),
    ]
    page = document.pages[0]
    found = [page.text[block.start : block.end] for block in page.blocks]
    assert found == [
        "Pumps and filters",
        "First line\nsecond line",
        "- one\n  a) two\n     lines",
        "  def f():\n      pass",
        "A | B\n1\n | 2",
    ]
    assert document.title == "Pumps and filters"


def test_control_characters_never_reach_the_text() -> None:
    builder = PageBuilder()
    builder.heading("a\0b", 1)
    builder.paragraph("c\x07d\ud800")
    builder.table([["e\x0bf", "g\0"]])
    assert texts(builder.build(title="t\0", metadata={"author": "x\0y"})) == ["ab", "cd", "ef | g"]


def test_nothing_gives_one_empty_page() -> None:
    builder = PageBuilder()
    builder.heading(" ", 1)
    builder.paragraph("")
    builder.table([["", " "]])
    builder.items([])
    document = builder.build()
    assert [page.text for page in document.pages] == [""]
    assert not document.has_text


def test_pages_end_between_blocks() -> None:
    builder = PageBuilder()
    for number in range(30):
        builder.paragraph(f"{number} " + "word " * 200)
    document = builder.build()
    assert len(document.pages) == 4
    assert all(len(page.text) <= PAGE_CHARACTERS for page in document.pages)
    assert len(texts(document)) == 30


def test_a_paragraph_longer_than_a_page_is_cut() -> None:
    builder = PageBuilder()
    builder.paragraph("A sentence of words. " * 2_000)
    document = builder.build()
    assert len(document.pages) > 3
    assert " ".join(texts(document)) == ("A sentence of words. " * 2_000).strip()


def test_a_table_longer_than_a_page_keeps_its_header_on_every_part() -> None:
    builder = PageBuilder()
    builder.heading("Stock", 1)
    builder.table([["Part", "Count"], *([f"part {n}", str(n)] for n in range(2_000))])
    document = builder.build()
    tables = [block for page in document.pages for block in page.blocks if block.kind == "table"]
    assert len(tables) == len(document.pages) > 2
    assert {block.header for block in tables} == {"Part | Count"}
    rows = [line for kind, text in blocks(document) if kind == "table" for line in text.split("\n")]
    assert rows == ["Part | Count", *(f"part {n} | {n}" for n in range(2_000))]


def test_several_header_rows_become_one() -> None:
    builder = PageBuilder()
    builder.table(
        [["Region", "Sales", "Sales"], ["Region", "2023", "2024", "Note"], ["North", "7"]], header=2
    )
    page = builder.build().pages[0]
    assert page.text == "Region | Sales 2023 | Sales 2024 | Note\nNorth | 7"
    assert page.blocks[0].header == "Region | Sales 2023 | Sales 2024 | Note"


def test_a_table_of_one_row_or_without_names_has_no_header() -> None:
    builder = PageBuilder()
    builder.table([["only", "row"]])
    builder.table([["1", "2"], ["3", "4"]], header=0)
    assert [block.header for block in builder.build().pages[0].blocks] == ["", ""]


def test_a_heading_at_the_foot_of_a_page_moves_on_with_its_text() -> None:
    builder = PageBuilder("i")
    builder.paragraph("word " * 1_900)
    builder.heading("Next", 2)
    builder.paragraph("word " * 200)
    first, second = builder.build().pages
    assert "Next" not in first.text
    assert second.text.startswith("Next\n\nword")
    assert (first.label, second.label) == ("i", "i")


def test_a_file_of_headings_only_is_read_in_linear_time() -> None:
    builder = PageBuilder()
    started = time.process_time()
    for number in range(50_000):
        builder.heading(f"h{number}", 1)
    document = builder.build()
    assert time.process_time() - started < 5
    assert len(document.pages) > 20
    assert all(len(page.text) < PAGE_CHARACTERS * 1.1 for page in document.pages)


def test_labels_that_are_the_number_are_left_out() -> None:
    builder = PageBuilder("1")
    for label in ("2", "4", "Annex"):
        builder.paragraph("text")
        builder.end_page(label)
    builder.paragraph("text")
    assert [page.label for page in builder.build().pages] == ["", "", "4", "Annex"]


def test_an_empty_page_is_none() -> None:
    builder = PageBuilder()
    builder.end_page("a")
    builder.end_page("b")
    builder.paragraph("text")
    assert [(page.number, page.label) for page in builder.build().pages] == [(1, "b")]


def test_too_many_pages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder_module, "MAX_PAGES", 3)
    builder = PageBuilder()
    for _ in range(3):
        builder.paragraph("text")
        builder.end_page()
    builder.paragraph("text")
    with pytest.raises(UnreadableDocument, match="more than 3 pages"):
        builder.end_page()


def test_metadata_without_a_value_is_left_out() -> None:
    document = PageBuilder().build(metadata={"author": " Ada\nL. ", "subject": " ", "title": "x" * 900})
    assert document.metadata == {"author": "Ada L.", "title": "x" * 500}


@pytest.mark.parametrize(
    ("cells", "line"),
    [(["a", "b"], "a | b"), (["a", "", ""], "a"), (["", "b"], " | b"), (["", ""], ""), (["a\nb"], "a b")],
)
def test_rows_are_lines(cells: list[str], line: str) -> None:
    assert table_line(cells) == line
