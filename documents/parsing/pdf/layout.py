"""From fragments to lines: torn table rows are put together, hyphenated words too."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from documents.parsing.pdf.columns import Columns
from documents.parsing.pdf.glyphs import CELL_SEPARATOR, WIDE_BLANK, Blank, Fragment, sticks
from documents.parsing.types import Box

#: A run of at most so many words can be a cell.
CELL_WORDS = 4

#: A line further down than so many line heights does not go on with a word.
FAR = 2.0

_VALUES = re.compile(
    r"(?:[$€£¥]? ?[(\-–—]*\d[\d.,]*[)%]*|[-–—]+)(?:  (?:[$€£¥]? ?[(\-–—]*\d[\d.,]*[)%]*|[-–—]+))*"
)
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def join_hyphenated(pages: list[list[Fragment]]) -> None:
    """Give the rest of a word torn at a line's end back to the line where it began, in place.

    PDFium does not tell a hyphen that only the line break asked for (``exam-ple``) from a real one
    (``non-GAAP``): the rest of the document decides, by how it writes that word elsewhere.
    """
    if not any(fragment.hyphenated for page in pages for fragment in page):
        return
    words = _vocabulary(pages)
    torn = [pair for page in pages for pair in _torn_words(page)]
    verdicts = [_hyphen_is_real(head, tail, words) for head, tail in torn]
    usually_real = verdicts.count(True) > verdicts.count(False)
    for index, page in enumerate(pages):
        pages[index] = _joined(page, words, usually_real)


def _vocabulary(pages: list[list[Fragment]]) -> frozenset[str]:
    texts = (fragment.text for page in pages for fragment in page)
    return frozenset(word.lower() for text in texts for word in _WORD.findall(text))


def _torn_words(page: list[Fragment]) -> Iterable[tuple[str, str]]:
    for before, after in pairwise(page):
        if before.hyphenated and after.box[1] - before.box[3] <= FAR * before.height:
            yield before.text.rsplit(None, 1)[-1], after.text.split(None, 1)[0]


def _hyphen_is_real(head: str, tail: str, words: frozenset[str]) -> bool | None:
    """None where the document has no evidence either way."""
    head, tail = head.lower(), tail.lower().rstrip(".,;:)”’\"'")
    if not (head[-1:].isalpha() and tail[:1].isalpha()) or "-" in head or "/" in head:
        return True
    if f"{head}-{tail}" in words:
        return True
    return False if head + tail in words else None


def _joined(page: list[Fragment], words: frozenset[str], usually_real: bool) -> list[Fragment]:
    lines: list[Fragment] = []
    for fragment in page:
        if not lines or not lines[-1].hyphenated:
            lines.append(fragment)
            continue
        before = lines[-1]
        if fragment.box[1] - before.box[3] > FAR * before.height:
            lines.append(fragment)  # a word goes on in the next line, not in the page's footer
            continue
        tail, _, rest = fragment.text.partition(" ")
        real = _hyphen_is_real(before.text.rsplit(None, 1)[-1], tail, words)
        hyphen = "-" if (usually_real if real is None else real) else ""
        continues = fragment.hyphenated and not rest
        lines[-1] = replace(before, text=before.text + hyphen + tail, hyphenated=continues)
        if rest.strip():
            lines.append(replace(fragment, text=rest.lstrip(), blanks=()))
    return lines


def merge_rows(fragments: list[Fragment], columns: Columns) -> list[Fragment]:
    """One line for the cells of one visual row; columns of prose stay apart."""
    fragments = _with_their_values(fragments)
    if len(fragments) < 2:
        return fragments
    row_of: dict[int, int] = {}
    members: dict[int, list[int]] = {}
    for left, right in _neighbours(fragments):
        if _same_row(fragments[left], fragments[right], right - left == 1, columns):
            row = row_of.setdefault(left, left)
            row_of[right] = row
            members.setdefault(row, [row]).append(right)
    lines: dict[int, Fragment] = {min(row): _row([fragments[i] for i in row]) for row in members.values()}
    merged = {index for row in members.values() for index in row}
    lines.update({i: fragment for i, fragment in enumerate(fragments) if i not in merged})
    return [lines[index] for index in sorted(lines)]


def _with_their_values(fragments: list[Fragment]) -> list[Fragment]:
    lines: list[Fragment] = []
    for fragment in fragments:
        if lines and _values_of(lines[-1], fragment):
            lines[-1] = _row([lines[-1], fragment])
        else:
            lines.append(fragment)
    return lines


def _values_of(label: Fragment, values: Fragment) -> bool:
    """Numbers set beside the middle of a label that takes two lines stand half a line off."""
    return (
        abs(label.middle - values.middle) < 0.8 * label.height
        and label.box[2] <= values.box[0]
        and CELL_SEPARATOR not in label.text
        and _VALUES.fullmatch(values.text) is not None
        and not _VALUES.fullmatch(label.text)
    )


def _neighbours(fragments: list[Fragment]) -> Iterable[tuple[int, int]]:
    """Pairs of indices that stand side by side at one height, left to right within each height."""
    order = sorted(range(len(fragments)), key=lambda i: fragments[i].middle)
    level: list[int] = []
    for index in order:
        if level and not _level(fragments[level[0]], fragments[index]):
            yield from _pairs(level, fragments)
            level = []
        level.append(index)
    yield from _pairs(level, fragments)


def _pairs(level: list[int], fragments: list[Fragment]) -> Iterable[tuple[int, int]]:
    level.sort(key=lambda i: fragments[i].box[0])
    return pairwise(level)


def _level(first: Fragment, second: Fragment) -> bool:
    return abs(first.middle - second.middle) < 0.35 * min(first.height, second.height)


def _same_row(left: Fragment, right: Fragment, adjacent: bool, columns: Columns) -> bool:
    if right.box[0] < left.box[2] - 0.5 * left.height or columns.between(left, right):
        return False
    if left.is_vertical or right.is_vertical:
        return False
    return adjacent or _is_cell(left) or _is_cell(right)


def _is_cell(fragment: Fragment) -> bool:
    return fragment.text.count(" ") < CELL_WORDS


def _row(cells: list[Fragment]) -> Fragment:
    text, blanks = cells[0].text, cells[0].blanks
    for before, cell in pairwise(cells):
        wide = cell.box[0] - before.box[2] > WIDE_BLANK * cell.height
        apart = wide and not sticks(before.text.rsplit(None, 1)[-1], cell.text.split(None, 1)[0])
        count = len(text.split())
        if apart:
            blanks += (Blank(count, before.box[2], cell.box[0]),)
        blanks += tuple(replace(blank, index=blank.index + count) for blank in cell.blanks)
        text += (CELL_SEPARATOR if apart else " ") + cell.text
    bold = all(cell.bold for cell in cells)
    return replace(cells[0], text=text, box=union(cell.box for cell in cells), bold=bold, blanks=blanks)


def union(boxes: Iterable[Box]) -> Box:
    """The smallest box around all of them."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def body_size(lines: Iterable[Fragment]) -> float:
    """The font size in which most of the text is set, to half a point."""
    weights: Counter[float] = Counter()
    for line in lines:
        weights[round(line.size * 2) / 2] += len(line.text)
    return weights.most_common(1)[0][0] if weights else 0.0
