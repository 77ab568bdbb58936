"""Deletion: row, pages, passages, vectors, files, what came with it, and every trace in other tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.core.files.storage import Storage
from django.db import transaction
from django.utils.translation import gettext

from documents import progress, vocabulary
from documents.embedding import kept, registry
from documents.models import Collection, Deletion, Document, EmbeddingSpace
from documents.services.attached import locked_tree
from documents.services.collections import corpora_touch
from documents.uploads import delete_file

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@transaction.atomic
def collection_delete(*, collection: Collection) -> None:
    """Delete an empty collection. One that holds documents is refused: those are deleted one by one.

    What waits in its bin cannot be brought back any more, and goes with it.
    """
    if collection.is_private:
        raise ValidationError(gettext("A private collection cannot be deleted."))
    if collection.documents.exists():
        raise ValidationError(gettext("This collection still holds documents. Delete or move them first."))
    for document in Document.objects.filter(collection__bin_of=collection):
        document_delete(document=document, user=document.binned_by)
    collection.delete()


@transaction.atomic
def document_delete(*, document: Document, user: User | None) -> None:
    """Remove a document, and what came with it as attachments and in no other way.

    A record without any content stays of each, for those who manage the collection. The files go when
    the rows are gone for sure. Deleting what is deleted does nothing.
    """
    rows = locked_tree(document.pk)
    # After the documents, and in one order for all: an indexing job holds its document when it touches the
    # collection. Before the words go, which other jobs count as well.
    corpora_touch({row.collection_id for row in rows})
    for row in rows:
        remember(row, user)
        remove(row)


def remember(document: Document, user: User | None) -> None:
    """In the collection that it was deleted from, which may be another one than that it is in: its bin."""
    Deletion.objects.create(
        document_id=document.pk,
        collection_id=document.collection.bin_of_id or document.collection_id,
        deleted_by=user,
        page_count=document.page_count,
        chunk_count=document.chunk_count,
    )


def remove(document: Document) -> None:
    storage = document.file.storage
    names = {document.file.name, document.indexed_file}
    pk, collection_id = document.pk, document.collection_id
    passages = list(document.chunks.values_list("content_hash", flat=True))
    vocabulary.exchange(collection_id, vocabulary.words_of(pk))
    document.delete()
    # The admin's history keeps titles, and a title may be a sentence of the text.
    history = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Document), object_id=str(pk)
    )
    history.update(object_repr=str(pk), change_message="")
    transaction.on_commit(lambda: finish(pk, collection_id, storage, names, passages))


def finish(
    pk: UUID, collection_id: int, storage: Storage, names: set[str | None], passages: Sequence[str]
) -> None:
    for name in names:
        delete_file(storage, name)
    progress.announce_deleted(pk, collection_id)
    kept.forget(registry.ENGINES, EmbeddingSpace.objects.values_list("revision", flat=True), passages)
