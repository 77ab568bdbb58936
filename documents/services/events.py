"""The history of a document, written beside each change of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from documents.models import Document, DocumentEvent

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def event_record(*, document: Document, kind: str, user: User | None = None, **details: Any) -> None:
    """Within the transaction of the change itself; without a ``user`` the portal did it."""
    DocumentEvent.objects.create(document=document, kind=kind, user=user, details=details)
