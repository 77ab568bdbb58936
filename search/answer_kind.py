"""What kind of thing a question asks for, and where a text holds things of that kind."""

from __future__ import annotations

import re
from typing import Literal

from search.words import STOP_WORDS

#: ``text`` asks for no single thing: why, how, a description.
AnswerKind = Literal["number", "date", "person", "place", "name", "text"]
Span = tuple[int, int]

_QUANTITY = (
    r"age|amount|average|capacity|capex|cost|count|density|depth|diameter|distance|dose|duration|expenditures?|"
    r"fee|flow|frequency|growth|head|height|income|length|level|limit|margin|maximum|minimum|mass|number|"
    r"percent|percentage|population|power|pressure|price|proportion|quantity|radius|rate|ratio|revenues?|salary|"
    r"score|share|size|speed|sum|temperature|torque|total|value|velocity|voltage|volume|wage|weight|width"
)
_TIME = r"date|year|month|day|decade|century|era|time|season"
_PLACE = (
    r"place|city|town|village|country|nation|state|province|county|region|area|continent|island|river|street|"
    r"location|capital|district|territory|site"
)
_PERSON = (
    r"person|man|woman|king|queen|president|author|artist|singer|player|coach|emperor|leader|minister|"
    r"scientist|general|pope|actor|actress|director|writer|officer|inventor|manager|founder"
)

_WHEN = (
    r"(?:^|[,;] )\s*(?:since |until |and |but )?when\b"
    r"(?=\W+(?:was|were|is|are|did|does|do|had|has|have|will|can|could|should|must)\b)"
)
#: The first that fits decides. Cues may stand anywhere: "In what year …", "Of which river …".
_CUES: tuple[tuple[AnswerKind, str], ...] = (
    (
        "text",
        r"^\s*(?:why|describe|explain|summari[sz]e|compare)\b|\bdifferences?\b|\bwhat (?:does|do) .* mean\b",
    ),
    ("number", r"\bhow (?:many|much|old|long|far|tall|large|big|high|deep|wide|heavy|fast|hot|cold|often)\b"),
    ("date", rf"{_WHEN}|\b(?:what|which)(?: \w+)? (?:{_TIME})\b|\bhow (?:early|late|recently|soon)\b"),
    ("person", rf"\bwho(?:se|m)?\b|\b(?:what|which)(?: \w+)? (?:{_PERSON})\b"),
    ("place", rf"\bwhere\b|\b(?:what|which)(?: \w+)? (?:{_PLACE})\b"),
    ("number", rf"\b(?:what|which)\b(?: \S+){{0,6}}? (?:{_QUANTITY})\b"),
    ("name", r"\b(?:what|which)\b"),
)
_COMPILED = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _CUES)


def kind_of(question: str) -> AnswerKind:
    """The kind of answer that ``question`` asks for; ``text`` where no single thing would do."""
    return next((kind for kind, cue in _COMPILED if cue.search(question)), "text")


# --- Things of a kind ---------------------------------------------------------------------------

