"""What a search can be narrowed to: how many documents there are of each collection, type, tag and year."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, Func, TextField
from django.db.models.functions import ExtractYear

from documents.forms import collection_label
from documents.models import Collection
from documents.parsing.registry import NAMES

if TYPE_CHECKING:
    from documents.querysets import DocumentQuerySet

#: Values of one facet, those of most documents; years: the latest.
MOST = 20
#: A value as the database has it (a collection's key, a year), and how many documents have it.
Counted = tuple[Any, int]


@dataclass(frozen=True, slots=True)
class FacetValue:
    """``value`` is what a filter takes, ``label`` what people read, ``count`` how many documents have it."""

    value: str
    label: str
    count: int


#: By the facet's name.
Facets = dict[str, list[FacetValue]]


class Unnested(Func):
    """The entries of an array, a row each."""

    function = "unnest"
    output_field = TextField()
    set_returning = True


def by_collection(documents: DocumentQuerySet) -> list[Counted]:
    return most(documents.annotate(value=F("collection")))


def by_type(documents: DocumentQuerySet) -> list[Counted]:
    return most(documents.annotate(value=F("kind")))


def by_tag(documents: DocumentQuerySet) -> list[Counted]:
    return most(documents.annotate(value=Unnested("tags")))


def by_year(documents: DocumentQuerySet) -> list[Counted]:
    """The latest first; documents without a date are in none."""
    dated = documents.filter(dated__isnull=False).annotate(value=ExtractYear("dated"))
    rows = dated.order_by().values("value").annotate(count=Count("pk")).order_by("-value")
    return list(rows.values_list("value", "count")[:MOST])


def most(valued: DocumentQuerySet) -> list[Counted]:
    """Each ``value`` and how many documents have it, those of most first."""
    rows = valued.order_by().values("value").annotate(count=Count("pk")).order_by("-count", "value")
    return list(rows.values_list("value", "count")[:MOST])


#: Each is one statement over ``documents``.
FACETS: dict[str, Callable[[DocumentQuerySet], list[Counted]]] = {
    "collection": by_collection,
    "type": by_type,
    "tag": by_tag,
    "year": by_year,
}


def labelled(counts: Mapping[str, Sequence[Counted]]) -> Facets:
    """``counts`` of all facets as people read them, in the language of the moment: one statement."""
    collections = Collection.objects.in_bulk([pk for pk, _ in counts["collection"]])
    return {
        "collection": [
            FacetValue(collections[pk].slug, str(collection_label(collections[pk])), count)
            for pk, count in counts["collection"]
            if pk in collections
        ],
        "type": [FacetValue(kind, NAMES.get(str(kind), str(kind)), count) for kind, count in counts["type"]],
        "tag": [FacetValue(tag, tag, count) for tag, count in counts["tag"]],
        "year": [FacetValue(str(year), str(year), count) for year, count in counts["year"]],
    }
