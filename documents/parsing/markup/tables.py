"""Tables of HTML: the rows of those that hold data, and which ones only place things on the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile

from lxml import etree

#: A table with a longer cell places texts side by side.
MAX_CELL = 2_000
MAX_SPAN = 200
MAX_COLUMNS = 1_000

_LAYOUT_ROLES = ("presentation", "none")
_PARTS_OF_PAGES = ("table", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "form", "article")

Row = list[str]
#: Its text, and how many columns and rows it spans.
Cell = tuple[str, int, int]
Words = Callable[[etree._Element], str]


def read_table(table: etree._Element, words: Words) -> tuple[list[Row], int]:
    """The rows of a table of data, and how many of the first ones name the columns.

    No rows for a table that places things: of one row or column, of long texts, or of other tables.
    A cell that spans several columns or rows is not repeated: what it covers is left empty.
    """
    found = [] if _is_layout(table) else [(row, cells) for row, cells in _rows(table, words) if any(cells)]
    rows = [cells for _, cells in found]
    wide = any(sum(map(bool, cells)) > 1 for cells in rows)
    if len(rows) < 2 or not wide or any(len(cell) > MAX_CELL for cells in rows for cell in cells):
        return [], 0
    head = sum(1 for _ in takewhile(lambda pair: _is_in_head(pair[0]), found))
    return rows, head or int(_names_columns(found[0][0]))


def _is_layout(table: etree._Element) -> bool:
    """Judging by what it is made of."""
    if table.get("role") in _LAYOUT_ROLES:
        return True
    parts = table.iter(*_PARTS_OF_PAGES)
    next(parts)  # the table itself
    return next(parts, None) is not None


def _is_in_head(row: etree._Element) -> bool:
    parent = row.getparent()
    return parent is not None and parent.tag == "thead"


def _names_columns(row: etree._Element) -> bool:
    """All cells are headers, or bold from end to end."""
    cells = [cell for cell in row.iterchildren("td", "th") if _letters(cell)]
    return len(cells) > 1 and all(cell.tag == "th" or _is_bold(cell) for cell in cells)


def _is_bold(cell: etree._Element) -> bool:
    return any(_letters(element) == _letters(cell) for element in cell.iter("b", "strong"))


def _letters(element: etree._Element) -> str:
    return "".join("".join(element.itertext()).split())


def _rows(table: etree._Element, words: Words) -> Iterator[tuple[etree._Element, Row]]:
    elements = list(table.iter("tr"))
    return zip(elements, grid(_cells(row, words) for row in elements), strict=True)


def _cells(row: etree._Element, words: Words) -> Iterator[Cell]:
    for cell in row.iterchildren("td", "th"):
        yield " ".join(words(cell).split()), _span(cell, "colspan"), _span(cell, "rowspan")


def grid(rows: Iterable[Iterable[Cell]]) -> Iterator[Row]:
    """Each row's cells in their columns; what a wide or high cell covers is left empty."""
    covered: dict[int, int] = {}  # column -> rows further down that a cell above covers
    for cells in rows:
        row: Row = []
        for text, width, height in cells:
            _skip_covered(row, covered)
            if height > 1:
                covered |= dict.fromkeys(range(len(row), min(len(row) + width, MAX_COLUMNS)), height - 1)
            row += [text, *[""] * min(width - 1, MAX_COLUMNS - len(row))]
        _skip_covered(row, covered)
        while row and not row[-1]:
            row.pop()
        yield row


def _skip_covered(row: Row, covered: dict[int, int]) -> None:
    while (left := covered.get(len(row), 0)) > 0:
        covered[len(row)] = left - 1
        row.append("")


def _span(cell: etree._Element, name: str) -> int:
    value = cell.get(name) or ""
    return min(max(int(value), 1), MAX_SPAN) if re.fullmatch(r"[0-9]{1,6}", value) else 1
