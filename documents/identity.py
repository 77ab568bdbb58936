"""What names a document: its title, file, type and tags, the names and years that its text holds.

Who asks for "Acme's report of 2018" means a document, and most of its passages name neither. These words are
indexed once for each document (``DocumentIdentity``), and weighted there by how rare they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import PurePath

#: So often as a word of the text counts a word of the title.
TITLE_WEIGHT = 3
#: Characters of the first page, which says whose document it is; further in only what comes again and again.
FIRST_PAGE = 6_000
FIRST_PAGE_NAMES = 100
FREQUENT_NAMES = 30
YEARS = 2
#: Characters of the text that are read: what comes again and again comes early.
SAMPLE = 400_000
#: A word is a name when it is written large so many times as often as small.
LARGE_TO_SMALL = 9
MIN_TIMES = 2

_WORD = re.compile(r"[^\W\d_]{2,}")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_PART = re.compile(r"[^\W_]+")


def identity(*, title: str, filename: str, kind: str, tags: Iterable[str], pages: Sequence[str]) -> str:
    """The words that name the document, for its index. ``kind`` is what people call its type."""
    named = " ".join(title_words(title, filename))
    found = [*names(pages), *years(pages[0] if pages else ""), kind, *tags]
    return " ".join([*[named] * TITLE_WEIGHT, *found])


def title_words(title: str, filename: str) -> list[str]:
    """Of the title, then those of the file's name that it does not hold."""
    words = _PART.findall(title)
    known = {word.casefold() for word in words}
    return words + [word for word in _PART.findall(PurePath(filename).stem) if word.casefold() not in known]


def names(pages: Sequence[str]) -> list[str]:
    """Names on the first page, then those that the text holds most often."""
    large, small = _cases("\n".join(pages)[:SAMPLE])
    found = {word for word, times in large.items() if times >= max(MIN_TIMES, LARGE_TO_SMALL * small[word])}
    beginning = pages[0][:FIRST_PAGE] if pages else ""
    first = [word for word in map(str.casefold, _WORD.findall(beginning)) if word in found]
    frequent = [word for word, _ in large.most_common() if word in found]
    return [*list(dict.fromkeys(first))[:FIRST_PAGE_NAMES], *frequent[:FREQUENT_NAMES]]


def _cases(text: str) -> tuple[Counter[str], Counter[str]]:
    """How often each word is written with a large letter, and how often without."""
    large: Counter[str] = Counter()
    small: Counter[str] = Counter()
    for word in _WORD.findall(text):
        (small if word.islower() else large)[word.casefold()] += 1
    return large, small


def years(text: str) -> list[str]:
    """Those that the text holds most often."""
    return [year for year, _ in Counter(_YEAR.findall(text[:FIRST_PAGE])).most_common(YEARS)]


def day_of(metadata: Mapping[str, object]) -> date | None:
    """The day that the document bears, by what its file says; None where that is no day."""
    said = str(metadata.get("created") or metadata.get("date") or "")[:10]
    try:
        return date.fromisoformat(said)
    except ValueError:
        return None
