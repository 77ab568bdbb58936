"""What somebody wrote into the search field, read as words and operators. No model has a part in it.

========================  =================================================================================
``"two words"``           passages that hold these words one after the other; typographic quotes too
``-word`` ``-"a phrase"``  no passages that hold this
``title:word``            documents whose title holds it
``tag:word``              documents that have this tag
``type:pdf``              documents of this type; ``word``, ``excel``, ``mail`` and file suffixes too
``before:2024``           documents dated before that year, month (``2024-05``) or day (``2024-05-31``)
``after:2024``            documents dated after it: ``after:2024`` begins with 1 January 2025
========================  =================================================================================

A value may be quoted. An operator that comes again widens its filter, as a parameter of the same name
does; dates narrow. An operator stands at the beginning of a word, its value follows without a blank:
everything else is words (``note:this``, ``title: x``, ``P-103``, ``-5 °C``, ``--force``). What is meant as
an operator and cannot be one, an unknown type or no date, is refused: without it other things would be found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from django.utils.translation import gettext

from documents import lexical
from documents.parsing.registry import NAMES, PARSERS
from documents.uploads import clean_tags
from search.exceptions import BadRequest
from search.types import Filters, Query
from search.words import clean

#: More phrases and exclusions than a person writes: a text that was pasted, in which they mean nothing.
MAX_CONDITIONS = 16
MAX_PHRASE = 500

QUOTES = '"＂“”„‟«»「」『』'
#: A straight mark opens only where a word begins: in ``a 5" pipe`` it is inches.
QUOTED = (
    r"(?:(?:(?<!\w)[\"＂”]|[“„‟])[^\"＂“”„‟]*[\"＂“”„‟]|«[^«»]*»|(?<!\w)»[^«»]*«|「[^「」]*」|『[^『』]*』)"
)
OPERATOR = rf"(?<!\S)(?P<no>-?)(?P<name>title|tag|type|before|after):(?P<value>{QUOTED}|\S*\w\S*)"
PHRASE = rf"(?P<minus>(?<!\S)-)?(?P<phrase>{QUOTED})"
EXCLUDED = r"(?<!\S)-(?P<word>[^\W\d]\S*)"
#: Number and minus belong together: ``-5`` is no exclusion, ``-"5"`` is.
ASKED = re.compile(f"{OPERATOR}|{PHRASE}|{EXCLUDED}", re.IGNORECASE)
ASKED_OR_WORD = re.compile(rf"{ASKED.pattern}|(?P<other>\w+(?:[-'’]\w+)*)", re.IGNORECASE)
WORD = re.compile(r"\w+(?:[-'’]\w+)*")
PERIOD = re.compile(r"([0-9]{4})(?:[-/]([0-9]{1,2})(?:[-/]([0-9]{1,2}))?)?")

KINDS = {
    **{kind: kind for kind in PARSERS},
    **{name.casefold(): kind for kind, name in NAMES.items()},
    **dict.fromkeys(["doc", "msword"], "docx"),
    **dict.fromkeys(["ppt", "slides", "presentation"], "pptx"),
    **dict.fromkeys(["xls", "spreadsheet"], "xlsx"),
    **dict.fromkeys(["tsv"], "csv"),
    **dict.fromkeys(["htm", "xhtml", "web"], "html"),
    **dict.fromkeys(["e-mail", "eml", "message"], "email"),
    **dict.fromkeys(["picture", "photo", "scan", "png", "jpg", "jpeg", "gif", "tif", "tiff", "bmp"], "image"),
    **dict.fromkeys(["md"], "markdown"),
    **dict.fromkeys(["txt", "plain"], "text"),
    **dict.fromkeys(["ebook", "book"], "epub"),
}


@dataclass
class Reading:
    """Collects what operators ask for, while what stands between them is left over as words."""

    phrases: dict[str, None] = field(default_factory=dict)
    without: dict[str, None] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    since: list[date] = field(default_factory=list)
    before: list[date] = field(default_factory=list)

    def words_of(self, match: re.Match[str]) -> str:
        """What stays in the text in the place of this operator."""
        if match["name"]:
            return self._operator(match)
        said = bare(match["word"] or match["phrase"])
        if match["word"] or match["minus"]:
            self._note(self.without, said)
            return " "
        self._note(self.phrases, said)
        return f" {said} "

    def _note(self, noted: dict[str, None], said: str) -> None:
        if re.search(r"\w", said):
            noted[said] = None

    def _operator(self, match: re.Match[str]) -> str:
        name, value = match["name"].lower(), bare(match["value"])
        if not re.search(r"\w", value):
            return match[0]
        if match["no"]:
            text = gettext('%(name)s: cannot be excluded. Words and phrases can: -word, -"two words".')
            raise BadRequest(text % {"name": name})
        getattr(self, f"_{name}")(value)
        return " "

    def _title(self, value: str) -> None:
        self.titles.append(value)

    def _tag(self, value: str) -> None:
        self.tags += clean_tags([value])

    def _type(self, value: str) -> None:
        self.kinds.append(kind_of(value))

    def _before(self, value: str) -> None:
        self.before.append(period(value)[0])

    def _after(self, value: str) -> None:
        self.since.append(period(value)[1])

    @property
    def is_pasted(self) -> bool:
        said = [*self.phrases, *self.without]
        return len(said) > MAX_CONDITIONS or any(len(each) > MAX_PHRASE for each in said)

    def merged(self, given: Filters) -> Filters:
        return replace(
            given,
            titles=once(*given.titles, *self.titles),
            tags=once(*given.tags, *self.tags),
            kinds=once(*given.kinds, *self.kinds),
            since=max([*self.since, *([given.since] if given.since else [])], default=None),
            before=min([*self.before, *([given.before] if given.before else [])], default=None),
        )


def understood(raw: str, filters: Filters) -> Query:
    """The query that ``raw`` is, within ``filters``. Only operators and no words is one, too.

    Raises ``BadRequest`` with a sentence for whoever wrote it.
    """
    query = read(raw, filters)
    return replace(query, terms=tuple(lexical.terms_of(query.text))) if query.text else query


def read(raw: str, filters: Filters) -> Query:
    """The same without its terms: those the database knows."""
    written = clean(raw)
    reading = Reading()
    text = clean(ASKED.sub(reading.words_of, written))
    if reading.is_pasted:
        return Query(written, filters=filters)
    return Query(
        text,
        phrases=tuple(reading.phrases),
        without=tuple(reading.without),
        filters=reading.merged(filters),
    )


def reworded(raw: str, corrections: Mapping[str, str]) -> str:
    """``raw`` with other words for some of its own; what belongs to operators stays, phrases are words."""

    def better(match: re.Match[str]) -> str:
        if match["phrase"] and not match["minus"]:
            return WORD.sub(lambda word: corrected(word[0], corrections), match[0])
        return corrected(match[0], corrections) if match["other"] else match[0]

    return ASKED_OR_WORD.sub(better, clean(raw))


def corrected(written: str, corrections: Mapping[str, str]) -> str:
    return re.sub(r"[^\W_]+", lambda part: corrections.get(part[0], part[0]), written)


def bare(value: str) -> str:
    """Without quotes, and without what ends a sentence rather than a value."""
    return " ".join(value.strip(QUOTES).rstrip(",;.?!)").split())


def kind_of(value: str) -> str:
    kind = KINDS.get(value.casefold().removeprefix("."))
    if kind is None:
        text = gettext("There is no type “%(type)s”. Types: %(types)s.")
        raise BadRequest(text % {"type": value[:50], "types": ", ".join(PARSERS)})
    return kind


def period(value: str) -> tuple[date, date]:
    """The first day of a year, month or day, and the first day after it."""
    try:
        found = PERIOD.fullmatch(value)
        year, month, day = (int(part) if part else 0 for part in found.groups()) if found else (0, 0, 0)
        first = date(year, month or 1, day or 1)
        if day:
            return first, first + timedelta(days=1)
        return first, date(year + (month in (0, 12)), month % 12 + 1 if month else 1, 1)
    except (ValueError, OverflowError) as error:
        text = gettext(
            "“%(value)s” is no date. before: and after: take a year, a month or a day: "
            "2024, 2024-05, 2024-05-31."
        )
        raise BadRequest(text % {"value": value[:50]}) from error


def once(*values: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
