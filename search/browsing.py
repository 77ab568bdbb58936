"""A query of nothing but operators asks for documents, not for words: the newest ones that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import OuterRef, Subquery

from documents.models import Chunk, Document
from search.types import Candidate, Filters, Query

if TYPE_CHECKING:
    from documents.querysets import DocumentQuerySet, User

#: The name of the one leg that such a search has.
NEWEST = "newest"


def asks_for_documents(query: Query) -> bool:
    """Whether there are no words, but something that narrows."""
    return not query.text and (query.filters != Filters() or bool(query.without))


def documents_of(filters: Filters, user: User) -> DocumentQuerySet:
    """The documents with passages that ``user`` may see and ``filters`` leave."""
    found = Document.objects.visible_to(user).filter(chunk_count__gt=0)
    if filters.collections:
        found = found.filter(collection__slug__in=filters.collections)
    return found.described(filters)


def newest(query: Query, user: User, k: int) -> list[Candidate]:
    """Of the ``k`` documents uploaded last that have one, the first passage that holds nothing excluded."""
    if not asks_for_documents(query):
        return []
    passages = Chunk.objects.filter(document=OuterRef("pk")).saying((), query.without).order_by("ordinal")
    documents = documents_of(query.filters, user).annotate(first=Subquery(passages.values("pk")[:1]))
    if query.without:  # else each has one, and need not be looked at before the newest are chosen
        documents = documents.filter(first__isnull=False)
    latest = documents.order_by("-created_at", "pk").values_list("first", flat=True)[:k]
    return [Candidate(pk, rank, 1.0 / rank) for rank, pk in enumerate(latest, 1)]
