"""Finding words in one document: literally, whatever their case and accents, page by page."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from documents.highlight import Piece, cut

LONGEST = 200
#: Places shown in the list, with the words around them; further ones are counted, and had by "next".
MOST_SHOWN = 100
AROUND = 60
#: Accents, soft hyphens and joiners: nobody types them.
_PASSED_OVER = re.compile("[\u0300-\u036f\u00ad\u200b-\u200d\u2060]")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """One place, the ``number``-th of its page (1 = first), with what stands around it."""

    page: int
    number: int
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class FoundPage:
    """How often the words stand on a page, and its places as far as they are shown."""

    number: int
    count: int
    places: list[Found]


@dataclass(frozen=True, slots=True)
class Finding:
    """Where ``words`` stand. ``apart``: nowhere together, so each word counts by itself."""

    words: str
    counts: dict[int, int] = field(default_factory=dict)
    places: list[Found] = field(default_factory=list)
    apart: bool = False

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def pages(self) -> list[FoundPage]:
        """The first of them, as many as a list can show."""
        return [
            FoundPage(number, count, [place for place in self.places if place.page == number])
            for number, count in list(self.counts.items())[:MOST_SHOWN]
        ]

    @property
    def first_page(self) -> int | None:
        return min(self.counts, default=None)

    def spans(self, text: str) -> list[Span]:
        """In the text of a page."""
        return spans_in(text, pattern_of(self.words, apart=self.apart))

    def position(self, page: int, number: int) -> int:
        """Which of all places this one is."""
        return sum(count for each, count in self.counts.items() if each < page) + number

    def after(self, page: int, number: int | None) -> Span | None:
        """The next place as (page, number); the first one after the last."""
        if self.counts.get(page, 0) > (number or 0):
            return page, (number or 0) + 1
        later = [each for each in self.counts if each > page]
        return (min(later or self.counts), 1) if self.counts else None

    def before(self, page: int, number: int | None) -> Span | None:
        if number and number > 1:
            return page, number - 1
        if not self.counts:
            return None
        last = max([each for each in self.counts if each < page] or self.counts)
        return last, self.counts[last]


def find(words: str, pages: Iterable[tuple[int, str]]) -> Finding:
    """``pages`` are looked through once, and once more where the words stand nowhere together."""
    words = " ".join(words.split())[:LONGEST]
    if not fold(words).strip():
        return Finding(words)
    texts = [(number, text, fold(text)) for number, text in pages if text]
    found = gathered(words, texts, apart=False)
    return found if found.counts or " " not in words else gathered(words, texts, apart=True)


def gathered(words: str, texts: Sequence[tuple[int, str, str]], *, apart: bool) -> Finding:
    pattern = pattern_of(words, apart=apart)
    counts: dict[int, int] = {}
    places: list[Found] = []
    for number, text, folded in texts:
        # Where that was in the text takes longer to find out: only for what is shown.
        count = sum(1 for _ in pattern.finditer(folded))
        if count:
            counts[number] = count
            places += shown(number, text, pattern, MOST_SHOWN - len(places))
    return Finding(words, counts, places, apart and bool(counts))


def shown(page: int, text: str, pattern: re.Pattern[str], room: int) -> Iterator[Found]:
    if room <= 0:
        return
    for number, (start, end) in enumerate(spans_in(text, pattern)[:room], 1):
        begin, stop = edge(text, start, -AROUND), edge(text, end, AROUND)
        around = [Piece("…")] if begin else []
        around += cut(text[begin:stop], [(start - begin, end - begin)])
        yield Found(page, number, around + ([Piece("…")] if stop < len(text) else []))


def edge(text: str, position: int, step: int) -> int:
    """About ``step`` characters away, not within a word."""
    there = min(max(position + step, 0), len(text))
    blank = text.find(" ", there, position) if step < 0 else text.rfind(" ", position, there)
    return there if blank < 0 or there in (0, len(text)) else blank


def fold(text: str) -> str:
    """Without case and accents. Each character by itself gives its part of the whole."""
    if text.isascii():
        return text.lower()
    return _PASSED_OVER.sub("", unicodedata.normalize("NFKD", text)).casefold()


def pattern_of(words: str, *, apart: bool) -> re.Pattern[str]:
    parts = [re.escape(part) for part in fold(words).split()]
    return re.compile(("|" if apart else r"\s+").join(parts))


def spans_in(text: str, pattern: re.Pattern[str]) -> list[Span]:
    """Where the pattern stands in ``text``, which is folded for it."""
    found = [match.span() for match in pattern.finditer(fold(text))]
    if not found or text.isascii():
        return found
    ends = list(accumulate(len(fold(character)) for character in text))
    return [(origin(ends, start), past_marks(text, origin(ends, end - 1) + 1)) for start, end in found]


def past_marks(text: str, position: int) -> int:
    """An accent of its own belongs to the letter before it."""
    while position < len(text) and not fold(text[position]):
        position += 1
    return position


def origin(ends: Sequence[int], position: int) -> int:
    """Of which character the folded ``position`` is a part."""
    return bisect_right(ends, position)
