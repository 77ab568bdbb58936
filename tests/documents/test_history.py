"""What is told of a document's past, and to whom."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from documents import services
from documents.history import STEP, history_of
from documents.models import Collection, Document, DocumentEvent, EventKind
from documents.services import collection_create
from tests.indexed import index


@pytest.fixture
def document(collection: Collection, make_document: Any) -> Document:
    made: Document = make_document(
        collection, "The ferry crosses at dawn.", title="Ferry", filename="ferry.txt"
    )
    return made


def told(document: Document, user: User) -> list[tuple[str, str]]:
    return [(entry.text, entry.who) for entry in history_of(document, user).entries]


def test_every_change_is_told_with_who_did_it(
    alice: User, bob: User, document: Document, collection: Collection
) -> None:
    services.document_update(document=document, user=alice, title="The ferry", tags=["Ships"])
    services.document_update(document=document, user=alice, title="The ferry", tags=["ships"])
    index(document)
    services.document_reindex(document=document, user=bob)
    services.document_cancel(document=document, user=alice)
    services.document_reindex(document=document, user=None)
    services.document_fail(document_id=document.pk, reason="Page 3 is damaged.")
    services.document_set_language(document=document, user=alice, language="de")
    assert told(document, alice) == [
        ("Language changed", "alice"),
        ("Could not be read again; what was read before serves on: Page 3 is damaged.", ""),
        ("Reading asked for once more", ""),
        ("Reading cancelled", "alice"),
        ("Reading asked for once more", "bob"),
        ("Read: 1 page, 1 passage", ""),
        ("Renamed from “Ferry” to “The ferry”", "alice"),
        ("Tags changed: +ships", "alice"),
        ("Read: 1 page, 1 passage", ""),
        ("Uploaded as “ferry.txt”", "alice"),
    ]


def test_a_replaced_file_and_a_failure_are_told(alice: User, collection: Collection, upload: Any) -> None:
    from django.core.files.base import ContentFile

    document = upload(collection, "Words.", filename="a.txt")
    services.document_replace_file(document=document, user=alice, upload=ContentFile(b"More.", name="b.txt"))
    services.document_fail(document_id=document.pk, reason="x" * 900)
    (failed, _), (replaced, by), _uploaded = told(document, alice)
    assert (replaced, by) == ("File replaced by “b.txt”", "alice")
    assert failed == f"Could not be read: {'x' * 300}"


def test_collections_that_the_reader_does_not_see_are_not_named(
    alice: User, bob: User, document: Document, collection: Collection
) -> None:
    own = collection_create(owner=alice, name="Alice's plans")
    services.document_update(document=document, user=alice, collection=own)
    services.document_update(document=document, user=alice, collection=collection)
    assert told(document, alice)[0][0] == "Moved from “Alice's plans” to “Research”"
    assert [text for text, _ in told(document, bob)[:2]] == [
        "Moved to “Research”",
        "Moved to another collection",
    ]


def test_a_move_that_is_refused_is_not_told(alice: User, collection: Collection, upload: Any) -> None:
    from documents.exceptions import AlreadyThere

    other = collection_create(owner=alice, name="Other")
    document = upload(collection, "The same.")
    upload(other, "The same.")
    with pytest.raises(AlreadyThere):
        services.document_update(document=document, user=alice, collection=other)
    assert not document.events.filter(kind=EventKind.MOVED).exists()


def test_it_is_told_in_parts_and_goes_with_the_document(alice: User, document: Document) -> None:
    for number in range(STEP):
        services.document_set_details(document=document, user=alice, details={"n": str(number)})
    services.document_set_details(document=document, user=alice, details={"n": str(STEP - 1)})
    first = history_of(document, alice)
    assert len(first.entries) == STEP
    rest = history_of(document, alice, before=first.older)
    assert ([entry.kind for entry in rest.entries], rest.older) == (["read", "uploaded"], None)
    services.document_delete(document=document, user=alice)
    assert not DocumentEvent.objects.exists()


def test_what_people_said_outlives_another_reading(alice: User, document: Document) -> None:
    from datetime import date

    services.document_set_date(document=document, user=alice, dated=date(1904, 5, 6))
    services.document_set_language(document=document, user=alice, language="de")
    services.document_set_details(document=document, user=alice, details={"Shelf": "B 12"})
    document.refresh_from_db()
    assert set(document.chunks.values_list("language", flat=True)) == {"de"}
    services.document_reindex(document=document)
    index(document)
    assert (document.dated, document.language) == (date(1904, 5, 6), "de")
    assert document.metadata["details"] == {"Shelf": "B 12"}
    assert set(document.chunks.values_list("language", flat=True)) == {"de"}
