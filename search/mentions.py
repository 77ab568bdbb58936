"""What a question names, and whether a text mentions it: names, codes, years.

Two pumps of one kind are described in nearly the same words, so nearness in meaning cannot tell a question
about the one from a passage about the other. What sets them apart is what they are called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise

from search.words import STOP_WORDS, is_name, numbers, stem

WORD = re.compile(r"(?:[^\W\d_]\.){2,}|\w+(?:[-'’./&]\w+)*", re.UNICODE)
YEAR = re.compile(r"(?:1[0-9]|20)\d\d")
#: A year with what stands before it: FY2018, Q2'21, CY2020.
PREFIXED_YEAR = re.compile(r"(?:FY|CY|fy|cy)[-' ]?((?:1[0-9]|20)\d\d)")
#: Written a little otherwise, a name is the same; below this length it has to be exact.
FUZZY_LENGTH = 5
LIKENESS = 0.84
#: Letters at the beginning that make "Indian" and "India", "Californian" and "California" one.
SHARED_PREFIX = 5
LONGEST_ACRONYM = 6
#: Words that begin questions with a capital, or are written with one, and name nothing.
COMMON = frozenset(
    """
    answer based calculate compare compute define describe did does explain find give identify list name
    provide respond round state summarize summarise tell using usd please assume consider according
    january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday mr mrs ms dr fy cy
    kw mw gw kwh mwh gwh khz mhz ghz kpa mpa kb mb gb tb
    """.split()  # noqa: SIM905 - a list of quoted words is no better to read
)


@dataclass(frozen=True, slots=True)
class Demand:
    """A word of the question that a text has to mention in order to answer it."""

    text: str
    #: A code or a year has to be there as it is, a name may be written a little otherwise.
    exact: bool


def demands(question: str) -> tuple[Demand, ...]:
    """The names, codes and years of ``question``, each once, in their order."""
    return tuple(dict.fromkeys(_demands(question)))


def _demands(question: str) -> Iterator[Demand]:
    said = [match.group() for match in WORD.finditer(question)]
    for number, (before, word) in enumerate(pairwise(["", *said])):
        if prefixed := PREFIXED_YEAR.fullmatch(word):
            yield Demand(prefixed.group(1), exact=True)
        elif any(c.isdigit() for c in word):
            if is_code(word) or YEAR.fullmatch(word) or (number > 1 and named(before, first=False)):
                yield Demand(word, exact=True)
        elif named(word, first=number == 0):
            yield Demand(word.removesuffix("'s").removesuffix("’s"), exact=False)


def is_year(demand: Demand) -> bool:
    return bool(YEAR.fullmatch(demand.text))


def named(word: str, *, first: bool) -> bool:
    bare = word.casefold().removesuffix("'s").removesuffix("’s")
    return is_name(word, first=first) and bare not in COMMON and bare not in STOP_WORDS and len(bare) > 1


def is_code(word: str) -> bool:
    """Letters and digits in one: P-103, X.25, A320, 3M. No ordinals, and no "20-year"."""
    if re.fullmatch(r"\d+(?:st|nd|rd|th|'?s|k|m|bn|x|%)?(?:-(?:[a-z]+|\d+))*", word):
        return False
    return any(c.isalpha() for c in word)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of a text, in the forms in which names are looked for."""

    words: frozenset[str]
    stems: frozenset[str]
    acronyms: frozenset[str]
    capitals: frozenset[str]


@lru_cache(maxsize=2**10)
def vocabulary(text: str) -> Vocabulary:
    said = [match.group() for match in WORD.finditer(text)]
    parts = {part for word in said for part in re.split(r"[-'’./&]", word) if part}
    folded = frozenset(squeezed(word) for word in {*said, *parts})
    return Vocabulary(
        words=folded | numbers(text),
        stems=frozenset(stem(word) for word in {*said, *parts}),
        acronyms=frozenset(acronyms(said)),
        capitals=frozenset(squeezed(word) for word in said if word.isupper()),
    )


def squeezed(word: str) -> str:
    """Folded, without what stands between: P-103 and P103, U.S. and US are one."""
    return re.sub(r"[\W_]", "", word.casefold())


def acronyms(said: Iterable[str]) -> Iterator[str]:
    """What capitalised words in a row are shortened to: "American Automobile Association" to "aaa"."""
    run = ""
    for word in said:
        if word[:1].isupper():
            run = (run + word[0].casefold())[-LONGEST_ACRONYM:]
        elif word.casefold() not in STOP_WORDS:
            run = ""
        yield from (run[start:] for start in range(len(run) - 1))


def mentions(said: Vocabulary, demand: Demand) -> bool:
    wanted = squeezed(demand.text)
    if wanted in said.words or (not demand.exact and wanted in said.acronyms):
        return True
    if demand.exact:
        return False
    parts = [part for part in re.split(r"[-'’./&]", demand.text) if len(part) > 1]
    return bool(parts) and all(like(said, part) for part in parts)


def like(said: Vocabulary, name: str) -> bool:
    """Whether a word of the text is this name, by its stem, its first letters, or but for a slip."""
    folded = squeezed(name)
    if stem(name) in said.stems or folded in said.words:
        return True
    if len(folded) < FUZZY_LENGTH:
        return False
    near = [word for word in said.words if abs(len(word) - len(folded)) <= 3 and word[:1] == folded[:1]]
    if any(word.startswith(folded) or folded.startswith(word) for word in near if len(word) >= SHARED_PREFIX):
        return True
    return bool(get_close_matches(folded, near, n=1, cutoff=LIKENESS))


def missing(question: Iterable[Demand], text: str) -> tuple[str, ...]:
    """What ``text`` does not mention of what the question names."""
    said = vocabulary(text)
    asked = tuple(question)
    short = {demand for run in runs(asked) if initials(run) in said.capitals for demand in run}
    return tuple(demand.text for demand in asked if demand not in short and not mentions(said, demand))


def runs(asked: Sequence[Demand]) -> Iterator[Sequence[Demand]]:
    """Names that may be one: "United" and "States", which a text may write as US."""
    for start in range(len(asked)):
        for end in range(start + 2, min(start + LONGEST_ACRONYM, len(asked)) + 1):
            if not any(demand.exact for demand in asked[start:end]):
                yield asked[start:end]


def initials(run: Iterable[Demand]) -> str:
    return "".join(demand.text[0] for demand in run).casefold()
