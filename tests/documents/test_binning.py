"""Deletion that can be taken back: out of sight at once, back for a minute, then gone for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import transaction
from django.http import Http404
from django.utils import timezone

from documents import indexing, tasks
from documents.exceptions import AlreadyThere
from documents.integrity import check_integrity, counts, repair
from documents.models import Chunk, Collection, Deletion, Document, Embedding, Role, Status
from documents.services import (
    bin_empty,
    collection_create,
    collection_delete,
    document_bin,
    document_create,
    document_delete,
    document_reindex,
    document_unbin,
    document_update,
    membership_set,
)
from documents.sweep import enqueue_forgotten
from search.pipeline import search
from search.types import SearchRequest

TEXT = "The boiler was built by Marlow in 1904. It runs on Sundays."
Api = Callable[[User | None], Any]


@pytest.fixture(autouse=True)
def _commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left for the commit happens, though the test's own transaction never commits."""
    monkeypatch.setattr(transaction, "on_commit", lambda work, **_: work())


@pytest.fixture
def document(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, TEXT, filename="boiler.txt")


@pytest.fixture
def editor(collection: Collection, bob: User) -> User:
    membership_set(collection=collection, user=bob, role=Role.EDITOR)
    return bob


def broken() -> list[str]:
    return [f"{each.invariant}: {each.examples}" for each in check_integrity() if each.breaches]


def later() -> int:
    """The sweep, a minute on."""
    Document.objects.filter(binned_at__isnull=False).update(binned_at=timezone.now() - timedelta(seconds=61))
    return bin_empty()


def found_by(user: User) -> list[str]:
    request = SearchRequest(query="who built the boiler")
    return [str(hit.document_id) for hit in search(request=request, user=user).hits]


def test_it_is_out_of_sight_at_once_and_comes_back_whole(
    api: Api, alice: User, editor: User, collection: Collection, document: Document
) -> None:
    before = list(Chunk.objects.filter(document=document).values_list("pk", "text"))
    assert found_by(alice) == [str(document.pk)]
    document_bin(document=document, user=editor)
    for user in (alice, editor):
        assert api(user).get(f"/api/v1/documents/{document.pk}/").status_code == 404
        assert api(user).get("/api/v1/documents/").json()["results"] == []
        collections = api(user).get("/api/v1/collections/").json()["results"]
        assert [each["slug"] for each in collections] == ["research"]
        assert found_by(user) == []
    assert not Document.objects.manageable_by(alice).exists()
    assert (broken(), counts()["accepted"]) == ([], 0)
    assert document_unbin(document=document)
    document.refresh_from_db()
    assert (document.status, document.collection, document.binned_at) == (Status.READY, collection, None)
    assert list(Chunk.objects.filter(document=document).values_list("pk", "text")) == before
    assert found_by(alice) == [str(document.pk)]
    assert broken() == []
    assert bin_empty() == 0


def test_a_minute_later_it_is_gone_and_its_managers_are_told(
    api: Api, alice: User, editor: User, charlie: User, collection: Collection, document: Document
) -> None:
    document_bin(document=document, user=editor)
    assert bin_empty() == 0
    assert later() == 1
    record = Deletion.objects.get()
    assert (record.collection, record.deleted_by, record.chunk_count) == (collection, editor, 1)
    assert (Document.objects.count(), Embedding.objects.count()) == (0, 0)
    address = f"/api/v1/documents/{document.pk}/"
    assert [api(user).get(address).status_code for user in (alice, editor, charlie)] == [410, 404, 404]
    assert not document_unbin(document=document)
    assert broken() == []


def test_twice_is_once(alice: User, document: Document) -> None:
    document_bin(document=document, user=alice)
    document_bin(document=document, user=None)
    document.refresh_from_db()
    assert document.binned_by == alice
    assert [document_unbin(document=document) for _ in range(2)] == [True, False]


def test_the_same_bytes_may_come_again_and_then_it_stays_in_the_bin(
    alice: User, collection: Collection, document: Document, upload: Callable[..., Document]
) -> None:
    document_bin(document=document, user=alice)
    again = upload(collection, TEXT, filename="boiler.txt")
    assert again.pk != document.pk
    with pytest.raises(AlreadyThere):
        document_unbin(document=document)
    document_bin(document=again, user=alice)  # the earlier deletion stands
    assert list(Document.objects.values_list("pk", flat=True)) == [again.pk]
    assert document_unbin(document=again)