_UNIT = (
    r"[%€]|percent\b|per cent\b|percentage points?\b|°\s?[CFK]\b|"
    r"(?:thousand|million|billion|trillion|dozen)\b(?:\s(?:dollars|euros|pounds|people|tons?|tonnes|years|barrels))?|"
    r"(?:k|M|G|m|c|µ|n)?(?:m|g|s|W|Pa|Hz|V|A|J|L|l|bar|B|Wh|N|mol)\b(?:[/³²]\w+)*|m[³²3](?:/[a-z]+)?|"
    r"(?:km|mi|ft|lb|lbs|kg|mg|mm|cm|rpm|psi|kWh|GHz|MHz|GB|MB|TB|hours?|minutes?|seconds?|days?|weeks?|months?|"
    r"years?|miles?|feet|inches|metres?|meters?|kilomet(?:re|er)s?|acres?|hectares?|degrees?|points?|yards?|tons?|"
    r"tonnes|litres?|liters?|knots|mph|dollars|euros|cents)\b"
)
_WORDED = (
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    r"eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|dozens?|half|"
    r"a quarter|a third|two thirds|twice|none"
)
_DIGITS = r"\d{1,3}(?:[,\u202f ]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
#: Not inside a word, and not the digits of a code: P-101.
_BEGIN = r"(?<![\w.])(?<![A-Za-z]-)"
NUMBER = re.compile(
    rf"{_BEGIN}(?:[$€£¥]\s?|US\$\s?)?(?:[-−](?=\d))?(?:{_DIGITS}|\d+:\d\d)(?![\w])"
    rf"(?:\s?(?:-|–|to|and)\s?(?:{_DIGITS}))?(?:\s?(?:{_UNIT}))*|"
    rf"{_BEGIN}[$€£]?(?:{_DIGITS})(?:{_UNIT})|\b(?:{_WORDED})\b(?:[- ](?:{_WORDED})\b)*(?:\s(?:{_UNIT}))?",
    re.IGNORECASE,
)
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?"
)
_YEAR = r"(?:1[0-9]|20)\d\d"
_ORDINAL = r"\d{1,2}(?:st|nd|rd|th)|[a-z]+(?:teenth|first|second|third|[a-z]th)"
_ERA = r"(?:BC|AD|BCE|CE)"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
DATE = re.compile(
    rf"\b{_MONTH}\s{_DAY}(?:,?\s{_YEAR})?\b|\b{_DAY}\s(?:of\s)?{_MONTH}(?:,?\s{_YEAR})?|"
    rf"\b{_MONTH},?\s(?:of\s)?{_YEAR}\b|\b{_YEAR}-\d\d-\d\d\b|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}\b|"
    rf"\b{_YEAR}\s?(?:-|–|to|and)\s?(?:{_YEAR}|\d\d)\b|"
    rf"\b(?:FY|fiscal(?:\syear)?\s|Q[1-4]\s)?{_YEAR}s?\b(?:\s{_ERA}\b)?|\b\d{{1,4}}\s{_ERA}\b|"
    rf"\b(?:(?:early|mid|late)[- ])?(?:the\s)?(?:{_ORDINAL})\scentur(?:y|ies)\b|"
    rf"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b|\b(?-i:{_MONTH})(?=\W)",  # "may" is no month
    re.IGNORECASE,
)
_CAPITAL = r"(?:[A-Z][\w’'&.-]*[\w’']|[A-Z](?:\.|\b)|[A-Z]\w*\d[\w-]*)"
_JOIN = r"(?:\s(?:of|the|de|la|le|van|von|der|del|di|da|al|&)){0,2}\s"
NAME = re.compile(rf"{_CAPITAL}(?:(?:{_JOIN}|\s|-){_CAPITAL})*(?:\s(?:[IVX]+|\d{{1,4}})\b)?")
QUOTED = re.compile(r"[\"“«]([^\"”»]{2,80})[\"”»]")


def things(text: str, kind: AnswerKind) -> list[Span]:
    """Where ``text`` holds things of ``kind``, in their order; none for ``text``."""
    match kind:
        case "number":
            return [found.span() for found in NUMBER.finditer(text)]
        case "date":
            return [found.span() for found in DATE.finditer(text)]
        case "person" | "place" | "name":
            return names(text, quoted=kind == "name")
        case "text":
            return []


def names(text: str, *, quoted: bool = False) -> list[Span]:
    """Runs of capitalised words; the first word of the text only where it is no common one."""
    found = [match.span() for match in NAME.finditer(text)]
    if quoted:
        found += [match.span(1) for match in QUOTED.finditer(text)]
    return sorted({span for each in found if (span := trimmed(text, each))[1] > span[0]})


def trimmed(text: str, span: Span) -> Span:
    """Without a common word that is only capitalised as it begins the sentence, and without the last stop."""
    start, end = span
    first = text[start:end].split(" ", 1)[0]
    if first.casefold() in STOP_WORDS:
        start = min(start + len(first) + 1, end)
    while end > start and text[end - 1] in ".,;:'’":
        end -= 1
    return start, end
