"""Rows of narrow tables: blanks too small to part cells by themselves do so where the row above or below
has cells that stand in the same columns."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from itertools import chain, pairwise

from documents.parsing.pdf.glyphs import CELL_SEPARATOR, Fragment

#: Rows of one table stand within so many line heights of each other.
FAR = 1.2

_WORD = re.compile(r"\S+")
#: What a paragraph or an item of a list begins with: its text stands apart from it, and is no cell.
_LABEL = re.compile(r"\W+|\(?(?:\d{1,2}(?:\.\d+)*|[a-zA-Z]|[ivxIVX]{1,4})[.)]?")


def part_cells(lines: Sequence[Fragment]) -> None:
    """In place, downwards and upwards: a header of ``Harbour Vessels Mean fee`` gets its cells from the
    rows below it, and is no heading then."""
    for row, line in chain(pairwise(lines), pairwise(reversed(lines))):
        if _may_part(line) and _is_parted(row) and _same_columns(row, line):
            line.text = _parted(line)


def _may_part(line: Fragment) -> bool:
    if not line.blanks or _is_parted(line):
        return False
    return not (line.blanks[-1].index == 1 and _LABEL.fullmatch(line.text.split()[0]))


def _is_parted(line: Fragment) -> bool:
    return 0 < len(line.blanks) == line.text.count(CELL_SEPARATOR)


def _same_columns(row: Fragment, line: Fragment) -> bool:
    """Whether every blank of one lies above one of the other; of two columns, the second begins, ends or
    is centred alike too, as any two lines have a blank at the same place now and then."""
    if len(row.blanks) != len(line.blanks) or not _are_near(row, line):
        return False
    pairs = list(zip(row.blanks, line.blanks, strict=True))
    if any(min(a.right, b.right) <= max(a.left, b.left) for a, b in pairs):
        return False
    begin, end = row.blanks[-1].right - line.blanks[-1].right, row.box[2] - line.box[2]
    return len(pairs) > 1 or min(abs(begin), abs(end), abs(begin + end) / 2) < 0.3 * line.height


def _are_near(row: Fragment, line: Fragment) -> bool:
    gap = max(row.box[1], line.box[1]) - min(row.box[3], line.box[3])
    return -0.5 * line.height < gap < FAR * line.height


def _parted(line: Fragment) -> str:
    begin = {blank.index for blank in line.blanks}
    words = _WORD.findall(line.text)
    return "".join(_joint(index, begin) + word for index, word in enumerate(words))


def _joint(index: int, begin: Container[int]) -> str:
    if not index:
        return ""
    return CELL_SEPARATOR if index in begin else " "
