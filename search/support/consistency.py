"""What a sentence says differently from its source: numbers, units, names, no and yes, opposites."""

from __future__ import annotations

import re

from search.mentions import demands, mentions, vocabulary
from search.types import Doubt, Hit
from search.words import numbers, words

NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|hardly)\b|n['’]t\b", re.IGNORECASE
)
#: Units that turn the same number into something else.
MEASURED = re.compile(
    r"(?<![\w.])(\d[\d,]*(?:\.\d+)?)\s?(%|‰|°\s?[CFK]|(?:percent|thousand|million|billion|trillion|"
    r"[kMGmcµn]?(?:m|g|s|W|Pa|Hz|V|A|J|L|l|bar|B|Wh)(?:[²³23](?:/\w+)?|/\w+)?|km|kg|mg|mi|ft|lb|rpm|psi|hours?|minutes?|"
    r"seconds?|days?|weeks?|months?|years?|miles?|feet|inches|met(?:re|er)s?|tons?|tonnes?|lit(?:re|er)s?|"
    r"dollars|euros|pounds|cents)(?![\w]))"
)
OPPOSITES = tuple(
    (frozenset(one.split()), frozenset(other.split()))
    for one, other in (
        (
            "increase increased increases rise rose risen grew grow up gain",
            "decrease decreased decreases fall fell down loss",
        ),
        ("more higher greater above over exceeds", "less fewer lower below under"),
        ("before earlier prior", "after later"),
        ("first", "last"),
        ("open opened opens", "close closed closes shut"),
        ("allowed permitted allows permits may", "forbidden prohibited banned forbids prohibits"),
        ("maximum most", "minimum least"),
        ("accepted accepts approved", "rejected rejects refused denied"),
        ("positive", "negative"),
        ("start started starts began begins", "end ended ends stopped stops"),
        ("include includes including", "exclude excludes excluding"),
        ("always", "never"),
    )
)


def inconsistent(text: str, quoted: str, hit: Hit) -> tuple[Doubt, ...]:
    """What speaks against ``quoted``, a span of ``hit``, as the source of ``text``."""
    around = " ".join((hit.document_title, *hit.heading, hit.text))
    return (
        *(Doubt("number", number) for number in sorted(numbers(text) - numbers(around))),
        *(Doubt("unit", unit) for unit in other_units(text, around)),
        *(Doubt("name", name) for name in unnamed(text, around)),
        *((Doubt("negation"),) if is_negated(text) != is_negated(quoted) else ()),
        *(Doubt("opposite", word) for word in turned(text, quoted)),
    )


def other_units(text: str, around: str) -> list[str]:
    """Numbers that the source gives in other units only."""
    known: dict[str, set[str]] = {}
    for number, unit in MEASURED.findall(around):
        known.setdefault(number, set()).add(unit_of(unit))
    return [
        f"{number} {unit}"
        for number, unit in MEASURED.findall(text)
        if number in known and unit_of(unit) not in known[number]
    ]


def unit_of(written: str) -> str:
    """One form for plural and singular, and for the per cent sign."""
    bare = "%" if written == "percent" else written.replace(" ", "")
    return bare.removesuffix("s") if len(bare) > 2 else bare


def unnamed(text: str, around: str) -> list[str]:
    said = vocabulary(around)
    return [each.text for each in demands(text) if not mentions(said, each)]


def is_negated(text: str) -> bool:
    """Whether it says no an odd number of times."""
    return len(NEGATION.findall(text)) % 2 == 1


def turned(text: str, quoted: str) -> list[str]:
    """Words of ``text`` for which the quoted span has the opposite, and not the same."""
    mine, its = {w.casefold() for w in words(text)}, {w.casefold() for w in words(quoted)}
    found = []
    for pair in OPPOSITES:
        for one, other in (pair, pair[::-1]):
            if mine & one and its & other and not mine & other and not its & one:
                found.append(min(mine & one))
    return found
