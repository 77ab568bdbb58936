"""Running headers, footers and page numbers: they stand between the halves of a sentence, and are dropped.

Told by their place and by repetition: a line in the outermost band of its page that the pages around it
show at the same height, and numbers that count pages. Nothing is dropped from short documents.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from documents.parsing.pdf.glyphs import CELL_SEPARATOR, Fragment

#: Shorter documents keep everything; a line that fewer pages show is not running.
MIN_PAGES = 4
#: So many pages before and after are looked at: chapters have headers of their own.
NEIGHBOURS = 10
#: The share of them that shows the line. Left and right pages often differ, and chapters begin.
SHARE = 0.35
#: The share of pages around whose numbers count in step.
COUNTING_SHARE = 0.6
#: So many lines at either end of a page may be running ones.
DEPTH = 3
#: The outermost bands, as a share of the page's height, and how far a line may move in them (points).
BAND, TOLERANCE = 0.15, 8.0
MAX_CHARACTERS = 150

_OUTER_NUMBER = re.compile(r"\A\d+\s+|\s+\d+\Z")
_ROMAN = "ivxlc"
_PAGE_NUMBER = re.compile(
    r"(?:page|seite|p\.)?\s*[-–—(\[|]*\s*(?:[A-Z]{1,2}-)?(?P<number>\d{1,5}|[ivxlc]{1,7})\s*[-–—)\]|]*"
    r"(?:\s*(?:of|von|de|/)\s*\d{1,5})?",
    re.IGNORECASE,
)
_FIRST_NUMBER = re.compile(r"(?:[A-Z]-)?(\d{1,5})\b(?![.,]\d)")
_LAST_NUMBER = re.compile(r"(?:\s|[|·•–—])(\d{1,5})\Z")
#: What tables begin with on page after page: their period and their unit.
_TABLE_HEAD = re.compile(
    r"\(|\$|in (?:millions|thousands)|as of|at |for the|(?:three|six|nine|twelve|fiscal|years?|quarters?)\b|"
    r"january|february|march|april|may |june|july|august|september|october|november|december",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Edge:
    """A line at the top or bottom of a page: its distance from there, and how far out it stands."""

    page: int
    line: int
    text: str
    key: str
    at_top: bool
    distance: float
    outermost: bool
    is_number: bool


def without_running_lines(pages: Sequence[list[Fragment]], heights: Sequence[float]) -> list[list[Fragment]]:
    """The pages without their running lines.

    ``heights`` are those of the pages in points. A page on which nothing else stands stays as it is.
    """
    if sum(map(bool, pages)) < MIN_PAGES:
        return list(pages)
    ends = [
        (list(_edges(number, lines, height, at_top=True)), list(_edges(number, lines, height, at_top=False)))
        for number, (lines, height) in enumerate(zip(pages, heights, strict=True))
    ]
    running = _Running([edge for both in ends for end in both for edge in end], pages)
    kept: list[list[Fragment]] = []
    for lines, both in zip(pages, ends, strict=True):
        dropped = {edge.line for end in both for edge in _outer(end, running)}
        rest = [line for index, line in enumerate(lines) if index not in dropped]
        kept.append(rest or lines)
    return kept


def _edges(page: int, lines: Sequence[Fragment], height: float, *, at_top: bool) -> Iterator[_Edge]:
    """The outermost lines of a page, from its edge inwards."""
    by_place: Callable[[int], float] = (lambda i: lines[i].box[1]) if at_top else (lambda i: -lines[i].box[3])
    for index in sorted(range(len(lines)), key=by_place)[:DEPTH]:
        line = lines[index]
        distance = line.box[1] if at_top else height - line.box[3]
        text = line.text[: MAX_CHARACTERS + 1].strip()
        key = _OUTER_NUMBER.sub("", text).casefold()
        is_number = _PAGE_NUMBER.fullmatch(text) is not None
        yield _Edge(page, index, text, key, at_top, distance, distance <= BAND * height, is_number)


def _outer(edges: Iterable[_Edge], running: _Running) -> Iterator[_Edge]:
    """From the edge inwards, until a line is the page's own."""
    for edge in edges:
        if edge not in running:
            return
        yield edge


class _Running:
    """Tells running lines from others by what the pages around show at the same place."""

    def __init__(self, edges: Sequence[_Edge], pages: Sequence[Sequence[Fragment]]) -> None:
        self._filled = [bool(page) for page in pages]
        self._same: dict[tuple[bool, str], list[_Edge]] = defaultdict(list)
        self._steps: dict[tuple[bool, bool, int], dict[int, float]] = defaultdict(dict)
        for edge in edges:
            self._same[edge.at_top, edge.key].append(edge)
            for step in {number - edge.page for number in _numbers(edge)}:
                self._steps[edge.at_top, edge.is_number, step].setdefault(edge.page, edge.distance)

    def __contains__(self, edge: _Edge) -> bool:
        return self._counts_pages(edge) or self._repeats(edge)

    def _repeats(self, edge: _Edge) -> bool:
        """The first of the pages that show a line keeps it: it may be the title of what follows."""
        if not edge.outermost or len(edge.text) > MAX_CHARACTERS or _heads_table(edge.text):
            return False
        around = self._around(edge.page)
        seen = {
            other.page
            for other in self._same[edge.at_top, edge.key]
            if other.page in around and abs(other.distance - edge.distance) <= TOLERANCE
        }
        enough = len(seen) >= max(MIN_PAGES, SHARE * self._filled_pages(around))
        return enough and min(seen) < edge.page

    def _counts_pages(self, edge: _Edge) -> bool:
        """A number alone may stand at any height, since many producers set it below the last line."""
        around = self._around(edge.page)
        enough = max(MIN_PAGES, COUNTING_SHARE * self._filled_pages(around))
        for number in _numbers(edge):
            places = self._steps[edge.at_top, edge.is_number, number - edge.page]
            level = (abs(places[page] - edge.distance) <= TOLERANCE for page in around if page in places)
            if sum(edge.is_number or same for same in level) >= enough:
                return True
        return False

    def _around(self, page: int) -> range:
        return range(max(0, page - NEIGHBOURS), min(len(self._filled), page + NEIGHBOURS + 1))

    def _filled_pages(self, around: range) -> int:
        return sum(self._filled[page] for page in around)


def _heads_table(text: str) -> bool:
    return text.count(CELL_SEPARATOR) > 1 or _TABLE_HEAD.match(text) is not None


def _numbers(edge: _Edge) -> Iterator[int]:
    """The numbers of pages that a line may hold: alone anywhere, beside words only in the outer band."""
    alone = _PAGE_NUMBER.fullmatch(edge.text)
    if alone:
        yield _value(alone["number"])
    elif edge.outermost and len(edge.text) <= MAX_CHARACTERS and edge.text.count(CELL_SEPARATOR) < 3:
        for found in (_FIRST_NUMBER.match(edge.text), _LAST_NUMBER.search(edge.text)):
            if found:
                yield int(found[1])


def _value(numeral: str) -> int:
    """Of a number in Arabic or Roman digits."""
    if numeral.isdecimal():
        return int(numeral)
    values = [(1, 5, 10, 50, 100)[_ROMAN.index(digit)] for digit in numeral.lower()]
    signed = (-value if value < max(values[place:]) else value for place, value in enumerate(values))
    return sum(signed)
