"""What decides whether a document takes part in a search: state, filters, access, phrases, exclusions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from documents.filters import DocumentFilters
from documents.models import Chunk, Document
from documents.quoting import quoted
from search.types import Filters, Query

if TYPE_CHECKING:
    from documents.querysets import ChunkQuerySet, User

#: A filter by the name that it has in a query or an address, and what of the document it is about.
FILTERS = {
    "collections": "collection",
    "tags": "tag",
    "kinds": "type",
    "titles": "title",
    "since": "since",
    "before": "before",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One stage. ``rank`` is that of the document's best passage, from 1; ``of`` how many go on from here."""

    name: str
    passed: bool
    detail: str
    rank: int | None = None
    of: int | None = None


def gates(document: Document, query: Query, user: User) -> Iterator[Step]:
    """What decides whether the document takes part at all."""
    yield ready(document)
    if query.filters != Filters():
        yield filtered(document, query.filters)
    yield allowed(document, user)
    if query.phrases:
        yield saying(document, query)
    if query.without:
        yield not_saying(document, query)


def ready(document: Document) -> Step:
    state = document.get_status_display()
    if not document.chunk_count:
        sentence = _("It has no passages that could be found yet: it is “%(state)s”. %(reason)s")
        return Step("ready", False, (sentence % {"state": state, "reason": document.reason}).strip())
    count = ngettext("%(n)s passage can be found.", "%(n)s passages can be found.", document.chunk_count)
    detail = count % {"n": document.chunk_count}
    if document.status != "ready":
        detail += " " + _("They are its former ones: it is “%(state)s”.") % {"state": state}
    return Step("ready", True, detail)


def filtered(document: Document, filters: Filters) -> Step:
    """One filter at a time, so that the very one is named."""
    for name, shown in FILTERS.items():
        value = getattr(filters, name)
        if value and not passes(document, name, value):
            detail = _("The filter “%(filter)s” leaves it out: the document has “%(has)s”.") % {
                "filter": f"{shown}: {written(value)}",
                "has": written(borne(document)[name]) or _("none"),
            }
            return Step("filters", False, detail)
    return Step("filters", True, _("Every filter lets it through."))


def passes(document: Document, name: str, value: Any) -> bool:
    if name == "collections":
        return document.collection.slug in value
    one = DocumentFilters(**{name: value})
    return bool(Document.objects.filter(pk=document.pk).described(one).exists())


def borne(document: Document) -> dict[str, Any]:
    """What the document has of what each filter asks for."""
    return {
        "collections": document.collection.slug,
        "tags": tuple(document.tags),
        "kinds": document.kind,
        "titles": document.title,
        "since": document.dated or _("no date"),
        "before": document.dated or _("no date"),
    }


def written(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def allowed(document: Document, user: User) -> Step:
    names = {"user": user.get_username(), "collection": document.collection.name}
    if Document.objects.visible_to(user).filter(pk=document.pk).exists():
        return Step("access", True, _("%(user)s may see the collection “%(collection)s”.") % names)
    detail = _("%(user)s may not see it: neither owner nor member of the collection “%(collection)s”.")
    return Step("access", False, detail % names)


def sayable(document: Document, query: Query) -> ChunkQuerySet:
    """The passages that say what the query wants said, and nothing that it does not."""
    found: ChunkQuerySet = Chunk.objects.filter(document=document).order_by()
    return found.saying(query.phrases, query.without)


def saying(document: Document, query: Query) -> Step:
    own = Chunk.objects.filter(document=document)
    if own.saying(query.phrases).exists():
        return Step("phrases", True, _("It holds %(phrases)s.") % {"phrases": quoted(*query.phrases)})
    missing = [phrase for phrase in query.phrases if not own.saying([phrase]).exists()]
    if missing:
        detail = _("No passage of it holds %(phrases)s word for word.")
        return Step("phrases", False, detail % {"phrases": quoted(*missing)})
    detail = _("No single passage of it holds all of %(phrases)s.")
    return Step("phrases", False, detail % {"phrases": quoted(*query.phrases)})


def not_saying(document: Document, query: Query) -> Step:
    words = {"words": quoted(*query.without)}
    if sayable(document, query).exists():
        return Step("exclusions", True, _("It has passages without %(words)s.") % words)
    return Step("exclusions", False, _("Every passage of it that fits holds %(words)s, excluded.") % words)
