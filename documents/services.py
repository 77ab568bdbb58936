"""Every write to collections and documents: keyword-only functions, atomic, checked first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.files import File
from django.db import IntegrityError, transaction
from django.db.models import F
from django.shortcuts import get_object_or_404
from django.utils.text import slugify

from documents import metrics, progress
from documents.exceptions import AlreadyThere, IdempotencyConflict
from documents.models import (
    Chunk,
    Collection,
    Deletion,
    Document,
    Embedding,
    IdempotencyKey,
    Membership,
    Role,
    Stage,
    Status,
)
from documents.uploads import (
    checked_digest,
    clean_tags,
    clean_title,
    delete_file,
    described,
    discard_file,
    store_file,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of an upload: a new document, or the one that has these bytes already."""

    document: Document
    duplicate: bool = False


# --- Collections ----------------------------------------------------------------------------


@transaction.atomic
def collection_create(*, owner: User, name: str, slug: str = "", description: str = "") -> Collection:
    """A new shared collection. Without a slug the name makes one; a taken slug is refused."""
    wanted = slug or free_slug(slugify(name) or "collection")
    collection = Collection(owner=owner, name=name.strip(), slug=wanted, description=description)
    collection.full_clean()
    collection.save()
    return collection


@transaction.atomic
def collection_private(*, user: User) -> Collection:
    """The user's own collection, created when it is first needed."""
    found = Collection.objects.filter(owner=user, is_private=True).first()
    if found:
        return found
    slug = free_slug(slugify(f"{user.get_username()}-private") or f"user-{user.pk}")
    try:
        with transaction.atomic():
            return Collection.objects.create(
                owner=user, is_private=True, name=f"{user.get_username()}: private"[:120], slug=slug
            )
    except IntegrityError:  # made by another request just now
        return Collection.objects.get(owner=user, is_private=True)


