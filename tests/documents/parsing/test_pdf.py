from __future__ import annotations

from pathlib import Path

import pytest

from documents.exceptions import UnreadableDocument
from documents.parsing.jail import parse_in_jail
from documents.parsing.pdf import parser as pdf
from documents.parsing.types import ParsedDocument, ParsedPage
from tests.documents.parsing.pdf_factory import Run, make_pdf, make_pdf_of_runs

PROSE = "These are the words of a line that is long enough to be prose."


def parsed(folder: Path, content: bytes) -> ParsedDocument:
    path = folder / "file"
    path.write_bytes(content)
    return pdf.parse(str(path))


def placed(folder: Path, *runs: Run) -> ParsedPage:
    return parsed(folder, make_pdf_of_runs([runs])).pages[0]


def texts(page: ParsedPage) -> list[str]:
    return [page.text[line.start : line.end] for line in page.lines]


def test_lines_blocks_and_boxes(tmp_path: Path) -> None:
    page = parsed(tmp_path, make_pdf([["# A heading", PROSE, PROSE, "", "", PROSE]])).pages[0]
    assert [(b.kind, b.level) for b in page.blocks] == [("heading", 1), ("paragraph", 0), ("paragraph", 0)]
    assert page.text == f"A heading\n\n{PROSE}\n{PROSE}\n\n{PROSE}"
    assert texts(page) == ["A heading", PROSE, PROSE, PROSE]
    assert (page.width, page.height) == (612, 792)
    x0, y0, x1, y1 = page.lines[0].box
    assert x0 == pytest.approx(60, abs=2)
    assert y0 < 60 + 22 < y1
    assert y0 == pytest.approx(82 - 18, abs=6)
    assert 120 < x1 < 200


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_boxes_follow_the_rotation(tmp_path: Path, rotation: int) -> None:
    page = parsed(tmp_path, make_pdf([[PROSE]], rotate=rotation)).pages[0]
    width, height = (792, 612) if rotation % 180 else (612, 792)
    assert (page.width, page.height) == (width, height)
    x0, y0, x1, y1 = page.lines[0].box
    assert 0 < x0 < x1 < width
    assert 0 < y0 < y1 < height
    near = {90: width - x1, 180: height - y1, 270: x0}[rotation]
    assert near == pytest.approx(74 - 11, abs=6)


def test_metadata_and_title(tmp_path: Path) -> None:
    document = parsed(tmp_path, make_pdf([["words"]], title="Annual (big) report", author="Ann"))
    assert document.title == "Annual (big) report"
    assert document.metadata["author"] == "Ann"
    assert document.metadata["created"] == "2024-02-29T12:00:00+00:00"


@pytest.mark.parametrize(
    "title", ["untitled", "report.docx", "0001410636-22-000048", "Microsoft Word - a.doc"]
)
def test_titles_made_up_by_programs_do_not_count(tmp_path: Path, title: str) -> None:
    assert parsed(tmp_path, make_pdf([["words"]], title=title)).title == ""


def test_torn_rows_are_put_together(tmp_path: Path) -> None:
    columns = [("Net sales", "Costs", "Profit"), ("34,229", "27,690", "6,539"), ("35,355", "27,986", "7,369")]
    runs = [
        Run(cell, 60 + 200 * x, 100 + 14 * y)
        for x, column in enumerate(columns)
        for y, cell in enumerate(column)
    ]
    page = placed(tmp_path, *runs)
    assert texts(page) == ["Net sales  34,229  35,355", "Costs  27,690  27,986", "Profit  6,539  7,369"]
    assert [block.kind for block in page.blocks] == ["table"]


