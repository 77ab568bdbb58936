"""What people say of a document besides its title and tags; it outlives every new reading of the file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import transaction

from documents.models import Document, EventKind
from documents.services.collections import touch_corpus
from documents.services.documents import locked
from documents.services.events import event_record
from documents.services.identity import document_identify

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@transaction.atomic
def document_set_date(*, document: Document, dated: date | None, user: User | None = None) -> Document:
    """The day that the document bears; None: that it bears none."""
    document = locked(document)
    if dated != document.dated:
        document.dated = dated
        describe(document, user, "dated", dated_given=True)
        touch_corpus(document.collection_id)
    return document


@transaction.atomic
def document_set_language(*, document: Document, language: str, user: User | None = None) -> Document:
    """By which language its words are stemmed: passages are indexed anew, but not read or embedded."""
    document = locked(document)
    if language != document.language:
        document.language = language
        describe(document, user, "language", language_given=True)
        document.chunks.exclude(language=language).update(language=language)
        if hasattr(document, "identity"):
            document_identify(document=document)
        touch_corpus(document.collection_id)
    return document


@transaction.atomic
def document_set_details(
    *, document: Document, details: Mapping[str, str], user: User | None = None
) -> Document:
    """Names and values of the people's own, in the order given."""
    document = locked(document)
    if dict(details) != document.metadata.get("details", {}):
        describe(document, user, "details", details=dict(details))
    return document


def describe(document: Document, user: User | None, field: str, **kept: Any) -> None:
    document.metadata = {**document.metadata, **kept}
    document.save(update_fields=["dated", "language", "metadata", "updated_at"])
    event_record(document=document, kind=EventKind.DESCRIBED, user=user, field=field)
