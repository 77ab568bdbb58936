"""From lines to blocks: which lines are headings, tables, lists, and where paragraphs end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from types import MappingProxyType

from documents.parsing.pdf.glyphs import CELL_SEPARATOR, Fragment
from documents.parsing.pdf.layout import body_size
from documents.parsing.types import Block, BlockKind, Line, ParsedPage

NO_TITLES: Mapping[int, int] = MappingProxyType({})
#: A line set this much larger than the body text is a heading.
LARGER = 1.15
MAX_HEADING_CHARACTERS = 120
MAX_HEADING_LINES = 3
#: A line longer than this is hardly the label of a table's row, unless it is wrapped.
LABEL_CHARACTERS = 100
#: A line at the same place of so many pages is a running header, not a heading.
RUNNING_PAGES = 5
#: Levels by size; bold headings of the body's size come below them.
SIZE_LEVELS = 3

_BULLET = re.compile(r"(?:[•·▪●○◦‣–*-]|\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4})[.)])\s+\S")
_BULLET_CELL = re.compile(r"\S{1,6}" + CELL_SEPARATOR + r"[^ ]+(?: [^ ]+)*\Z")
_ITEM = re.compile(r"(?:item|part|note|chapter|section|schedule|exhibit)\s+[\dIVX]", re.IGNORECASE)
_NUMBERED_ITEM = re.compile(r"(?:item|part|note)\s+\S+\s*\Z|[\dIVXivx]+(?:\.\d+)*\.?\Z", re.IGNORECASE)
_PERIOD = re.compile(
    r"(?:as of|at|for the|(?:three|six|nine|twelve|fiscal|years?|quarters?|months?|weeks?)\b.*\bended|"
    r"years? ended|january|february|march|april|may|june|july|august|september|october|november|december)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?:;。][\"”’')\]]*\Z")
_DIGITS = re.compile(r"\d+")
_VALUE = re.compile(r"[$€£(]*[-–—]?[\d.,]*\d[\d.,]*[)%]*|[-–—]+|[$€£]\s?.*|N/?[AM]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Style:
    """What the document's headings are told by: its body size, its larger sizes, its running headers."""

    body: float
    larger: tuple[float, ...]
    running: frozenset[str]
    #: The depth of an outline that covers the document, or 0: other headings stand below it.
    outlined: int = 0


@dataclass(slots=True)
class _Group:
    kind: BlockKind
    lines: list[Fragment]
    level: int = 0


def document_style(pages: Sequence[Sequence[Fragment]], outlined: int = 0) -> Style:
    """Look at the whole document once, before its pages are laid out one by one."""
    lines = [line for page in pages for line in page]
    # Tables are often set smaller than the text, and in a statement they are most of it.
    body = body_size(line for line in lines if not _is_tabular(line.text)) or body_size(lines)
    sizes: Counter[float] = Counter()
    for page in pages:
        sizes.update({_rounded(line.size) for line in page if _is_larger(line, body) and _may_head(line)})
    larger = sorted(sizes, reverse=True)
    return Style(body, tuple(larger), _running_headers(pages), outlined)


def _rounded(size: float) -> float:
    return round(size * 2) / 2


def _is_larger(line: Fragment, body: float) -> bool:
    return line.size >= LARGER * body > 0


def _running_headers(pages: Sequence[Sequence[Fragment]]) -> frozenset[str]:
    seen: Counter[str] = Counter()
    for page in pages:
        seen.update({_key(line.text) for line in [*page[:3], *page[-2:]]})
    return frozenset(text for text, count in seen.items() if count >= RUNNING_PAGES)


def _key(text: str) -> str:
    return _DIGITS.sub("0", text).casefold()


def lay_out(
    number: int,
    lines: list[Fragment],
    style: Style,
    size: tuple[float, float],
    titles: Mapping[int, int] = NO_TITLES,
    notes: Sequence[Fragment] = (),
) -> ParsedPage:
    """The page's text, with blocks and lines at offsets that hold by construction.

    ``titles`` are the lines that the document's outline names: index -> level. ``notes`` come last.
    """
    parts: list[str] = []
    blocks: list[Block] = []
    placed: list[Line] = []
    offset = 0
    groups = _groups(lines, style, titles)
    if notes:
        groups.append(_Group("paragraph", list(notes)))
    for group in groups:
        start = offset
        for line in group.lines:
            parts += (line.text, "\n")
            x0, y0, x1, y1 = line.box
            box = (round(x0, 1), round(y0, 1), round(x1, 1), round(y1, 1))
            placed.append(Line(offset, offset + len(line.text), box))
            offset += len(line.text) + 1
        blocks.append(Block(group.kind, start, offset - 1, group.level))
        parts.append("\n")
        offset += 1
    return ParsedPage(number, "".join(parts).rstrip("\n"), tuple(blocks), *size, tuple(placed))


def _groups(lines: list[Fragment], style: Style, titles: Mapping[int, int]) -> list[_Group]:
    tables = _table_rows(lines)
    usual_gap = _usual_gap(lines)
    groups: list[_Group] = []
    for index, line in enumerate(lines):
        if index in titles:
            group = _Group("heading", [line], titles[index])
        elif index in tables:
            group = _Group("table", [line])
        else:
            group = _single(line, style, index + 1 in tables)
        if groups and _continues(groups[-1], group, usual_gap):
            groups[-1].lines.append(line)
        else:
            groups.append(group)
    return list(_without_false_headings(groups))


