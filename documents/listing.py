"""The list of documents as its address asks for it: filters, order, counts by facet, one page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import BooleanField, Case, F, Q, Value, When
from django.db.models.functions import ExtractYear, Lower
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from documents.forms import collection_label
from documents.models import Collection, Status
from documents.querysets import CANCELLED
from documents.quoting import quoted
from documents.templatetags.document_words import kind_name, language_name

if TYPE_CHECKING:
    from documents.querysets import DocumentQuerySet

#: What each facet is called, in the order in which they stand. All but ``q`` and these set no filter.
FACETS = {
    "collection": gettext_lazy("Collection"),
    "type": gettext_lazy("Type"),
    "status": gettext_lazy("Status"),
    "tag": gettext_lazy("Tag"),
    "language": gettext_lazy("Language"),
    "year": gettext_lazy("Year"),
}
FILTERS = ("q", *FACETS)
#: What an address may say of the list; the rest of it is dropped.
PARAMETERS = (*FILTERS, "sort", "view")
SORTS: dict[str, tuple[Any, Any]] = {
    "added": (gettext_lazy("Date added"), F("created_at")),
    "title": (gettext_lazy("Title"), Lower("title")),
    "date": (gettext_lazy("Date of the document"), F("dated")),
    "size": (gettext_lazy("Size"), F("size")),
    "pages": (gettext_lazy("Pages"), F("page_count")),
}
NEWEST = "-added"
VIEWS = ("table", "grid")
PER_PAGE = {"table": 25, "grid": 24}
#: Values of one facet, those of most documents.
MOST = 20
LONGEST = 300


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an address asks for; empty filters do not narrow. ``sort`` is a name of ``SORTS``, with ``-``
    in front the other way round."""

    q: str = ""
    collection: str = ""
    type: str = ""
    status: str = ""
    tag: str = ""
    language: str = ""
    year: str = ""
    sort: str = NEWEST
    view: str = "table"

    @property
    def is_filtered(self) -> bool:
        return any(getattr(self, name) for name in FILTERS)

    def conditions(self) -> dict[str, Q]:
        """What each filter that is set asks of a document."""
        asked = {
            "q": Q(title__icontains=self.q) | Q(filename__icontains=self.q),
            "collection": Q(collection__slug=self.collection),
            "type": Q(kind=self.type),
            "status": Q(status=self.status),
            "tag": Q(tags__contains=[self.tag.casefold()]),
            "language": Q(language=self.language),
            "year": Q(dated__year=int(self.year or 1)),
        }
        return {name: asked[name] for name in FILTERS if getattr(self, name)}

    def found(self, documents: DocumentQuerySet) -> DocumentQuerySet:
        for condition in self.conditions().values():
            documents = documents.filter(condition)
        return documents

    def ordered(self, documents: DocumentQuerySet) -> DocumentQuerySet:
        key = SORTS[self.sort.removeprefix("-")][1]
        first = key.desc(nulls_last=True) if self.sort.startswith("-") else key.asc(nulls_last=True)
        return documents.order_by(first, "-created_at", "id")


def wanted_by(given: QueryDict, view: str = "") -> Wanted:
    """``view`` is what the reader chose before, where the address says nothing. What makes no sense is
    left out."""
    said = {name: readable(given.get(name, "")) for name in PARAMETERS}
    if not (said["year"].isascii() and said["year"].isdigit() and 1 <= int(said["year"][:5]) <= 9999):
        said["year"] = ""
    if said["sort"].removeprefix("-") not in SORTS:
        said["sort"] = NEWEST
    said["view"] = next((each for each in (said["view"], view) if each in VIEWS), VIEWS[0])
    return Wanted(**said)


def readable(text: str) -> str:
    """What the database takes; nothing has a title or a tag with this character in it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").strip()[:LONGEST]


def query_of(given: QueryDict, **changes: Any) -> str:
    """The address's parameters with ``changes``; empty ones are taken away. Always in one order."""
    wanted = {name: given.get(name, "") for name in PARAMETERS} | changes
    query = QueryDict(mutable=True)
    query.update({name: str(value) for name, value in wanted.items() if value not in ("", None)})
    return query.urlencode()


def kept(given: QueryDict) -> list[tuple[str, str]]:
    """What stays when other words are written into the box."""
    return [(name, str(given[name])) for name in PARAMETERS if name != "q" and given.get(name)]


def address(given: QueryDict, **changes: Any) -> str:
    query = query_of(given, **changes)
    return reverse("document-list") + (f"?{query}" if query else "")


# --- Counts --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counts:
    """``total`` documents match; ``failed`` ones can be tried again; of each facet value → documents."""

    total: int
    failed: int
    facets: Mapping[str, Mapping[str, int]]


#: Facet → the column that holds its values.
COLUMNS = {"collection": "collection_id", "type": "kind", "status": "status", "language": "language"}


