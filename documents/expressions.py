"""What the lexical legs are asked in: the expressions of their indexes, and conditions on ``terms``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db import models
from django.db.models import Func, Q, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan

from documents import lexical


class PassageTerms(Func):
    """The words of a text as the lexical indexes hold them: folded, without stop words, stemmed by language.

    The function is made by migration 0005. Arguments: language (ISO 639-1), text.
    """

    function = "passage_terms"
    output_field = models.TextField()


class TextVector(Func):
    """``to_tsvector('simple', terms)``, letter for letter the expression of the index."""

    function = "to_tsvector"
    template = f"%(function)s('{lexical.TEXT_CONFIG}', %(expressions)s)"
    output_field = SearchVectorField()


class Bm25Score(Func):
    """The score of ``pg_textsearch``: below zero, lower is better, zero where no word matches."""

    template = "(%(expressions)s, '%(index)s'))"
    arg_joiner = " <@> to_bm25query("
    output_field = models.FloatField()


class CurrentScore(Func):
    """The score of the row that the index scan has just brought (``lexical_scan``)."""

    function = "bm25_get_current_score"
    output_field = models.FloatField()


def holding(terms: Sequence[str]) -> Q:
    """Rows that may hold one of ``terms``: soon asked, and so before they are scored."""
    return reduce(or_, (Q(GreaterThan(StrIndex("terms", Value(term)), 0)) for term in terms))


def any_of(terms: Sequence[str]) -> SearchQuery:
    """One of these terms at least. Each is quoted: in a term such as ``-5`` nothing is an operator."""
    quoted = ["'" + term.replace("\\", "\\\\").replace("'", "''") + "'" for term in terms]
    return SearchQuery(" | ".join(quoted), search_type="raw", config=lexical.TEXT_CONFIG)
