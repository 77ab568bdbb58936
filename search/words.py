"""Words of questions and passages: what every lexical judgement of the read way is made of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Set
from functools import lru_cache

MAX_WORDS = 1000
MAX_CHARACTERS = 20_000

WORD = re.compile(r"\w+(?:['’]\w+)*", re.UNICODE)

STOP_WORDS = frozenset(
    """
    a about above after again against all also am an and any are as at be became because become been
    before being below between both but by can could did do does doing done down during each else ever
    few for from further get give given had has have having he her here hers him his how i if in into is
    it its itself just kind let like made make many may me might more most much must my no nor not now
    of off on once one only or other our out over own please same say she should show so some such tell
    than that the their them then there these they this those through to too type under until up us upon
    use used very was way we well were what when where whether which while who whom whose why will with
    would you your s t name called according
    """.split()  # noqa: SIM905 - a list of 200 quoted words is no better to read
)
SUFFIXES = ("ations", "ation", "ingly", "ments", "ment", "ness", "ings", "ions", "ing", "ion", "ies", "ied")
SHORT_SUFFIXES = ("ers", "er", "es", "ed", "ly", "s", "e", "y")


def clean(text: str) -> str:
    """Text that every engine accepts: no NUL, no lone surrogates, of bounded length."""
    printable = text[:MAX_CHARACTERS].replace("\x00", " ").encode("utf-8", "ignore").decode()
    return " ".join(unicodedata.normalize("NFC", printable).split()[:MAX_WORDS])


def words(text: str) -> list[str]:
    return [match.group() for match in WORD.finditer(text)]


@lru_cache(maxsize=2**16)
def stem(word: str) -> str:
    """A rough stem: enough that ``elected`` meets ``election`` and ``plague`` meets ``plagues``.

    Kept, as a search asks for that of every word of its results, and texts are made of few words.
    """
    folded = word.casefold().replace("’", "'")
    folded = folded.removesuffix("'s")
    for suffix in (*SUFFIXES, *SHORT_SUFFIXES):
        if folded.endswith(suffix) and len(folded) - len(suffix) >= 3:
            return folded[: -len(suffix)]
    return folded


def stems(text: str) -> set[str]:
    return {stem(word) for word in words(text)}


def among(text: str, sought: Set[str]) -> set[str]:
    """Those of the stems ``sought`` that ``text`` holds."""
    return {stem(match.group()) for match in candidates(text, frozenset(sought))} & sought


def candidates(text: str, sought: frozenset[str]) -> Iterator[re.Match[str]]:
    """The words of ``text`` that may have one of these stems, folded; all others are passed over.

    A stem is how its word begins, up to an apostrophe. To look for a few beginnings takes a third of the time
    of looking at each word.
    """
    folded, begins = text.casefold(), {each.partition("'")[0] for each in sought}
    if "" in begins or len(folded) != len(text):  # a letter that is folded to two moves all that follow
        yield from WORD.finditer(text)
        return
    for at in sorted({at for begin in begins for at in occurrences(folded, begin)}):
        if begins_word(folded, at) and (match := WORD.match(folded, at)):
            yield match


def occurrences(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def begins_word(text: str, at: int) -> bool:
    """Whether ``WORD`` would begin here."""
    if at and text[at - 1] in "'’":
        at -= 1
    return at == 0 or not (text[at - 1].isalnum() or text[at - 1] == "_")


def content_words(text: str) -> list[str]:
    """The words that carry meaning, each once, in their order."""
    found = [word for word in words(text) if word.casefold() not in STOP_WORDS]
    return list(dict.fromkeys(found))


def numbers(text: str) -> set[str]:
    """The numbers of a text, thousands separators removed."""
    return {re.sub(r"[,\s]", "", found).rstrip(".") for found in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


def is_name(word: str, *, first: bool) -> bool:
    if word.casefold() in STOP_WORDS:
        return False
    inner = any(c.isupper() for c in word[1:])
    return inner or (word[:1].isupper() and not first)


def positions(text: str, wanted: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Where words of the same stem as ``wanted`` stand in ``text``."""
    sought = frozenset(stem(word) for word in wanted)
    for match in candidates(text, sought):
        if stem(match.group()) in sought:
            yield match.span()
