from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents.parsing.pdf_factory import Run
from tests.documents.parsing.test_pdf import placed, texts

COLUMNS = {2: (50, 320), 3: (40, 230, 420)}


def column(name: str, left: float, top: float, lines: int = 8) -> list[Run]:
    return [Run(f"{name} line {n} with words of plain prose", left, top + 12 * n, 9) for n in range(lines)]


def expected(names: str, lines: int = 8) -> list[str]:
    return [f"{name} line {n} with words of plain prose" for name in names for n in range(lines)]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_columns_are_read_one_after_the_other(tmp_path: Path, count: int, shift: float) -> None:
    names = "ABC"[:count]
    runs = [run for n, name in enumerate(names) for run in column(name, COLUMNS[count][n], 100 + shift * n)]
    assert texts(placed(tmp_path, *runs)) == expected(names)


@pytest.mark.parametrize("count", [2, 3])
def test_columns_written_line_by_line_are_read_one_after_the_other(tmp_path: Path, count: int) -> None:
    names = "ABC"[:count]
    columns = [column(name, COLUMNS[count][n], 100 + 4 * n) for n, name in enumerate(names)]
    runs = [run for row in zip(*columns, strict=True) for run in row]
    assert texts(placed(tmp_path, *runs)) == expected(names)


def test_a_title_above_and_a_figure_between_columns(tmp_path: Path) -> None:
    title = Run("A title across the whole width of the page, in large letters", 60, 60, 16)
    caption = Run(
        "Figure 1. The caption of a picture that is as wide as both columns of the page together", 60, 260, 9
    )
    upper = [*column("A", 50, 100), *column("B", 320, 104)]
    lower = [*column("C", 50, 300), *column("D", 320, 304)]
    in_order = [title, *upper, caption, *lower]
    found = texts(placed(tmp_path, *in_order))
    assert found == [title.text, *expected("AB"), caption.text, *expected("CD")]
    assert texts(placed(tmp_path, caption, *lower, *upper, title)) == found


def test_text_written_from_the_foot_of_the_page_is_read_from_its_top(tmp_path: Path) -> None:
    runs = [Run(f"Line {n} of a letter.", 60, 100 + 14 * n) for n in range(6)]
    assert texts(placed(tmp_path, *reversed(runs))) == [run.text for run in runs]


def test_a_short_heading_beside_the_first_line_of_the_next_column(tmp_path: Path) -> None:
    left = [Run("Abstract", 50, 100, 11, True), *column("A", 50, 114)]
    assert texts(placed(tmp_path, *left, *column("B", 320, 100)))[0] == "Abstract"


def test_cells_of_a_table_are_no_columns(tmp_path: Path) -> None:
    rows = [("Building in the north", "1999"), ("The larger building in the south", "2004"), ("Land", "2010")]
    runs = [
        Run(text, left, 100 + 14 * n)
        for n, row in enumerate(rows)
        for text, left in zip(row, (60, 400), strict=True)
    ]
    assert texts(placed(tmp_path, *runs)) == ["  ".join(row) for row in rows]