def test_what_is_in_the_bin_cannot_be_changed(alice: User, document: Document) -> None:
    elsewhere = collection_create(owner=alice, name="Elsewhere")
    document_bin(document=document, user=alice)
    for change in ({"collection": elsewhere}, {"title": "Other"}, {"tags": ["new"]}):
        with pytest.raises(Http404):
            document_update(document=document, **change)  # type: ignore[arg-type]
    with pytest.raises(Http404):
        document_reindex(document=document)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.PROCESSING])
def test_one_on_its_way_stops_and_goes_on_when_it_is_back(
    status: str, alice: User, collection: Collection, upload: Callable[..., Document]
) -> None:
    document = upload(collection, TEXT)
    claim = indexing.claim_document(document.pk) if status == Status.PROCESSING else None
    document_bin(document=document, user=alice)
    if claim:
        indexing.process(claim)  # the job that was at it: superseded
    tasks.attempt(document.pk)  # the job that waited
    document.refresh_from_db()
    assert (document.status, document.chunk_count) == (status, 0)
    assert (enqueue_forgotten(), broken()) == (0, [])
    assert document_unbin(document=document)
    tasks.attempt(document.pk)
    document.refresh_from_db()
    assert document.status == Status.READY
    assert broken() == []


def test_one_on_its_way_may_end_in_the_bin(
    alice: User, collection: Collection, upload: Callable[..., Document]
) -> None:
    document_bin(document=upload(collection, TEXT), user=alice)
    assert later() == 1
    assert (Document.objects.count(), broken()) == (0, [])


def mail() -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"] = "The boiler", "marlow@example.org"
    message.set_content("The plans are attached.")
    message.add_attachment(TEXT.encode(), "text", "plain", filename="plans.txt")
    return message.as_bytes()


def test_what_a_mail_brought_goes_and_comes_with_it(
    alice: User, collection: Collection, make_document: Callable[..., Document]
) -> None:
    message = make_document(collection, mail(), filename="note.eml")
    attached = Document.objects.exclude(pk=message.pk).get()
    tasks.attempt(attached.pk)
    document_bin(document=message, user=alice)
    assert not Document.objects.visible_to(alice).exists()
    assert broken() == []
    document_unbin(document=message)
    assert Document.objects.visible_to(alice).count() == 2
    attached.refresh_from_db()
    assert attached.only_attached
    document_bin(document=message, user=alice)
    later()
    assert (Deletion.objects.count(), broken()) == (2, [])


def test_an_attachment_that_outlives_its_mail_is_kept_for_itself(
    alice: User, collection: Collection, make_document: Callable[..., Document]
) -> None:
    message = make_document(collection, mail(), filename="note.eml")
    attached = Document.objects.exclude(pk=message.pk).get()
    document_bin(document=attached, user=alice)
    document_delete(document=message, user=alice)
    assert broken() == []
    document_unbin(document=attached)
    attached.refresh_from_db()
    assert not attached.only_attached
    tasks.attempt(attached.pk)
    assert broken() == []


def test_a_collection_goes_with_its_bin(alice: User, make_document: Callable[..., Document]) -> None:
    shelf = collection_create(owner=alice, name="Shelf")
    document = make_document(shelf, TEXT)
    document_bin(document=document, user=alice)
    collection_delete(collection=shelf)
    assert not Collection.objects.exists()
    assert not document_unbin(document=document)
    assert broken() == []


def test_integrity_knows_the_bin(alice: User, collection: Collection, document: Document) -> None:
    document_bin(document=document, user=alice)
    Document.objects.update(binned_at=None)
    assert any("in a bin that were not deleted" in each for each in broken())
    repair()
    assert broken() == []
    Document.objects.update(binned_at=timezone.now() - timedelta(hours=2))
    assert any("long after their time" in each for each in broken())
    repair()
    assert (Document.objects.count(), broken()) == (0, [])


def test_a_bin_is_in_no_list_of_the_admin(alice: User, document: Document, client: Any) -> None:
    alice.is_staff = alice.is_superuser = True
    alice.save()
    document_bin(document=document, user=alice)
    client.force_login(alice)
    for address in ("collection/", "document/", "document/add/"):
        page = client.get(f"/admin/documents/{address}").content.decode()
        assert [words for words in ("Bin: ", document.title) if words in page] == []


def test_api_deletion_is_immediate(api: Api, alice: User, document: Document) -> None:
    assert api(alice).delete(f"/api/v1/documents/{document.pk}/").status_code == 204
    assert not Document.objects.exists()


def test_an_upload_of_what_is_in_the_bin_is_no_duplicate(
    alice: User, collection: Collection, document: Document
) -> None:
    document_bin(document=document, user=alice)
    upload = ContentFile(TEXT.encode(), name="boiler.txt")
    assert not document_create(user=alice, collection=collection, upload=upload).duplicate
