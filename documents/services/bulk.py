"""The same done to several documents: each by itself, so that one that is refused holds up no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.http import Http404

from documents.exceptions import DocumentError
from documents.models import Collection, Document
from documents.services.binning import document_bin, document_unbin
from documents.services.documents import document_reindex, document_update

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(slots=True)
class Outcome:
    """Which documents were changed, and of those that were not how many for which reason."""

    done: list[UUID] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)

    def with_(self, other: Outcome) -> Outcome:
        reasons = {**self.refused, **other.refused}
        both = {why: self.refused.get(why, 0) + other.refused.get(why, 0) for why in reasons}
        return Outcome([*self.done, *other.done], both)


def each(documents: Iterable[Document], change: Callable[[Document], bool]) -> Outcome:
    """``change`` says whether there was something to do. Documents that went meanwhile are left out."""
    outcome = Outcome()
    for document in documents:
        try:
            with transaction.atomic():
                if change(document):
                    outcome.done.append(document.pk)
        except Http404:
            continue
        except DocumentError as error:
            outcome.refused[str(error)] = outcome.refused.get(str(error), 0) + 1
    return outcome


def documents_tag(*, documents: Iterable[Document], tag: str, on: bool, user: User | None) -> Outcome:
    """Put ``tag`` (folded as it is stored) on each, or take it off."""

    def change(document: Document) -> bool:
        if (tag in document.tags) == on:
            return False
        tags = [*document.tags, tag] if on else [kept for kept in document.tags if kept != tag]
        document_update(document=document, user=user, tags=tags)
        return True

    return each(documents, change)


def documents_move(*, documents: Iterable[Document], collection: Collection, user: User | None) -> Outcome:
    def change(document: Document) -> bool:
        if document.collection_id == collection.pk:
            return False
        document_update(document=document, user=user, collection=collection)
        return True

    return each(documents, change)


def documents_reindex(*, documents: Iterable[Document], user: User | None) -> Outcome:
    def change(document: Document) -> bool:
        document_reindex(document=document, user=user)
        return True

    return each(documents, change)


def documents_bin(*, documents: Iterable[Document], user: User) -> Outcome:
    """Into the bins of their collections, from where ``document_unbin`` brings them back for a while."""

    def change(document: Document) -> bool:
        document_bin(document=document, user=user)
        return True

    return each(documents, change)


def documents_unbin(*, documents: Iterable[Document]) -> Outcome:
    """Back from the bins. What one of them brings back with it counts once."""
    return each(documents, lambda document: document_unbin(document=document))
