"""Columns of prose, and the order in which the lines of a page are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from documents.parsing.pdf.glyphs import CELL_SEPARATOR, PROSE_CHARACTERS, Fragment
from documents.parsing.types import Box

#: So many pairs of lines of prose side by side make columns; fewer are enough where both stand level.
COLUMN_PAIRS, LEVEL_PAIRS = 8, 4
#: Lines of one column begin within so many points of each other: paragraphs are indented.
INDENT = 15.0
#: Lines of prose fill their column, cells of a table do not: so large a share of the lines on the left
#: ends in the last quarter of their width.
FILLED_SHARE, FILLED_WIDTH = 0.5, 0.75
#: So many steps from the right column back to the left, a line further down, are no reading.
INTERLEAVED = 3
#: A step upwards by more line heights than this is no detail of a table.
FAR = 2.0
#: A page of which so many lines are rows of tables keeps the order of its file: cells of several lines
#: look like blocks.
TABULAR_SHARE = 0.3
#: A page of more blocks than this keeps the order of its file: sorting takes their number squared.
MAX_BLOCKS = 80


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two lines side by side, and whether they stand level."""

    left: Fragment
    right: Fragment
    level: bool


@dataclass(slots=True)
class _Column:
    """A column that has another one on its left: where it begins, and from where to where it reaches."""

    left: float
    top: float
    bottom: float


class Columns:
    """The columns of prose of a page, where it has several."""

    def __init__(self, fragments: Sequence[Fragment]) -> None:
        prose = [f for f in fragments if len(f.text) >= PROSE_CHARACTERS and CELL_SEPARATOR not in f.text]
        self._columns = [_column(starts, prose) for starts in _clusters(_side_by_side(prose))]

    def __bool__(self) -> bool:
        return bool(self._columns)

    def between(self, left: Fragment, right: Fragment) -> bool:
        """Whether the two stand in different columns."""
        return any(
            left.box[0] < column.left
            and left.box[2] <= column.left + 2
            and right.box[0] >= column.left - 8
            and column.top - left.height < left.middle < column.bottom + left.height
            for column in self._columns
        )


def _side_by_side(prose: list[Fragment]) -> Iterator[_Pair]:
    """Pairs of lines at about one height; those of two columns need not stand level."""
    prose.sort(key=lambda f: f.middle)
    for first, second in pairwise(prose):
        apart = second.middle - first.middle
        if apart < 0.9 * first.height:
            left, right = (first, second) if first.box[0] < second.box[0] else (second, first)
            if left.box[2] <= right.box[0]:
                yield _Pair(left, right, apart < 0.35 * min(first.height, second.height))


def _clusters(pairs: Iterable[_Pair]) -> Iterator[list[Fragment]]:
    """The right ones of pairs that begin at about the same place, where they are many."""
    clusters: list[list[_Pair]] = []
    for pair in sorted(pairs, key=lambda pair: pair.right.box[0]):
        if not clusters or pair.right.box[0] - clusters[-1][-1].right.box[0] > INDENT:
            clusters.append([])
        clusters[-1].append(pair)
    for cluster in clusters:
        many = len(cluster) >= COLUMN_PAIRS or sum(pair.level for pair in cluster) >= LEVEL_PAIRS
        if many and _fills_its_column([pair.left for pair in cluster]):
            yield [pair.right for pair in cluster]


def _fills_its_column(lines: Sequence[Fragment]) -> bool:
    start, end = min(line.box[0] for line in lines), max(line.box[2] for line in lines)
    long = sum(line.box[2] > start + FILLED_WIDTH * (end - start) for line in lines)
    return long >= FILLED_SHARE * len(lines)


def _column(found: list[Fragment], prose: Sequence[Fragment]) -> _Column:
    left = min(line.box[0] for line in found)
    column = _Column(left, min(f.box[1] for f in found), max(f.box[3] for f in found))
    own = [line for line in prose if -3 < line.box[0] - left < 3 * INDENT]
    for line in own:
        if column.bottom <= line.box[3] and line.box[1] - column.bottom < 2 * line.height:
            column.bottom = line.box[3]
    for line in reversed(own):
        if line.box[1] <= column.top and column.top - line.box[3] < 2 * line.height:
            column.top = line.box[1]
    return column


