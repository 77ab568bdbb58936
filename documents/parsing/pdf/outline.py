"""The outline of a PDF (its bookmarks) and the labels of its pages, and which lines the outline names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import pypdfium2 as pdfium

from documents.parsing.pdf.glyphs import Fragment
from documents.parsing.text import unusable_removed

MAX_ENTRIES, MAX_DEPTH, MAX_TITLE = 5_000, 8, 500
MAX_LABEL = 100
#: A title is set in at most so many lines.
TITLE_LINES = 3
#: An outline covers a document if so large a share of its titles is found on their pages ...
FOUND_SHARE = 0.5
#: ... and there is a title for every so many pages.
PAGES_PER_TITLE = 20

_SIGNS = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"(?:(?:chapter|section|part|appendix|kapitel) )?(?:\d+|[ivxlc]+)(?: \d+)* ")
#: The kinds of destination whose first number is a height on the page, and those whose second is.
_FIT_HEIGHT, _XYZ = (3, 7), 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One title: its depth (1 = highest), its page (0 = first), its height above the page's foot."""

    title: str
    level: int
    page: int
    height: float | None = None


def read_outline(pdf: pdfium.PdfDocument) -> list[Entry]:
    """All titles that lead to a page. A damaged outline gives those before the damage."""
    entries: list[Entry] = []
    try:
        for bookmark in islice(pdf.get_toc(max_depth=MAX_DEPTH), MAX_ENTRIES):
            entry = _entry(bookmark)
            if entry:
                entries.append(entry)
    except (pdfium.PdfiumError, ValueError, RecursionError):
        pass
    return entries


def _entry(bookmark: pdfium.PdfBookmark) -> Entry | None:
    title = " ".join(unusable_removed(bookmark.get_title()).split())[:MAX_TITLE]
    target = bookmark.get_dest()
    page = target.get_index() if target else None
    if not title or page is None:
        return None
    mode, places = target.get_view()
    if mode == _XYZ and len(places) > 1:
        return Entry(title, bookmark.level + 1, page, places[1])
    if mode in _FIT_HEIGHT and places:
        return Entry(title, bookmark.level + 1, page, places[0])
    return Entry(title, bookmark.level + 1, page)


def read_labels(pdf: pdfium.PdfDocument) -> list[str]:
    """What the document calls its pages, one by one; empty where that is the page's number."""
    labels: list[str] = []
    for index in range(len(pdf)):
        try:
            labels.append(tidy_label(pdf.get_page_label(index), index))
        except (pdfium.PdfiumError, ValueError):
            labels.append("")
    return labels


def tidy_label(label: str, index: int) -> str:
    label = " ".join(unusable_removed(label).split())[:MAX_LABEL]
    return "" if label == str(index + 1) else label


class Outline:
    """The titles that were found among the lines of their pages."""

    def __init__(self, entries: Iterable[Entry], pages: Sequence[Sequence[Fragment]]) -> None:
        """``pages`` are the lines of each page."""
        self._levels: dict[int, dict[int, int]] = {}
        by_page: dict[int, list[Entry]] = defaultdict(list)
        for entry in entries:
            if entry.page < len(pages):
                by_page[entry.page].append(entry)
        for page, here in by_page.items():
            self._levels[page] = _found(here, pages[page])
        named = sum(map(len, by_page.values()))
        found = sum(len(set(levels)) for levels in self._levels.values())
        covers = found >= max(FOUND_SHARE * named, len(pages) / PAGES_PER_TITLE, 1)
        #: The depth of an outline that covers the document, else 0.
        self.depth = max((e.level for e in self._all(by_page)), default=0) if covers else 0

    def levels(self, page: int) -> dict[int, int]:
        """The lines of a page (0 = first) that are titles: index of the line -> level."""
        return self._levels.get(page, {})

    @staticmethod
    def _all(by_page: dict[int, list[Entry]]) -> Iterator[Entry]:
        return (entry for entries in by_page.values() for entry in entries)


def _found(entries: Sequence[Entry], lines: Sequence[Fragment]) -> dict[int, int]:
    keys = [_key(line.text) for line in lines]
    forms = [_forms(key) if key else set() for key in keys]
    bottom = max((line.box[3] for line in lines), default=0.0)
    levels: dict[int, int] = {}
    for entry in entries:
        spots = [spot for spot in _spots(_forms(_key(entry.title)), keys, forms) if spot.start not in levels]
        if spots:
            best = min(spots, key=lambda spot: _distance(entry, lines[spot.start], bottom))
            levels.update(dict.fromkeys(best, entry.level))
    return levels


def _distance(entry: Entry, line: Fragment, bottom: float) -> float:
    """How far a line is from where the entry leads; the upper one where that is unknown."""
    return line.box[1] if entry.height is None else abs(bottom - entry.height - line.box[1])


def _spots(wanted: set[str], keys: Sequence[str], forms: Sequence[set[str]]) -> Iterator[range]:
    """The lines, or a few in a row, that read like the title, with its number or without."""
    for start, joined in enumerate(forms):
        for end in range(start + 1, min(start + TITLE_LINES, len(keys)) + 1):
            joined = {form for form in joined if any(title.startswith(form) for title in wanted)}
            if joined & wanted:
                yield range(start, end)
                break
            if not joined or end == len(keys):
                break
            joined = {f"{form} {keys[end]}" for form in joined}


def _key(text: str) -> str:
    return _SIGNS.sub(" ", text).strip().casefold()


def _forms(key: str) -> set[str]:
    """As it is, and without the number before it."""
    numbered = _NUMBER.match(key)
    return {key, key[numbered.end() :]} if numbered else {key}
