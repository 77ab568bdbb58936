"""Which quantity a question asks for, and where a text tells one: a mass is told in tonnes, not in minutes.

Questions are read in English, units in English and German.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

COUNT_ASKED = re.compile(r"\bhow many\b", re.IGNORECASE)
_LENGTH = (
    r"(?:kilo|centi|zenti|milli)?met(?:re|er|ern)s?|inch(?:es)?|foot|feet|yards?|miles?|fathoms?|"
    r"light[- ]years?|meilen?|fuß|lichtjahren?"
)
#: "How long does it take" asks for no length.
_LONG = r"long(?! (?:do|does|did|has|have|had|will|can|may|must|before|until|after|ago)\b)"
_LENGTH_SYMBOLS = r"[kcmµn]?m|ft|yd|mi"


@dataclass(frozen=True, slots=True)
class Quantity:
    """How it is asked for, named and told. ``exact``: nothing but a number with its unit tells it."""

    asked: re.Pattern[str]
    named: re.Pattern[str]
    told: re.Pattern[str]
    exact: bool


def quantity(
    how: str, words: str, *, units: str, symbols: str = "", other: str = "", exact: bool = False
) -> Quantity:
    """``how`` stands behind "how", ``words`` anywhere; ``units`` behind a word, ``symbols`` behind digits."""
    # "5 miles per hour" and "5 square miles" are no length.
    alone = r"(?![\w/])(?!\sper\b|\san\shour\b)"
    forms = [rf"\w(?<!\bsquare)(?<!\bcubic)[\s-](?:{units}){alone}"]
    forms += [rf"\d[\s-]?(?:{symbols}){alone}"] if symbols else []
    forms += [other] if other else []
    patterns = (rf"\b(?:how (?:{how})|{words})\b", rf"\b(?:{how}|{words})\b", "|".join(forms))
    asked, named, told = (re.compile(pattern, re.IGNORECASE) for pattern in patterns)
    return Quantity(asked, named, told, exact)


#: Which words ask for what, in which units it is told. More than one may fit: "how long".
QUANTITIES = (
    quantity(
        "heavy|heavier",
        "weighs?|weighed|weight|mass",
        units=r"(?:kilo|milli)?grams?|tons?|tonnes?|pounds?|ounces?|stones?|gramm|kilo(?:gramm)?|tonnen|pfund",
        symbols=r"[kmµ]?g|t|lbs?|oz",
        exact=True,
    ),
    quantity(
        "tall|taller|wide|wider|thick|thicker",
        "height|width|breadth|thickness|diameter|radius",
        units=_LENGTH,
        symbols=_LENGTH_SYMBOLS,
        exact=True,
    ),
    quantity(
        rf"{_LONG}|longer|high|higher|far|deep|deeper",
        "length|distance|depth|altitude|elevation",
        units=_LENGTH,
        symbols=_LENGTH_SYMBOLS,
    ),
    quantity(
        "long|longer|old|older|much time",
        "duration|age",
        units=r"(?:milli)?seconds?|minutes?|hours?|days?|nights?|weeks?|months?|years?|decades?|centur(?:y|ies)|"
        r"sekunden?|minuten?|stunden?|tagen?|wochen?|monaten?|jahren?",
        symbols=r"m?s|min|h",
    ),
    quantity(
        "fast|faster",
        "speed|velocity",
        units=r"(?:miles|kilomet(?:re|er)s) (?:per|an) hour|met(?:re|er)s per second|knots|revolutions|"
        r"kilometern? (?:pro|in der) stunde|knoten|umdrehungen",
        symbols=r"mph|kph|km/h|m/s|kn|rpm",
    ),
    quantity(
        "hot|hotter|cold|colder|warm|warmer",
        "temperatures?",
        units=r"degrees|kelvin|grad",
        symbols=r"°(?:\s?[CFK])?|K",
        exact=True,
    ),
    quantity(
        "expensive|much money",
        "costs?|prices?|priced|paid|pay|pays|earns?|worth|dollars|revenues?|salary|salaries|wages?|fees?|"
        "free|charged?|budget",
        units=r"dollars|euros?|pounds|cents|pence|francs|yen|yuan|rupees|roubles|crowns|pesos|franken|USD|EUR|GBP|CHF|"
        r"(?:m|b|tr)illion|millionen|milliarden",
        other=r"[$€£¥]\s?\d|\b(?:USD|EUR|GBP|CHF)\s?\d|\d\s?[$€£¥]",
        exact=True,
    ),
    quantity(
        "much percent",
        "percent|percentage|proportion|share|margin",
        units=r"percent|per cent|percentage points?|prozent",
        symbols=r"%|‰",
    ),
)


def asked_for(question: str) -> tuple[Quantity, ...]:
    """The quantities of which ``question`` asks for one; none where it counts: "how many"."""
    if COUNT_ASKED.search(question):
        return ()
    return tuple(each for each in QUANTITIES if each.asked.search(question))


def is_told(quantities: tuple[Quantity, ...], text: str, span: tuple[int, int]) -> bool:
    """Whether the number at ``span`` is one of ``quantities``."""
    found = (match.span() for each in quantities for match in each.told.finditer(text))
    return any(start < span[1] and span[0] < end for start, end in found)


def may_tell(quantities: tuple[Quantity, ...], text: str) -> bool:
    """Whether ``text`` tells one of ``quantities`` or speaks of one; always where others could tell it."""
    if not quantities or not all(each.exact for each in quantities):
        return True
    return any(each.told.search(text) or each.named.search(text) for each in quantities)