def test_a_bold_header_above_narrow_columns_is_a_row_of_the_table(tmp_path: Path) -> None:
    rows = [("Skellwick", "1,204", "4.10"), ("Dunmarrow", "977", "3.65"), ("Port Hale", "933", "5.20")]
    page = placed(
        tmp_path,
        *[Run(PROSE, 60, 40 + 14 * n) for n in range(3)],
        Run("Results", 60, 100, 11, True),
        *[Run(cell, left, 120, 11, True) for cell, left in (("Harbour", 60), ("Vessels", 124), ("Fee", 176))],
        *[
            Run(cell, left, 138 + 18 * y)
            for y, row in enumerate(rows)
            for cell, left in zip(row, (60, 124, 176), strict=True)
        ],
    )
    assert [(block.kind, page.text[block.start : block.end]) for block in page.blocks[1:]] == [
        ("heading", "Results"),
        (
            "table",
            "Harbour  Vessels  Fee\nSkellwick  1,204  4.10\nDunmarrow  977  3.65\nPort Hale  933  5.20",
        ),
    ]


def test_a_bold_line_above_a_table_that_does_not_align_with_it_stays_a_heading(tmp_path: Path) -> None:
    rows = [("Skellwick", "1,204", "4.10"), ("Port Hale", "933", "5.20")]
    page = placed(
        tmp_path,
        *[Run(PROSE, 60, 40 + 14 * n) for n in range(3)],
        Run("Vessels and fees in three harbours", 60, 120, 11, True),
        *[Run(cell, 60 + 100 * x, 138 + 18 * y) for y, row in enumerate(rows) for x, cell in enumerate(row)],
    )
    assert [block.kind for block in page.blocks] == ["paragraph", "heading", "table"]


def test_values_half_a_line_below_their_label(tmp_path: Path) -> None:
    page = placed(tmp_path, Run("Proceeds from sale of businesses", 60, 100), Run("846", 400, 104.5))
    assert texts(page) == ["Proceeds from sale of businesses  846"]


def test_columns_of_prose_stay_apart(tmp_path: Path) -> None:
    left = [Run(f"left column line number {n} of prose", 50, 100 + 14 * n) for n in range(8)]
    right = [Run(f"right column line number {n} of prose", 320, 100 + 14 * n) for n in range(7)]
    page = placed(tmp_path, *left, *right, Run("the end.", 320, 100 + 14 * 7))
    assert texts(page)[7:9] == ["left column line number 7 of prose", "right column line number 0 of prose"]
    assert texts(page)[-1] == "the end."


def test_bold_lines_are_headings_below_the_large_ones(tmp_path: Path) -> None:
    page = placed(
        tmp_path,
        Run("Large", 60, 80, 20),
        Run("Item 7. Discussion", 60, 120, 11, True),
        Run("Bold words", 60, 150, 11, True),
        *[Run(PROSE, 60, 170 + 14 * n) for n in range(5)],
    )
    assert [block.level for block in page.blocks] == [1, 2, 3, 0]


def test_running_headers_are_not_headings(tmp_path: Path) -> None:
    document = parsed(tmp_path, make_pdf([["# Yearly Report", PROSE, PROSE]] * 6))
    assert {block.kind for page in document.pages for block in page.blocks} == {"paragraph"}


def test_ligatures_and_symbols(tmp_path: Path) -> None:
    page = placed(tmp_path, Run("soft\xadhyphen and more", 60, 100))
    assert "\xad" not in page.text
    assert page.lines[0].end == len(page.text)


def test_an_empty_page_has_no_text(tmp_path: Path) -> None:
    document = parsed(tmp_path, make_pdf([[]]))
    assert not document.has_text
    assert len(document.pages) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (make_pdf([["secret"]], password="pw"), "protected by a password"),
        (make_pdf([["words"]])[:300], "damaged"),
        (b"%PDF-1.7\n" + bytes(500), "damaged"),
    ],
)
def test_reasons(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument, match=reason):
        parsed(tmp_path, content)


def test_no_pages(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(make_pdf([]))
    with pytest.raises(UnreadableDocument, match="no pages"):
        parse_in_jail(str(path), "pdf")  # PDFium's error code needs a process that had no error before


def test_too_many_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)
    with pytest.raises(UnreadableDocument, match="more than"):
        parsed(tmp_path, make_pdf([["a"]] * 3))


def test_a_file_cut_at_its_end_is_still_read(tmp_path: Path) -> None:
    content = make_pdf([["first words"], ["second words"]])
    document = parsed(tmp_path, content[: content.index(b"startxref")])
    assert [page.text for page in document.pages] == ["first words", "second words"]