def counts_of(documents: DocumentQuerySet, wanted: Wanted, writable: Iterable[int]) -> Counts:
    """In one statement. Each facet is counted as if its own filter were not set: the numbers say what
    choosing another value would give."""
    conditions = wanted.conditions()
    columns = {f"is_{name}": flag(condition) for name, condition in conditions.items()}
    rows = documents.order_by().annotate(
        **columns,
        year=ExtractYear("dated"),
        to_retry=flag(Q(status=Status.FAILED, collection__in=list(writable)) & ~Q(reason=CANCELLED)),
    )
    fields = ("collection_id", "kind", "status", "language", "tags", "year", "to_retry", *columns)
    sql, parameters = rows.values(*fields).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"WITH found AS MATERIALIZED ({sql}) {statements(conditions)}", parameters)
        counted = cursor.fetchall()
    facets: dict[str, dict[str, int]] = {name: {} for name in FACETS}
    alone = {"total": 0, "failed": 0}
    for name, value, count in counted:
        if name in facets:
            facets[name][value] = count
        else:
            alone[name] = count
    return Counts(**alone, facets=facets)


def flag(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())


def statements(conditions: Iterable[str]) -> str:
    """The names in it are this module's own."""
    every = set(conditions)
    parts = [
        f"SELECT 'total', '', count(*) FROM found WHERE {all_of(every)}",
        f"SELECT 'failed', '', count(*) FROM found WHERE to_retry AND {all_of(every & {'collection'})}",
    ]
    for name, column in COLUMNS.items():
        parts.append(f"SELECT '{name}', {column}::text, count(*) FROM found WHERE {all_of(every - {name})}")
        parts[-1] += f" AND {column}::text <> '' GROUP BY {column}"
    others = all_of(every - {"year"})
    parts.append(f"SELECT 'year', year::text, count(*) FROM found WHERE year > 0 AND {others} GROUP BY year")
    others = all_of(every - {"tag"})
    parts.append(f"SELECT 'tag', tag, count(*) FROM found, unnest(tags) tag WHERE {others} GROUP BY tag")
    return " UNION ALL ".join(parts)


def all_of(names: Iterable[str]) -> str:
    return " AND ".join(["true", *(f"is_{name}" for name in sorted(names))])


# --- Links ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    """``url`` chooses it, or takes it back where it is ``chosen``."""

    label: str
    url: str
    chosen: bool = False
    count: int = 0


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    label: str
    values: list[Link]


def facets_of(counts: Counts, given: QueryDict, collections: Iterable[Collection]) -> list[Facet]:
    by_key = {str(each.pk): each for each in collections}
    found = []
    for name, label in FACETS.items():
        order = latest if name == "year" else most_first
        values = sorted(counts.facets[name].items(), key=order)
        if name == "collection":
            values = [(by_key[key].slug, count) for key, count in values if key in by_key]
        links = [link_of(name, value, count, given, by_key.values()) for value, count in values]
        shown = [link for index, link in enumerate(links) if index < MOST or link.chosen]
        if shown:
            found.append(Facet(name, str(label), shown))
    return found


def most_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def latest(item: tuple[str, int]) -> int:
    return -int(item[0])


def link_of(name: str, value: str, count: int, given: QueryDict, collections: Iterable[Collection]) -> Link:
    chosen = given.get(name) == value
    label = value_label(name, value, collections)
    return Link(label, address(given, **{name: "" if chosen else value}), chosen, count)


def value_label(name: str, value: str, collections: Iterable[Collection]) -> str:
    if name == "collection":
        return next((str(collection_label(each)) for each in collections if each.slug == value), value)
    words = {"type": kind_name, "language": language_name}
    if name == "status" and value in Status.values:
        return str(Status(value).label)
    return words[name](value) if name in words else value


def chips_of(wanted: Wanted, given: QueryDict, collections: Iterable[Collection]) -> Iterator[Link]:
    """What is set, each with the address of the list without it."""
    for name in wanted.conditions():
        value = getattr(wanted, name)
        label = value_label(name, value, collections)
        said = quoted(label) if name == "q" else f"{FACETS[name]}: {label}"
        yield Link(said, address(given, **{name: ""}))


def sorts_of(wanted: Wanted, given: QueryDict) -> dict[str, Link]:
    """Of each order the link that takes it; of the present one the link that turns it round."""
    links = {}
    for name, (label, _key) in SORTS.items():
        chosen = wanted.sort.removeprefix("-") == name
        first = name if name == "title" else f"-{name}"
        turned = wanted.sort.removeprefix("-") if wanted.sort.startswith("-") else f"-{wanted.sort}"
        links[name] = Link(str(label), address(given, sort=turned if chosen else first), chosen)
    return links


def views_of(wanted: Wanted, given: QueryDict) -> list[tuple[str, Link]]:
    labels = {"table": _("Table"), "grid": _("Grid")}
    return [(name, Link(labels[name], address(given, view=name), wanted.view == name)) for name in VIEWS]


# --- One page ------------------------------------------------------------------------------------


class CountedPaginator(Paginator):  # type: ignore[type-arg]
    """Knows already how many there are."""

    count = 0

    def __init__(self, rows: Any, per_page: int, count: int) -> None:
        super().__init__(rows, per_page)
        self.count = count


def page_of(documents: DocumentQuerySet, wanted: Wanted, total: int, number: str | None) -> Page[Any]:
    rows = wanted.ordered(wanted.found(documents)).select_related("collection")
    rows = rows.defer("metadata", "error_detail")
    return CountedPaginator(rows, PER_PAGE[wanted.view], total).get_page(number)


def page_links(page: Page[Any], given: QueryDict) -> list[tuple[Any, str]]:
    """Numbers of pages with their addresses; of a gap no address."""
    numbers = page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)
    base = address(given)
    joint = "&" if "?" in base else "?"
    return [(each, f"{base}{joint}page={each}" if isinstance(each, int) else "") for each in numbers]
