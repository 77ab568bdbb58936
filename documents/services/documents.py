"""Writes to documents: create, change, replace, read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.files import File
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.shortcuts import get_object_or_404

from documents import progress, vocabulary
from documents.exceptions import AlreadyThere
from documents.models import (
    Attachment,
    Chunk,
    Collection,
    Document,
    DocumentIdentity,
    Embedding,
    EventKind,
    Stage,
    Status,
)
from documents.services.attached import locked_tree
from documents.services.collections import corpora_touch, touch_corpus
from documents.services.deletion import document_delete
from documents.services.events import event_record
from documents.services.idempotency import document_for_key, remember_key
from documents.services.identity import document_identify
from documents.uploads import (
    checked_digest,
    clean_source,
    clean_tags,
    clean_title,
    delete_file,
    described,
    discard_file,
    discard_unless_kept,
    store_file,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of an upload: a new document, or the one that has these bytes already."""

    document: Document
    duplicate: bool = False


def document_create(
    *,
    user: User | None,
    collection: Collection,
    upload: File[bytes],
    title: str = "",
    tags: Iterable[str] = (),
    source: str = "",
    idempotency_key: str = "",
    attached: bool = False,
) -> Accepted:
    """Keep an uploaded file and have it indexed.

    The bytes are stored first, then the row and the job are committed together (``signals``); a
    failure on the way removes the file. The same bytes in the same collection answer with the
    document that has them. ``attached`` is what a mail brought, as opposed to what somebody asked for;
    ``source`` is the path inside the folder that it was uploaded from; nobody's
    (``user`` None) is what the portal takes out of a mail whose sender is gone. Raises ``EmptyUpload``,
    ``UploadTooLarge``, ``UnsupportedType``, ``StorageFull``, ``IdempotencyConflict``.
    """
    sha256 = checked_digest(upload)
    if earlier := document_for_key(user, idempotency_key, collection, sha256):
        return duplicate_of(earlier, attached)
    if found := Document.objects.filter(collection=collection, sha256=sha256).first():
        remember_key(user, idempotency_key, found)
        return duplicate_of(found, attached)
    document = described(upload, title=title, tags=tags)
    document.collection, document.sha256, document.uploaded_by = collection, sha256, user
    document.source, document.only_attached = clean_source(source), attached
    return insert_document(document, upload, idempotency_key)


def insert_document(document: Document, upload: File[bytes], idempotency_key: str) -> Accepted:
    store_file(document, upload)
    try:
        with transaction.atomic():
            document.full_clean(validate_constraints=False)
            document.save(force_insert=True)
            event_record(
                document=document,
                kind=EventKind.UPLOADED,
                user=document.uploaded_by,
                filename=document.filename,
                size=document.size,
            )
            remember_key(document.uploaded_by, idempotency_key, document)
    except IntegrityError:
        discard_file(document)
        # The same bytes came twice at once; the other upload won.
        winner = Document.objects.filter(collection=document.collection, sha256=document.sha256).first()
        if winner is None:
            raise
        remember_key(document.uploaded_by, idempotency_key, winner)
        return duplicate_of(winner, document.only_attached)
    except (OperationalError, InterfaceError):
        # The connection broke: whether the row was committed before that has to be asked.
        if not discard_unless_kept(document):
            raise
    except BaseException:
        discard_file(document)
        raise
    transaction.on_commit(lambda: progress.announce(document))
    return Accepted(document)


def duplicate_of(found: Document, attached: bool) -> Accepted:
    if not attached:
        keep(found)
    return Accepted(found, duplicate=True)


def keep(document: Document) -> None:
    """Somebody wants it for itself: it stays when the mail that brought it goes."""
    Document.objects.filter(pk=document.pk, only_attached=True).update(only_attached=False)


@transaction.atomic
def document_update(
    *,
    document: Document,
    user: User | None = None,
    title: str | None = None,
    tags: Sequence[str] | None = None,
    collection: Collection | None = None,
) -> Document:
    """Change what people say about a document. A new title is part of every passage: reindexes."""
    document = locked(document)
    if collection is not None and collection.pk != document.collection_id:
        keep(document)
        event_record(
            document=document,
            kind=EventKind.MOVED,
            user=user,
            former=document.collection_id,
            now=collection.pk,
        )
        move_documents(document, collection)
    if tags is not None and clean_tags(tags) != document.tags:
        tag(document, clean_tags(tags), user)
    if title is not None and clean_title(title) != document.title:
        rename(document, clean_title(title), user)
    touch_corpus(document.collection_id)
    return document


def tag(document: Document, tags: list[str], user: User | None) -> None:
    changes = {
        "added": [each for each in tags if each not in document.tags],
        "removed": [each for each in document.tags if each not in tags],
    }
    event_record(document=document, kind=EventKind.TAGGED, user=user, **changes)
    document.tags = tags
    document.save(update_fields=["tags", "updated_at"])
    if hasattr(document, "identity"):
        document_identify(document=document)