def in_reading_order(lines: list[Fragment], columns: Columns) -> list[Fragment]:
    """The lines as they are read; those of a file that is in order already stay as they are.

    Most producers write text in reading order, and they know more about it than the page shows. Where
    lines are written upwards, or columns line by line, blocks are put in order by their places.
    """
    rows = sum(CELL_SEPARATOR in line.text for line in lines)
    if rows > TABULAR_SHARE * len(lines) or not _is_disordered(lines, columns):
        return lines
    blocks = list(_blocks(lines))
    if len(blocks) > MAX_BLOCKS:
        return lines
    return [line for block in _sorted(blocks) for line in block]


def _is_disordered(lines: Sequence[Fragment], columns: Columns) -> bool:
    """A step far upwards, two in a row, or back and forth between columns.

    A single small one is usual: the head of a table's column, set in two lines.
    """
    up_before = False
    back = 0
    for before, after in pairwise(lines):
        up = _is_below(before, after)
        if up and (up_before or before.box[1] - after.box[3] > FAR * after.height):
            return True
        up_before = up
        back += bool(columns) and after.middle > before.middle and columns.between(after, before)
    return back >= INTERLEAVED


def _is_below(first: Fragment, second: Fragment) -> bool:
    """Whether ``first`` stands below ``second``, in the same column."""
    if first.box[1] < second.box[3] - 0.3 * second.height:
        return False
    narrower = min(first.box[2] - first.box[0], second.box[2] - second.box[0])
    return _overlap(first.box, second.box) > 0.3 * narrower


def _overlap(first: Box, second: Box) -> float:
    return min(first[2], second[2]) - max(first[0], second[0])


def _blocks(lines: Iterable[Fragment]) -> Iterator[list[Fragment]]:
    """Lines closely below each other and about as wide, whatever their order in the file."""
    blocks: list[list[Fragment]] = []
    for line in sorted(lines, key=lambda f: (f.box[1], f.box[0])):
        above = [block for block in blocks[-8:] if _goes_on(block[-1], line)]
        if len(above) == 1:
            above[0].append(line)
        else:
            blocks.append([line])
    yield from blocks


def _goes_on(last: Fragment, line: Fragment) -> bool:
    gap = line.box[1] - last.box[3]
    wider = max(last.box[2] - last.box[0], line.box[2] - line.box[0])
    level = abs(last.box[0] - line.box[0]) < INDENT or _overlap(last.box, line.box) > 0.7 * wider
    return level and -0.5 * line.height < gap < 0.8 * line.height and _overlap(last.box, line.box) > 0


def _sorted(blocks: list[list[Fragment]]) -> Iterator[list[Fragment]]:
    """Blocks so that each comes after those above it and those in columns on its left."""
    boxes = [_around(block) for block in blocks]
    left = sorted(range(len(blocks)), key=lambda i: (boxes[i][1], boxes[i][0]))
    while left:
        free = (i for i in left if not any(_precedes(boxes[j], boxes[i], boxes) for j in left if j != i))
        chosen = next(free, left[0])
        left.remove(chosen)
        yield blocks[chosen]


def _around(block: Sequence[Fragment]) -> Box:
    lefts, tops, rights, bottoms = zip(*(line.box for line in block), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _precedes(first: Box, second: Box, boxes: Sequence[Box]) -> bool:
    """Breuel's two rules: above in the same column, or in a column on the left with nothing between."""
    if _overlap(first, second) > 0:
        return first[1] + first[3] < second[1] + second[3]
    if first[2] > second[0]:
        return False
    top, bottom = min(first[1], second[1]), max(first[3], second[3])
    return not any(
        _overlap(first, box) > 0 and _overlap(second, box) > 0 and top < (box[1] + box[3]) / 2 < bottom
        for box in boxes
    )
