"""What a sentence says differently from its source: numbers, units, names, no and yes, opposites."""

from __future__ import annotations

import re

from search.mentions import demands, mentions, vocabulary
from search.types import Doubt, Hit
from search.words import STOP_WORDS, numbers, stems, words

NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|hardly)\b|n['’]t\b", re.IGNORECASE
)
CLAUSE_END = re.compile(r"[.;!?](?=\s)")
#: So many words behind a no are what it is about.
REACH = 3
UNITS = (
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
)
TEENS = ("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
WORDED = {
    **{word: number for number, word in enumerate((*UNITS, *TEENS), 2)},
    **{word: 10 * number for number, word in enumerate(TENS, 2)},
    "twice": 2,
    "dozen": 12,
}
NUMBER_WORD = re.compile(rf"\b(?:({'|'.join(TENS)})[- ])?({'|'.join(('one', *WORDED))})\b", re.IGNORECASE)
#: Known by its first three letters: a month, a day of the week.
CALENDAR = re.compile(
    r"\b(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|"
    r"July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ISO_DATE = re.compile(r"\b\d{4}-(0[1-9]|1[0-2])-\d\d\b")
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
        *(Doubt("number", number) for number in sorted(figures(text) - figures(around))),
        *(Doubt("unit", unit) for unit in other_units(text, around)),
        *(Doubt("name", name) for name in unnamed(text, around)),
        *((Doubt("negation"),) if is_denied(text, quoted) else ()),
        *(Doubt("opposite", word) for word in turned(text, quoted)),
    )


def figures(text: str) -> set[str]:
    """Its numbers, in digits or in words; "one" is most often none."""
    worded = (
        WORDED.get((tens or "").casefold(), 0) + WORDED.get(word.casefold(), 1)
        for tens, word in NUMBER_WORD.findall(text)
    )
    written = {re.sub(r"^0+(?=\d)", "", number) for number in numbers(text)}
    return written | {str(number) for number in worded if number > 1}


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
    said, dates = vocabulary(around), calendar(around)
    names = [each.text for each in demands(text) if not each.text.isdigit() and not mentions(said, each)]
    return names + [each.group() for each in CALENDAR.finditer(text) if each.group()[:3].lower() not in dates]


def calendar(text: str) -> set[str]:
    """The months and days of the week that it mentions."""
    written = {MONTHS[int(month) - 1] for month in ISO_DATE.findall(text)}
    return written | {each.group()[:3].lower() for each in CALENDAR.finditer(text)}


def is_denied(text: str, quoted: str) -> bool:
    """Whether one says no and the other yes; a no in the quote may be about what ``text`` does not say."""
    if is_negated(text) or not is_negated(quoted):
        return is_negated(text) and not is_negated(quoted)
    behind = (CLAUSE_END.split(quoted[found.end() :])[0] for found in NEGATION.finditer(quoted))
    return any(stems(" ".join(content(each)[:REACH])) & stems(text) for each in behind)


def content(text: str) -> list[str]:
    return [word for word in words(text) if word.casefold() not in STOP_WORDS]


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
