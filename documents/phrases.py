"""Which passages hold a phrase, word for word, whatever its case and accents.

Asked row by row, on the way through an index that orders by something else. What decides is a pattern on
the folded text; as most rows do not hold the phrase's terms either, they are asked for these first, which
is ten times as cheap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db import connection, models
from django.db.models import Case, Func, Q, Value, When
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan, IRegex

from documents import lexical

#: Hyphens and slashes part words in ``passage_terms``, where codes come once more as a whole: not in here.
FOLDED = r"regexp_replace(public.unaccent('public.unaccent', said.phrase), '[-/]', ' ', 'g')"
WORDINGS = f"""
    SELECT folded.text, array_agg(DISTINCT passage_terms(l, folded.text)) FROM
    (SELECT number, {FOLDED} AS text FROM unnest(%s::text[]) WITH ORDINALITY AS said(phrase, number)) folded,
    unnest(%s::text[]) AS l GROUP BY number, folded.text ORDER BY number"""
#: Written without blanks between words: such a word may stand inside a longer run.
UNPARTED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"


@dataclass(frozen=True, slots=True)
class Wording:
    """A phrase as passages are asked for it: a pattern on the folded text, and the terms that it leaves in
    a passage of one language or another. Where it leaves none, every passage is asked for the pattern."""

    pattern: str
    terms: tuple[str, ...]


class Folded(Func):
    """A text without accents."""

    template = "public.unaccent('public.unaccent', %(expressions)s)"
    output_field = models.TextField()


def conditions(phrases: Sequence[str] = (), without: Sequence[str] = ()) -> Iterator[Q]:
    """On passages: that they hold each of ``phrases``, and none of ``without``."""
    found = wordings([*phrases, *without])
    for number, wording in enumerate(found):
        if wording:
            yield Q(says(wording)) if number < len(phrases) else ~Q(says(wording))


def wordings(phrases: Sequence[str]) -> list[Wording | None]:
    """None for what has no words."""
    if not phrases:
        return []
    with connection.cursor() as cursor:
        cursor.execute(WORDINGS, [list(phrases), lexical.languages()])
        return [wording(text, terms) for text, terms in cursor.fetchall()]


def wording(folded: str, terms: Sequence[str]) -> Wording | None:
    words = re.findall(r"\w+", re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", folded))
    if not words:
        return None
    pattern = beginning(words[0]) + r"\W+".join(number(word) for word in words) + end(words[-1])
    return Wording(pattern, tuple(terms) if all(terms) else ())


def beginning(word: str) -> str:
    """``577`` is not in ``1,577``."""
    if word.isdecimal():
        return r"(?<!\d,)\m"
    return "" if re.match(rf"[{UNPARTED}]", word) else r"\m"


def end(word: str) -> str:
    if word.isdecimal():
        return r"\M(?!,\d{3}(?!\d))"
    return "" if re.search(rf"[{UNPARTED}]$", word) else r"\M"


def number(word: str) -> str:
    """``1577`` is also written ``1,577``."""
    return re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",?", word) if word.isdecimal() else word


def says(wording: Wording) -> Case:
    """A ``CASE``, as the planner is free to ask for the pattern first in an ``AND``."""
    pattern = IRegex(Folded("context"), Value(wording.pattern))
    if not wording.terms:
        return Case(When(pattern, then=Value(True)), default=Value(False))
    terms = reduce(or_, (Q(GreaterThan(StrIndex("terms", Value(each)), 0)) for each in wording.terms))
    return Case(When(terms, then=pattern), default=Value(False), output_field=models.BooleanField())