def free_slug(base: str) -> str:
    base = base[:70]
    taken = set(Collection.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    if base not in taken:
        return base
    return next(slug for n in range(2, len(taken) + 3) if (slug := f"{base}-{n}") not in taken)


@transaction.atomic
def collection_update(
    *, collection: Collection, name: str | None = None, description: str | None = None
) -> Collection:
    if name is not None:
        collection.name = name.strip()
    if description is not None:
        collection.description = description
    collection.full_clean()
    collection.save(update_fields=["name", "description"])
    return collection


@transaction.atomic
def collection_delete(*, collection: Collection) -> None:
    """Delete an empty collection. One that holds documents is refused: those are deleted one by one."""
    if collection.is_private:
        raise ValidationError("A private collection cannot be deleted.")
    if collection.documents.exists():
        raise ValidationError("This collection still holds documents. Delete or move them first.")
    collection.delete()


@transaction.atomic
def membership_set(*, collection: Collection, user: User, role: str) -> Membership:
    """Make ``user`` a member with ``role``, or change the role."""
    if collection.is_private:
        raise ValidationError("A private collection has no members.")
    if user.pk == collection.owner_id:
        raise ValidationError("The owner has every right already.")
    if role not in Role.values:
        raise ValidationError(f"Unknown role: {role}. Roles: {', '.join(Role.values)}.")
    membership, _ = Membership.objects.update_or_create(
        collection=collection, user=user, defaults={"role": role}
    )
    return membership


@transaction.atomic
def membership_remove(*, collection: Collection, user: User) -> None:
    collection.memberships.filter(user=user).delete()


# --- Documents ------------------------------------------------------------------------------


def document_create(
    *,
    user: User,
    collection: Collection,
    upload: File[bytes],
    title: str = "",
    tags: Iterable[str] = (),
    idempotency_key: str = "",
) -> Accepted:
    """Keep an uploaded file and have it indexed.

    The bytes are stored first, then the row and the job are committed together (``signals``); a
    failure on the way removes the file. The same bytes in the same collection answer with the
    document that has them. Raises ``EmptyUpload``, ``UploadTooLarge``, ``UnsupportedType``,
    ``StorageFull``, ``IdempotencyConflict``.
    """
    sha256 = checked_digest(upload)
    if earlier := document_for_key(user, idempotency_key, collection, sha256):
        return Accepted(earlier, duplicate=True)
    if found := Document.objects.filter(collection=collection, sha256=sha256).first():
        remember_key(user, idempotency_key, found)
        return Accepted(found, duplicate=True)
    document = described(upload, title=title, tags=tags)
    document.collection, document.sha256, document.uploaded_by = collection, sha256, user
    return insert_document(document, upload, idempotency_key)


def insert_document(document: Document, upload: File[bytes], idempotency_key: str) -> Accepted:
    store_file(document, upload)
    try:
        with transaction.atomic():
            document.full_clean(validate_constraints=False)
            document.save(force_insert=True)
            remember_key(document.uploaded_by, idempotency_key, document)
    except IntegrityError:
        discard_file(document)
        # The same bytes came twice at once; the other upload won.
        winner = Document.objects.filter(collection=document.collection, sha256=document.sha256).first()
        if winner is None:
            raise
        remember_key(document.uploaded_by, idempotency_key, winner)
        return Accepted(winner, duplicate=True)
    except BaseException:
        discard_file(document)
        raise
    progress.announce(document)
    return Accepted(document)


@transaction.atomic
def document_update(
    *,
    document: Document,
    title: str | None = None,
    tags: Sequence[str] | None = None,
    collection: Collection | None = None,
) -> Document:
    """Change what people say about a document. A new title is part of every passage: reindexes."""
    document = locked(document)
    if collection is not None and collection.pk != document.collection_id:
        move_document(document, collection)
    if tags is not None:
        document.tags = clean_tags(tags)
        document.save(update_fields=["tags", "updated_at"])
    if title is not None and clean_title(title) != document.title:
        document.title = clean_title(title)
        document.metadata = {**document.metadata, "title_given": True}
        document.full_clean(validate_constraints=False)
        document.save(update_fields=["title", "metadata", "updated_at"])
        document = document_reindex(document=document)
    touch_corpus(document.collection_id)
    return document


def locked(document: Document) -> Document:
    """The row as it is now, held until the transaction ends. 404 when it was deleted meanwhile."""
    return get_object_or_404(Document.objects.select_for_update(), pk=document.pk)


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


def move_document(document: Document, collection: Collection) -> None:
    touch_corpus(document.collection_id)
    document.collection = collection
    with twins_refused():
        document.save(update_fields=["collection", "updated_at"])
    Chunk.objects.filter(document=document).update(collection=collection)
    Embedding.objects.filter(document=document).update(collection=collection)


@transaction.atomic
def document_reindex(*, document: Document) -> Document:
    """Read, split and embed again. What is indexed now serves until the new passages are in."""
    document = locked(document)
    document.content_version += 1
    requeue(document)
    document.save(update_fields=["content_version", *QUEUE_FIELDS])
    transaction.on_commit(lambda: progress.announce(document))
    return document


FILE_FIELDS = ("file", "sha256", "size", "filename", "kind", "media_type")
QUEUE_FIELDS = (
    "status",
    "stage",
    "percent",
    "reason",
    "error_detail",
    "tries",
    "interruptions",
    "updated_at",
)


def requeue(document: Document) -> None:
    document.status, document.stage, document.percent = Status.QUEUED, Stage.NONE, 0
    document.reason = document.error_detail = ""
    document.tries = document.interruptions = 0


def document_replace_file(*, document: Document, upload: File[bytes]) -> Accepted:
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
            replaced = take_file(locked(document), given)
    except BaseException:
        discard_file(given)
        raise
    if not replaced:
        discard_file(given)
        return Accepted(Document.objects.get(pk=document.pk), duplicate=True)
    progress.announce(replaced)
    return Accepted(replaced)


def take_file(document: Document, given: Document) -> Document | None:
    """``given``'s file for the locked ``document``; None when it has these bytes since just now."""
    if document.sha256 == given.sha256:
        return None
    storage, old_name = document.file.storage, document.file.name
    for name in FILE_FIELDS:
        setattr(document, name, getattr(given, name))
    document.content_version += 1
    requeue(document)
    document.save(update_fields=["content_version", *FILE_FIELDS, *QUEUE_FIELDS])
    transaction.on_commit(lambda: delete_file(storage, old_name))
    return document


def document_fail(*, document_id: UUID, reason: str, detail: str = "", version: int | None = None) -> None:
    """End a document that is on its way: ``failed``, with a sentence for people.

    What was indexed of it goes too: a failed document answers nothing. One that has ended stays so,
    and so does one whose content is another by now than the ``version`` that is at fault.
    """
    with transaction.atomic():
        document = Document.objects.select_for_update().filter(pk=document_id).first()
        if document is None or document.status not in (Status.QUEUED, Status.PROCESSING):
            return
        if version is not None and document.content_version != version:
            return
        document.pages.all().delete()
        document.chunks.all().delete()
        document.status, document.stage, document.chunk_count = Status.FAILED, Stage.NONE, 0
        document.reason, document.error_detail = reason, detail
        document.save()
        touch_corpus(document.collection_id)
    metrics.documents_processed_total.labels("failed").inc()
    progress.announce(document)


def document_cancel(*, document: Document) -> None:
    """Stop a document that is on its way: it ends failed with the reason ``cancelled``."""
    document_fail(document_id=document.pk, reason="cancelled")


def document_delete(*, document: Document, user: User | None) -> None:
    """Remove row, pages, passages, vectors and file. The file goes when the rows are gone for sure.

    A record without any content stays, for those who manage the collection.
    """
    with transaction.atomic():
        current = Document.objects.select_for_update().filter(pk=document.pk).first()
        if current is None:  # somebody else was faster
            return
        pk, collection_id = current.pk, current.collection_id
        storage, name = current.file.storage, current.file.name
        Deletion.objects.create(
            document_id=pk,
            collection_id=collection_id,
            deleted_by=user,
            page_count=current.page_count,
            chunk_count=current.chunk_count,
        )
        current.delete()
        touch_corpus(collection_id)
        transaction.on_commit(lambda: delete_file(storage, name))
    progress.announce_deleted(pk, collection_id)


def touch_corpus(collection_id: int) -> None:
    """Say that what a search in this collection returns may have changed."""
    Collection.objects.filter(pk=collection_id).update(corpus_version=F("corpus_version") + 1)


def document_for_key(user: User, key: str, collection: Collection, sha256: str) -> Document | None:
    """What ``key`` was used for, as far as the user may still see it."""
    if not key:
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
