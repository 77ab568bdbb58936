"""Idempotency keys: an upload that is sent again gets the first answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from documents.exceptions import IdempotencyConflict
from documents.models import Collection, Document, IdempotencyKey

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def document_for_key(user: User | None, key: str, collection: Collection, sha256: str) -> Document | None:
    """What ``key`` was used for, as far as the user may still see it."""
    if not key or user is None:
        return None
    used = IdempotencyKey.objects.filter(user=user, key=key[:200]).values("document")
    found: Document | None = Document.objects.visible_to(user).filter(pk__in=used).first()
    if found and (found.sha256, found.collection_id) != (sha256, collection.pk):
        raise IdempotencyConflict
    return found


@transaction.atomic
def remember_key(user: User | None, key: str, document: Document) -> None:
    """Raises ``IdempotencyConflict`` when the key stands for another document since just now."""
    if not key or user is None:
        return
    keys = IdempotencyKey.objects.select_for_update()
    row, _ = keys.get_or_create(user=user, key=key[:200], defaults={"document": document})
    if row.document_id == document.pk:
        return
    if Document.objects.visible_to(user).filter(pk=row.document_id).exists():
        raise IdempotencyConflict
    # What the user may no longer see is as if it were not there: the key is free again.
    row.document = document
    row.save(update_fields=["document"])
