"""Uploads, good and bad: each ends as one document, a clear error, or nothing at all."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import IntegrityError, OperationalError, connections, transaction

from documents import services, tasks, uploads
from documents.exceptions import (
    AlreadyThere,
    EmptyUpload,
    IdempotencyConflict,
    StorageFull,
    UnsupportedType,
    UploadTooLarge,
)
from documents.models import Collection, Deletion, Document, Role, Status
from documents.services import documents as writes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _keep_the_connection(monkeypatch: Any) -> None:
    # The test's transaction lives on it.
    monkeypatch.setattr(uploads, "close_old_connections", lambda: None)


def create(collection: Collection, content: bytes, name: str = "note.txt", **given: Any) -> services.Accepted:
    return services.document_create(
        user=collection.owner, collection=collection, upload=ContentFile(content, name=name), **given
    )


def stored() -> set[str]:
    root = Path(default_storage.location)
    return {str(path) for path in root.rglob("*") if path.is_file()}


def content(document: Document) -> bytes:
    with document.file.open("rb") as file:
        return bytes(file.read())


def jobs(document: Document) -> int:
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE args->>'document_id' = %s", [str(document.pk)]
        )
        return int(cursor.fetchone()[0])


def test_upload_stores_file_row_and_job(collection: Collection) -> None:
    accepted = create(collection, b"Some text.", title=" A  title ", tags=["Red", "red ", ""])
    document = accepted.document
    assert not accepted.duplicate
    assert (document.status, document.title, document.tags) == (Status.QUEUED, "A title", ["red"])
    assert content(document) == b"Some text."
    assert jobs(document) == 1


def test_same_bytes_are_one_document(collection: Collection) -> None:
    first = create(collection, b"The same.").document
    before = stored()
    second = create(collection, b"The same.", name="other.txt")
    assert second.duplicate
    assert second.document == first
    assert stored() == before


def test_same_bytes_in_another_collection_are_another_document(collection: Collection, charlie: User) -> None:
    first = create(collection, b"The same.").document
    second = create(services.collection_private(user=charlie), b"The same.")
    assert not second.duplicate
    assert second.document != first


@pytest.mark.django_db(transaction=True)
def test_same_bytes_at_the_same_time_are_one_document(collection: Collection) -> None:
    before = stored()
    barrier, results = threading.Barrier(4), []

    def upload() -> None:
        barrier.wait()
        results.append(create(collection, b"Twice at once."))
        connections.close_all()

    threads = [threading.Thread(target=upload) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert Document.objects.count() == 1
    assert len(results) == 4
    assert sum(not result.duplicate for result in results) == 1
    assert {result.document.pk for result in results} == {Document.objects.get().pk}
    assert len(stored() - before) == 1


def test_empty_file_is_refused(collection: Collection) -> None:
    with pytest.raises(EmptyUpload):
        create(collection, b"")
    assert Document.objects.count() == 0


def test_too_large_is_refused_and_nothing_is_stored(collection: Collection, settings: Any) -> None:
    settings.UPLOAD_LIMIT = 1024 * 1024
    before = stored()
    with pytest.raises(UploadTooLarge, match="1 MB"):
        create(collection, b"x" * (1024 * 1024 + 1))
    assert (Document.objects.count(), stored()) == (0, before)


@pytest.mark.parametrize(
    "content", [b"\x7fELF\x02\x01\x01" + bytes(200), b"PK\x03\x04" + bytes(range(256)) * 4]
)
def test_binary_named_txt_is_refused(collection: Collection, content: bytes) -> None:
    before = stored()
    with pytest.raises(UnsupportedType):
        create(collection, content, name="innocent.txt")
    assert (Document.objects.count(), stored()) == (0, before)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("report\u202efdp.exe.txt", "reportfdp.exe.txt"),
        ("a\x00b\n.txt", "ab.txt"),
        ("x" * 300 + ".txt", "x" * 251 + ".txt"),
        ("...", "document"),
        ("", "document"),
    ],
)
def test_names_are_made_harmless(given: str, kept: str) -> None:
    assert uploads.clean_filename(given) == kept


def test_a_strange_name_never_reaches_the_disk(collection: Collection) -> None:
    document = create(collection, b"Harmless text.", name="../" * 5 + "x" * 280 + "\u202e.txt").document
    assert document.file.name.startswith("originals/")
    assert document.file.name.count(".") == 0


def test_full_disk_is_said_and_leaves_nothing(collection: Collection, monkeypatch: Any) -> None:
    def full(storage: FileSystemStorage, name: str, content: Any) -> str:
        path = Path(storage.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.read(5))
        raise OSError(errno.ENOSPC, "No space left on device")

    before = stored()
    monkeypatch.setattr(FileSystemStorage, "_save", full)
    with pytest.raises(StorageFull):
        create(collection, b"No room for this.")
    assert (Document.objects.count(), stored()) == (0, before)


def test_a_failed_commit_removes_the_file(collection: Collection, monkeypatch: Any) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the queue is broken")

    before = stored()
    monkeypatch.setattr("documents.tasks.enqueue", broken)
    with pytest.raises(RuntimeError):
        create(collection, b"Never kept.")
    assert (Document.objects.count(), stored()) == (0, before)


def test_idempotency_key_answers_with_the_first_document(collection: Collection) -> None:
    first = create(collection, b"Once.", idempotency_key="k1").document
    assert create(collection, b"Once.", idempotency_key="k1").document == first
    with pytest.raises(IdempotencyConflict):
        create(collection, b"Something else.", idempotency_key="k1")


def test_a_key_belongs_to_one_collection(collection: Collection, alice: User) -> None:
    create(collection, b"Once.", idempotency_key="k1")
    with pytest.raises(IdempotencyConflict):
        services.document_create(
            user=alice,
            collection=services.collection_private(user=alice),
            upload=ContentFile(b"Once.", name="note.txt"),
            idempotency_key="k1",
        )


def test_a_key_shows_nothing_that_its_user_may_no_longer_see(collection: Collection, bob: User) -> None:
    def upload(into: Collection) -> services.Accepted:
        file = ContentFile(b"Once.", name="note.txt")
        return services.document_create(user=bob, collection=into, upload=file, idempotency_key="k1")

    services.membership_set(collection=collection, user=bob, role=Role.EDITOR)
    first = upload(collection).document
    services.membership_remove(collection=collection, user=bob)
    own = services.collection_private(user=bob)
    second = upload(own)
    assert (second.duplicate, second.document.collection) == (False, own)
    assert second.document != first
    assert upload(own).document == second.document


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returned or raised, all of them started together."""
    barrier, results = threading.Barrier(len(calls)), list[Any]()

    def run(call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results.append(call())
        except Exception as error:
            results.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return results


def together(store: Callable[..., None]) -> Callable[..., None]:
    """Two uploads that have both passed every check before either gets its row."""
    barrier = threading.Barrier(2)

    def wait(*given: Any) -> None:
        store(*given)
        barrier.wait(10)

    return wait


@pytest.mark.django_db(transaction=True)
def test_one_key_with_two_files_at_once_makes_one_document(collection: Collection, monkeypatch: Any) -> None:
    before = stored()
    monkeypatch.setattr(writes, "store_file", together(writes.store_file))
    results = at_once(*(lambda n=n: create(collection, b"%d" % n, idempotency_key="k1") for n in (1, 2)))
    assert sorted(type(result).__name__ for result in results) == ["Accepted", "IdempotencyConflict"]
    assert Document.objects.count() == 1
    assert len(stored() - before) == 1


def replace(document: Document, content: bytes) -> services.Accepted:
    return services.document_replace_file(document=document, upload=ContentFile(content, name="new.txt"))


@pytest.mark.django_db(transaction=True)
def test_two_replacements_at_once_leave_one_file(collection: Collection, monkeypatch: Any) -> None:
    before = stored()
    document = create(collection, b"The old.").document
    twin = Document.objects.get(pk=document.pk)
    monkeypatch.setattr(writes, "store_file", together(writes.store_file))
    results = at_once(lambda: replace(document, b"One."), lambda: replace(twin, b"Two."))
    assert [result.duplicate for result in results] == [False, False]
    row = Document.objects.get()
    assert row.content_version == 3
    assert stored() - before == {row.file.path}


@pytest.mark.django_db(transaction=True)
def test_the_same_bytes_into_two_documents_at_once(collection: Collection, monkeypatch: Any) -> None:
    before = stored()
    documents = [create(collection, content).document for content in (b"First.", b"Second.")]
    monkeypatch.setattr(writes, "store_file", together(writes.store_file))
    results = at_once(*(lambda d=document: replace(d, b"The same.") for document in documents))
    assert sorted(type(result).__name__ for result in results) == ["Accepted", "AlreadyThere"]
    assert len(stored() - before) == 2


def test_moving_to_a_twin_is_refused(collection: Collection, alice: User) -> None:
    document = create(collection, b"The same.").document
    other = services.collection_create(owner=alice, name="Other")
    create(other, b"The same.")
    with pytest.raises(AlreadyThere):
        services.document_update(document=document, collection=other)
    document.refresh_from_db()
    assert document.collection == collection


@pytest.mark.django_db(transaction=True)
def test_deleted_twice_is_deleted_once(collection: Collection) -> None:
    before = stored()
    document = create(collection, b"The old.").document
    stale = Document.objects.get(pk=document.pk)
    replace(document, b"The new.")
    services.document_delete(document=stale, user=None)
    services.document_delete(document=stale, user=None)
    assert Deletion.objects.count() == 1
    assert stored() == before


def test_a_new_title_answers_with_the_queued_row(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    document = make_document(collection, "A text of some words.")
    changed = services.document_update(document=document, title="New", tags=["a"])
    assert (changed.status, changed.title, changed.tags) == (Status.QUEUED, "New", ["a"])


@pytest.mark.django_db(transaction=True)
def test_replacing_the_file_queues_it_again(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    document = make_document(collection, "The old text about herons.")
    old = document.file.name
    services.document_replace_file(document=document, upload=ContentFile(b"New text.", name="new.txt"))
    document.refresh_from_db()
    assert (document.status, document.content_version) == (Status.QUEUED, 2)
    assert content(document) == b"New text."
    # What is found is still read from the old file.
    assert default_storage.exists(old)
    tasks.index_document(str(document.pk))
    document.refresh_from_db()
    assert document.status == Status.READY
    assert not default_storage.exists(old)
    assert content(document) == b"New text."


@pytest.mark.django_db(transaction=True)
def test_deletion_leaves_no_file_and_no_row(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    document = make_document(collection, "Soon to be gone.")
    name, version = document.file.name, Collection.objects.get(pk=collection.pk).corpus_version
    services.document_delete(document=document, user=collection.owner)
    assert not Document.objects.filter(pk=document.pk).exists()
    assert not default_storage.exists(name)
    assert Collection.objects.get(pk=collection.pk).corpus_version > version


def test_cancel_ends_failed_with_the_reason(collection: Collection) -> None:
    document = create(collection, b"Too slow.").document
    services.document_cancel(document=document)
    document.refresh_from_db()
    assert (document.status, document.reason) == (Status.FAILED, "cancelled")


def test_moving_takes_passages_and_vectors_along(
    collection: Collection, make_document: Callable[..., Document], alice: User
) -> None:
    document = make_document(collection, "A text that moves house.")
    other = services.collection_create(owner=alice, name="Other")
    services.document_update(document=document, collection=other)
    assert set(document.chunks.values_list("collection", flat=True)) == {other.pk}
    assert set(document.chunks.values_list("embeddings__collection", flat=True)) == {other.pk}


def test_private_collection_is_made_once_and_takes_no_members(alice: User, bob: User) -> None:
    private = services.collection_private(user=alice)
    assert services.collection_private(user=alice) == private
    with pytest.raises(ValidationError):
        services.membership_set(collection=private, user=bob, role="viewer")
    with pytest.raises(ValidationError):
        services.collection_delete(collection=private)


def test_database_refuses_what_python_would_let_through(collection: Collection) -> None:
    document = create(collection, b"Some text.").document
    for wrong in ({"status": "failed", "reason": ""}, {"status": "ready"}, {"percent": 101}, {"size": 0}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Document.objects.filter(pk=document.pk).update(**wrong)


# --- When the connection breaks in mid-upload -----------------------------------------------------


def lose(*_: Any, **__: Any) -> None:
    raise OperationalError("server closed the connection unexpectedly")


def test_an_upload_that_was_not_committed_leaves_nothing(collection: Collection, monkeypatch: Any) -> None:
    before = stored()
    monkeypatch.setattr(Document, "save", lose)
    with pytest.raises(OperationalError):
        create(collection, b"Lost.")
    assert (Document.objects.count(), stored()) == (0, before)


@pytest.mark.django_db(transaction=True)
def test_an_upload_that_was_committed_after_all_is_accepted(collection: Collection, monkeypatch: Any) -> None:
    save = Document.save

    def save_and_lose(self: Document, **options: Any) -> None:
        save(self, **options)
        transaction.on_commit(lose)

    monkeypatch.setattr(Document, "save", save_and_lose)
    accepted = create(collection, b"Kept after all.")
    assert content(accepted.document) == b"Kept after all."
    assert Document.objects.get() == accepted.document


def test_while_nobody_knows_the_file_stays(collection: Collection, monkeypatch: Any) -> None:
    before = stored()
    document = prepared(collection, b"Unknown.")
    monkeypatch.setattr(Document, "save", lose)
    monkeypatch.setattr(Document.objects, "filter", lose)
    monkeypatch.setattr(uploads, "ASK_AGAIN_SECONDS", (0.0, 0.0))
    with pytest.raises(OperationalError):
        writes.insert_document(document, ContentFile(b"Unknown.", name="u.txt"), "")
    assert len(stored()) == len(before) + 1


def prepared(collection: Collection, content: bytes) -> Document:
    upload = ContentFile(content, name="u.txt")
    document = uploads.described(upload)
    document.collection, document.sha256 = collection, uploads.checked_digest(upload)
    return document


def test_failed_documents_are_all_tried_again(collection: Collection) -> None:
    documents = [create(collection, text).document for text in (b"One.", b"Two.", b"Three.")]
    for document in documents[:2]:
        services.document_fail(document_id=document.pk, reason="Something.")
    assert services.documents_retry(documents=Document.objects.filter(collection=collection)) == 2
    assert {each.status for each in Document.objects.all()} == {Status.QUEUED}
    assert services.documents_retry(documents=Document.objects.all()) == 0


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("reports/2025/may.txt", "reports/2025/may.txt"),
        ("..\\..\\etc\\./passwd", "etc/passwd"),
        ("/absolute//path.txt", "absolute/path.txt"),
        ("a\x00b/\u202ec.txt", "ab/c.txt"),
        ("x" * 2000, "x" * 1000),
    ],
)
def test_a_source_is_a_path_inside_a_folder(given: str, kept: str) -> None:
    assert uploads.clean_source(given) == kept
