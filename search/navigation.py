"""From one search to the next: what is set and can be taken back, what it can be narrowed to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from documents.facets import Facets
from documents.models import Document
from documents.parsing.registry import NAMES
from documents.quoting import quoted
from search.query import ASKED, bare, understood
from search.types import Filters
from search.words import clean

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: What an address may say of a search; the rest of it is dropped.
PARAMETERS = (
    "q", "mode", "collection", "type", "tag", "title", "before", "after", "document", "per_document"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chip:
    """Something that narrows the search, and the address of the search without it."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class FacetLink:
    """A value of a facet; its address chooses it, or takes it back where it is chosen."""

    label: str
    count: int
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class FacetGroup:
    name: str
    label: str
    values: list[FacetLink]


def address(given: QueryDict, page: str = "search", **changes: Any) -> str:
    """``page`` for the search that ``given`` asks for, with ``changes``; empty ones take a parameter away."""
    wanted = {name: given.get(name, "") for name in PARAMETERS} | changes
    query = QueryDict(mutable=True)
    query.update({name: str(value) for name, value in wanted.items() if value not in ("", None)})
    return f"{reverse(page)}?{query.urlencode()}"


def kept_fields(given: QueryDict) -> list[tuple[str, str]]:
    """For a form that asks about the search as a whole: its parameters as hidden fields."""
    values = [(name, given.get(name, "")) for name in PARAMETERS if name != "document"]
    return [(name, value) for name, value in values if value]


def ways_out(given: QueryDict) -> list[Chip]:
    """Wider searches, where one finds nothing: without its filters, its operators, its mode."""
    words = " ".join(understood(clean(given.get("q", "")), Filters()).text.split())
    wider = []
    if any(given.get(name) for name in PARAMETERS[2:]):
        wider.append(Chip(_("Search without filters"), address(given, **dict.fromkeys(PARAMETERS[2:], ""))))
    if words and list(operator_chips(given)):
        wider.append(Chip(_("Search for “%(words)s” alone") % {"words": words}, address(given, q=words)))
    if given.get("mode", "hybrid") not in ("", "hybrid"):
        wider.append(Chip(_("Search by meaning and by words"), address(given, mode="")))
    return wider


# --- Facets ------------------------------------------------------------------------------------


def facet_groups(facets: Facets, given: QueryDict) -> list[FacetGroup]:
    labels = {"collection": _("Collection"), "type": _("Type"), "tag": _("Tag"), "year": _("Year")}
    groups = [
        FacetGroup(
            name, labels[name], [linked(given, name, each.value, each.label, each.count) for each in values]
        )
        for name, values in facets.items()
    ]
    return [group for group in groups if group.values]


def linked(given: QueryDict, facet: str, value: str, label: str, count: int) -> FacetLink:
    wanted = chosen_by(facet, value)
    chosen = all(given.get(name) == each for name, each in wanted.items())
    changes = dict.fromkeys(wanted, "") if chosen else wanted
    return FacetLink(label, count, address(given, **changes), chosen)


def chosen_by(facet: str, value: str) -> dict[str, str]:
    if facet != "year":
        return {facet: value}
    return {"after": f"{int(value) - 1:04}", "before": f"{int(value) + 1:04}"}


# --- Chips -------------------------------------------------------------------------------------


def chips(given: QueryDict, user: User) -> list[Chip]:
    """Filters of the address first, then operators in the order in which they were written."""
    return [*filter_chips(given, user), *operator_chips(given)]


def filter_chips(given: QueryDict, user: User) -> Iterator[Chip]:
    names = {
        "collection": _("Collection"),
        "type": _("Type"),
        "tag": _("Tag"),
        "title": _("Title"),
        "after": _("After"),
        "before": _("Before"),
        "document": _("Only in"),
    }
    for name, label in names.items():
        if value := given.get(name):
            yield Chip(f"{label}: {readable(name, value, user)}", address(given, **{name: ""}))
    if given.get("per_document") == "0":
        yield Chip(_("All passages of a document"), address(given, per_document=""))


def readable(name: str, value: str, user: User) -> str:
    if name == "type":
        return NAMES.get(value, value)
    if name == "document":
        return title_of(value.strip(), user) or value
    return value


def title_of(document: str, user: User) -> str:
    """Empty for what is no id, or of no document that ``user`` may see."""
    try:
        found = Document.objects.visible_to(user).filter(pk=document)
    except ValidationError:
        return ""
    return str(found.values_list("title", flat=True).first() or "")


def operator_chips(given: QueryDict) -> Iterator[Chip]:
    """What of the query was read as an operator. A pasted text, read as words, has none."""
    written = clean(given.get("q", ""))
    query = understood(written, Filters())
    if not (query.phrases or query.without or query.filters != Filters()):
        return
    for match in ASKED.finditer(written):
        if label := meaning(match):
            rest = clean(f"{written[: match.start()]} {written[match.end() :]}")
            yield Chip(label, address(given, q=rest))


def meaning(match: re.Match[str]) -> str:
    said = bare(match["value"] or match["word"] or match["phrase"])
    if not re.search(r"\w", said):
        return ""
    if match["name"]:
        return f"{match['name'].lower()}: {said}"
    if match["word"] or match["minus"]:
        return _("without “%(words)s”") % {"words": said}
    return quoted(said)
