"""Deletion: row, pages, passages, vectors, files, what came with it, and every trace in other tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.storage import Storage
from django.db import transaction

from documents import progress
from documents.models import Attachment, Deletion, Document
from documents.services.collections import touch_corpus
from documents.uploads import delete_file

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def document_delete(*, document: Document, user: User | None) -> None:
    """Remove a document, and those that came with it as attachments and with no other mail.

    A record without any content stays, for those who manage the collection. The files go when the
    rows are gone for sure. Deleting what is deleted does nothing.
    """
    with transaction.atomic():
        current = Document.objects.select_for_update().filter(pk=document.pk).first()
        if current is None:  # somebody else was faster
            return
        brought = list(brought_only_by(current))
        pk, collection_id = current.pk, current.collection_id
        remember(current, user)
        remove(current)
        transaction.on_commit(lambda: progress.announce_deleted(pk, collection_id))
        for attachment in brought:
            document_delete(document=attachment, user=user)


def brought_only_by(message: Document) -> list[Document]:
    """The documents that are there only because this mail had them attached."""
    mine = Attachment.objects.filter(message=message, brought=True).values("document")
    others = Attachment.objects.exclude(message=message).values("document")
    return list(Document.objects.filter(pk__in=mine).exclude(pk__in=others).exclude(pk=message.pk))


def remember(document: Document, user: User | None) -> None:
    Deletion.objects.create(
        document_id=document.pk,
        collection_id=document.collection_id,
        deleted_by=user,
        page_count=document.page_count,
        chunk_count=document.chunk_count,
    )


def remove(document: Document) -> None:
    storage = document.file.storage
    names = {document.file.name, document.indexed_file}
    pk, collection_id = document.pk, document.collection_id
    document.delete()
    touch_corpus(collection_id)
    # The admin's history keeps titles, and a title may be a sentence of the text.
    history = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Document), object_id=str(pk)
    )
    history.update(object_repr=str(pk), change_message="")
    transaction.on_commit(lambda: delete_files(storage, names))


def delete_files(storage: Storage, names: set[str | None]) -> None:
    for name in names:
        delete_file(storage, name)