def rename(document: Document, title: str, user: User | None) -> None:
    event_record(document=document, kind=EventKind.RENAMED, user=user, former=document.title, now=title)
    document.title = title
    document.metadata = {**document.metadata, "title_given": True}
    document.full_clean(validate_constraints=False)
    document.save(update_fields=["title", "metadata", "updated_at"])
    begin_again(document)


def locked(document: Document) -> Document:
    """The row as it is now, held until the transaction ends. 404 when it was deleted meanwhile."""
    return get_object_or_404(Document.objects.but_binned().select_for_update(), pk=document.pk)


@contextmanager
def twins_refused() -> Iterator[None]:
    """The database decides whether a collection has these bytes already: ``AlreadyThere``."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "document_once_per_collection" in str(error):
            raise AlreadyThere from error
        raise


def move_documents(document: Document, collection: Collection) -> None:
    """The document, and what came with it alone: nobody is to read an attachment who may not see its mail."""
    _, *attached = locked_tree(document.pk)
    # Both at once and in one order for all: their vocabularies change with each document.
    corpora_touch({document.collection_id, collection.pk})
    move_document(document, collection)
    for each in attached:
        try:
            move_document(each, collection)
        except AlreadyThere:
            twin = Document.objects.get(collection=collection, sha256=each.sha256)
            links = Attachment.objects.filter(document=each)
            links.exclude(message__in=twin.messages.values("message")).update(document=twin)
            document_delete(document=each, user=None)


def move_document(document: Document, collection: Collection) -> None:
    former, words = document.collection_id, vocabulary.words_of(document.pk)
    document.collection = collection
    with twins_refused():
        document.save(update_fields=["collection", "updated_at"])
    vocabulary.exchange(former, words)
    vocabulary.exchange(collection.pk, frozenset(), words)
    Chunk.objects.filter(document=document).update(collection=collection)
    Embedding.objects.filter(document=document).update(collection=collection)
    DocumentIdentity.objects.filter(document=document).update(collection=collection)


@transaction.atomic
def document_reindex(*, document: Document, user: User | None = None) -> Document:
    """Read, split and embed again. What is indexed now serves until the new passages are in."""
    document = locked(document)
    event_record(document=document, kind=EventKind.REINDEXED, user=user)
    begin_again(document)
    return document


def begin_again(document: Document) -> None:
    document.content_version += 1
    requeue(document)
    document.save(update_fields=["content_version", *QUEUE_FIELDS])
    transaction.on_commit(lambda: progress.announce(document))


FILE_FIELDS = ("file", "sha256", "size", "filename", "kind", "media_type")
QUEUE_FIELDS = (
    "status",
    "stage",
    "stage_done",
    "stage_total",
    "percent",
    "reason",
    "error_detail",
    "tries",
    "interruptions",
    "updated_at",
)


def requeue(document: Document) -> None:
    document.status, document.stage, document.percent = Status.QUEUED, Stage.NONE, 0
    document.stage_done = document.stage_total = 0
    document.reason = document.error_detail = ""
    document.tries = document.interruptions = 0


def document_replace_file(*, document: Document, upload: File[bytes], user: User | None = None) -> Accepted:
    """Put new bytes in the place of the old. The same bytes change nothing.

    Raises ``AlreadyThere`` when another document of the collection has them.
    """
    sha256 = checked_digest(upload)
    if sha256 == document.sha256:
        return Accepted(document, duplicate=True)
    given = described(upload)
    given.pk, given.sha256 = document.pk, sha256
    store_file(given, upload)
    try:
        with twins_refused():
            replaced = take_file(locked(document), given, user)
    except BaseException:
        discard_file(given)
        raise
    if not replaced:
        discard_file(given)
        return Accepted(Document.objects.get(pk=document.pk), duplicate=True)
    progress.announce(replaced)
    return Accepted(replaced)


def take_file(document: Document, given: Document, user: User | None) -> Document | None:
    """``given``'s file for the locked ``document``; None when it has these bytes since just now.

    The file before it stays as long as its pages and passages serve (``indexed_file``).
    """
    if document.sha256 == given.sha256:
        return None
    storage, old_name = document.file.storage, document.file.name
    for name in FILE_FIELDS:
        setattr(document, name, getattr(given, name))
    document.content_version += 1
    requeue(document)
    document.save(update_fields=["content_version", *FILE_FIELDS, *QUEUE_FIELDS])
    event_record(
        document=document,
        kind=EventKind.REPLACED,
        user=user,
        filename=document.filename,
        size=document.size,
    )
    if old_name != document.indexed_file:
        transaction.on_commit(lambda: delete_file(storage, old_name))
    return document


def document_set_source(*, document: Document, source: str) -> None:
    """Say where its file lies now inside the folder that it came from; empty: nowhere any more."""
    if source:
        keep(document)
    Document.objects.filter(pk=document.pk).update(source=clean_source(source))
