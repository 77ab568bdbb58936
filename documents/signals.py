"""Signals only trigger: content that is new gets its job, inside the same transaction."""

from __future__ import annotations

from collections.abc import Collection as Names
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import Signal, receiver

from documents.models import Document

#: Sent once what readers may find is another and that is committed.
corpus_changed = Signal()


def send_corpus_changed() -> None:
    transaction.on_commit(lambda: corpus_changed.send(sender=Document))


@receiver(post_save, sender=Document, dispatch_uid="documents.enqueue_indexing")
def enqueue_indexing(
    instance: Document, created: bool, raw: bool, update_fields: Names[str] | None, **_: Any
) -> None:
    from documents import tasks

    if not raw and (created or "content_version" in (update_fields or ())):
        tasks.enqueue(instance.pk)