def _single(line: Fragment, style: Style, before_table: bool) -> _Group:
    level = _heading_level(line, style)
    if level and style.outlined:
        # A small bold line that no outline knows, and that a table follows, is the table's own head.
        level = 0 if before_table and not _is_larger(line, style.body) else style.outlined + level
    if level:
        return _Group("heading", [line], level)
    return _Group("list" if _BULLET.match(line.text) else "paragraph", [line])


def _continues(group: _Group, following: _Group, usual_gap: float) -> bool:
    """Whether the line in ``following`` belongs to ``group``."""
    previous, line = group.lines[-1], following.lines[0]
    gap = line.box[1] - previous.box[3]
    if {group.kind, following.kind} & {"table", "heading"}:
        same = (group.kind, group.level) == (following.kind, following.level)
        return same and (group.kind == "table" or gap < usual_gap + 0.6 * line.height)
    if following.kind == "list":
        return group.kind == "list"
    if line.box[1] < previous.box[1] - line.height:
        # Higher up: the text goes on in the next column, in the middle of a paragraph or not.
        return not _SENTENCE_END.search(previous.text)
    if gap > usual_gap + 0.45 * line.height:
        # Set wider than is usual on this page; in the middle of a sentence it is the same paragraph.
        mid_sentence = line.text[:1].islower() and not _SENTENCE_END.search(previous.text)
        return mid_sentence and gap < 1.5 * line.height
    return abs(line.size - previous.size) < 0.2 * previous.size + 0.5


def _usual_gap(lines: list[Fragment]) -> float:
    """The gap between lines of one paragraph: a low quartile, since it is the smallest common one."""
    gaps = [b.box[1] - a.box[3] for a, b in pairwise(lines) if b.box[1] > a.box[1]]
    return max(median(sorted(gaps)[: len(gaps) // 2 + 1]), 0.0) if gaps else 0.0


def _without_false_headings(groups: list[_Group]) -> Iterator[_Group]:
    """A paragraph in bold is no heading, however it is set."""
    for group in groups:
        if group.kind == "heading" and len(group.lines) > MAX_HEADING_LINES:
            group.kind, group.level = "paragraph", 0
        yield group


def _may_head(line: Fragment) -> bool:
    text = line.text
    if not 2 < len(text) <= MAX_HEADING_CHARACTERS or not any(char.isalpha() for char in text):
        return False
    if text[0] in "•▪●○◦‣":
        return False
    if text.endswith((",", ";", "-")) or text.startswith("(") or _PERIOD.match(text):
        return False
    return not text[0].islower()


def _heading_level(line: Fragment, style: Style) -> int:
    """0 for text; sizes give the first levels, then items and capitals, bold, bold italic."""
    if not _may_head(line) or _key(line.text) in style.running:
        return 0
    depth = min(len(style.larger), SIZE_LEVELS)
    if _is_larger(line, style.body):
        return min(style.larger.index(_rounded(line.size)) + 1, SIZE_LEVELS)
    if not line.bold or line.size < 0.9 * style.body or (_BULLET.match(line.text) and len(line.text) > 60):
        return 0
    if _ITEM.match(line.text) or line.text.isupper():
        return depth + 1
    return depth + (3 if line.italic else 2)


def _table_rows(lines: list[Fragment]) -> set[int]:
    """Indices of lines that belong to tables: at least two rows, and the labels between them."""
    tabular = [i for i, line in enumerate(lines) if _is_tabular(line.text)]
    rows: set[int] = set()
    run: list[int] = []
    for index in tabular:
        if run and not _same_table(lines, run[-1], index):
            rows |= _run_rows(run)
            run = []
        run.append(index)
    return rows | _run_rows(run)


def _run_rows(run: list[int]) -> set[int]:
    return set(range(run[0], run[-1] + 1)) if len(run) > 1 else set()


def _same_table(lines: list[Fragment], last: int, index: int) -> bool:
    """Up to three lines (section labels, wrapped labels) may stand between two rows of one table."""
    between = lines[last + 1 : index]
    long = sum(len(line.text) > LABEL_CHARACTERS for line in between)
    if len(between) > 3 or long > 1:
        return False
    # A long label is a part of its row, so it stands close; a sentence between two tables does not.
    height, widest = lines[last].height, 0.8 if long else 2.5
    gaps = (b.box[1] - a.box[3] for a, b in pairwise(lines[last : index + 1]))
    return all(-2 * height < gap < widest * height for gap in gaps)


def _is_tabular(text: str) -> bool:
    cells = text.split(CELL_SEPARATOR)
    if len(cells) < 2 or (_BULLET.match(text) and _BULLET_CELL.match(text)):
        return False
    if len(cells) == 2 and _NUMBERED_ITEM.match(cells[0].strip()):
        return False  # "Item 7.  Management's Discussion"
    return len(cells) > 2 or bool(_VALUE.fullmatch(cells[-1].strip())) or max(map(len, cells)) < 60
