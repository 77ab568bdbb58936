"""Deletion that can be taken back: into the bin of the collection, out of it again, and for good."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from documents import progress
from documents.models import Attachment, Document, Status
from documents.services.attached import locked_tree
from documents.services.collections import collection_bin
from documents.services.deletion import document_delete
from documents.services.documents import document_reindex, keep, move_documents

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

#: So long a deletion can be taken back.
BIN_SECONDS = 60


@transaction.atomic
def document_bin(*, document: Document, user: User | None) -> None:
    """Put a document, and what came with it alone, where nobody finds it; ``bin_empty`` deletes it for good.

    A job that is at it stops: its version is over. Binning what is in the bin, or gone, does nothing.
    """
    rows = locked_tree(document.pk)
    if not rows or rows[0].binned_at:
        return
    home = rows[0].collection
    target = collection_bin(collection=home)
    end_twins(target.pk, [row.sha256 for row in rows])
    move_documents(rows[0], target)
    ids = [row.pk for row in rows]
    Document.objects.filter(pk__in=ids).update(
        binned_at=timezone.now(), binned_by=user, content_version=F("content_version") + 1
    )
    transaction.on_commit(lambda: announce_gone(ids, home.pk))


def end_twins(bin_id: int, digests: list[str]) -> None:
    """The same bytes, deleted before and uploaded again since: that earlier deletion stands now."""
    for twin in Document.objects.filter(collection=bin_id, sha256__in=digests):
        document_delete(document=twin, user=twin.binned_by)


def announce_gone(documents: list[UUID], collection_id: int) -> None:
    for pk in documents:
        progress.announce_deleted(pk, collection_id)


@transaction.atomic
def document_unbin(*, document: Document) -> bool:
    """Bring a document back from the bin, and what came with it; False when it is too late for that.

    One that was on its way is queued again. Raises ``AlreadyThere`` when its collection has the same bytes
    again by now.
    """
    rows = locked_tree(document.pk)
    if not rows or not rows[0].binned_at:
        return False
    home = rows[0].collection.bin_of
    assert home is not None
    ids = [row.pk for row in rows]
    move_documents(rows[0], home)
    back = Document.objects.filter(pk__in=ids)
    back.update(binned_at=None, binned_by=None)
    for row in back:
        settle(row)
    return True


def settle(document: Document) -> None:
    """At home again: its job, and whether it still is what a mail has attached."""
    if not Attachment.objects.filter(document=document, message__collection=document.collection_id).exists():
        keep(document)
    if document.status in (Status.QUEUED, Status.PROCESSING):
        document_reindex(document=document)
    else:
        transaction.on_commit(lambda: progress.announce(document))


def bin_empty() -> int:
    """Delete for good what has been in a bin for ``BIN_SECONDS``; how many documents that were."""
    over = timezone.now() - timedelta(seconds=BIN_SECONDS)
    due = list(Document.objects.filter(binned_at__lte=over).values_list("pk", flat=True))
    return sum(end(pk) for pk in due)


@transaction.atomic
def end(pk: UUID) -> bool:
    """Asked again under the lock: somebody may have brought it back just now."""
    row = Document.objects.select_for_update().filter(pk=pk, binned_at__isnull=False).first()
    if row is not None:
        document_delete(document=row, user=row.binned_by)
    return row is not None
