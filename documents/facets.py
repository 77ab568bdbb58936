"""What a search can be narrowed to: how many documents there are of each collection, type, tag and year."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, F, Func, TextField
from django.db.models.functions import ExtractYear

from documents.forms import collection_label
from documents.models import Collection
from documents.parsing.registry import NAMES

if TYPE_CHECKING:
    from documents.querysets import DocumentQuerySet

#: Values of one facet, those of most documents; years: the latest.
MOST = 20


@dataclass(frozen=True, slots=True)
class FacetValue:
    """``value`` is what a filter takes, ``label`` what people read, ``count`` how many documents have it."""

    value: str
    label: str
    count: int


class Unnested(Func):
    """The entries of an array, a row each."""

    function = "unnest"
    output_field = TextField()
    set_returning = True


def by_collection(documents: DocumentQuerySet) -> list[FacetValue]:
    counts = dict(most(documents.annotate(value=F("collection"))))
    found = Collection.objects.in_bulk(list(counts))
    return [
        FacetValue(found[pk].slug, str(collection_label(found[pk])), count)
        for pk, count in counts.items()
        if pk in found
    ]


def by_type(documents: DocumentQuerySet) -> list[FacetValue]:
    rows = most(documents.annotate(value=F("kind")))
    return [FacetValue(kind, NAMES.get(kind, kind), count) for kind, count in rows]


def by_tag(documents: DocumentQuerySet) -> list[FacetValue]:
    return [FacetValue(tag, tag, count) for tag, count in most(documents.annotate(value=Unnested("tags")))]


def by_year(documents: DocumentQuerySet) -> list[FacetValue]:
    """The latest first; documents without a date are in none."""
    dated = documents.filter(dated__isnull=False).annotate(value=ExtractYear("dated"))
    rows = dated.order_by().values("value").annotate(count=Count("pk")).order_by("-value")
    return [
        FacetValue(str(year), str(year), count) for year, count in rows.values_list("value", "count")[:MOST]
    ]


def most(valued: DocumentQuerySet) -> list[tuple[str, int]]:
    """Each ``value`` and how many documents have it, those of most first."""
    rows = valued.order_by().values("value").annotate(count=Count("pk")).order_by("-count", "value")
    return list(rows.values_list("value", "count")[:MOST])


#: Each is one statement (that of collections two) over ``documents``.
FACETS: dict[str, Callable[[DocumentQuerySet], list[FacetValue]]] = {
    "collection": by_collection,
    "type": by_type,
    "tag": by_tag,
    "year": by_year,
}
