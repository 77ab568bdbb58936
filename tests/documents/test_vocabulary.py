"""The vocabulary of a collection is that of its passages, whatever becomes of its documents."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection, connections, transaction

from documents import indexing, vocabulary
from documents.integrity import check_integrity, repair
from documents.integrity.vocabulary import wrong_vocabularies
from documents.models import Collection, Document, Role, Word
from documents.services import (
    collection_create,
    collection_delete,
    document_cancel,
    document_delete,
    document_reindex,
    document_replace_file,
    document_update,
    membership_set,
)
from tests.conftest import MakeDocument

pytestmark = pytest.mark.django_db

INVARIANT = "collections whose vocabulary is not that of their passages"


def counted(collection: Collection) -> dict[str, int]:
    return dict(Word.objects.filter(collection=collection).values_list("word", "documents"))


@pytest.fixture
def archive(alice: User, bob: User) -> Collection:
    created = collection_create(owner=alice, name="Archive", slug="archive")
    membership_set(collection=created, user=bob, role=Role.EDITOR)
    return created


def test_a_stored_document_brings_its_words_and_those_of_its_title(
    collection: Collection, make_document: MakeDocument
) -> None:
    make_document(collection, "Herons nest, herons fish.\n\nTwo herons.", title="Birdlife")
    assert counted(collection) == {"herons": 1, "nest": 1, "fish": 1, "birdlife": 1}
    assert wrong_vocabularies() == []


def test_documents_are_counted_and_not_occurrences(
    collection: Collection, make_document: MakeDocument
) -> None:
    make_document(collection, "Herons nest.", title="x")
    make_document(collection, "HERONS fish.", title="y")
    assert counted(collection) == {"herons": 2, "nest": 1, "fish": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Die Prüfung, die Straße", {"prufung", "strasse"}),
        ("Café RÉSUMÉ naïveté", {"cafe", "resume", "naivete"}),
        ("P-103 A1234 2024 1,577 FY2022 x86", set()),
        ("the and two", set()),
        (
            "well-known and/or user_name john@example.org",
            {"well", "known", "user", "name", "john", "example"},
        ),
        ("end.Next don't l’avenir", {"next", "avenir"}),
        ("東京駅は開業した надежда ελπίδα", {"надежда", "ελπιδα"}),
        ("a" * 40 + " " + "b" * 41, {"a" * 40}),
    ],
)
def test_words_are_folded_without_codes_numbers_and_scripts_without_blanks(
    text: str, words: set[str], collection: Collection, make_document: MakeDocument
) -> None:
    document = make_document(collection, text, title="x")
    assert vocabulary.words_of(document.pk) == words == counted(collection).keys()


def test_a_document_that_is_read_again_exchanges_its_words(
    collection: Collection, make_document: MakeDocument
) -> None:
    document = make_document(collection, "Herons nest here.", title="x")
    document_replace_file(document=document, upload=ContentFile(b"Herons fish here.", name="note.txt"))
    assert counted(collection) == {"herons": 1, "nest": 1, "here": 1}, "what was read before is still found"
    indexing.index(document.pk)
    assert counted(collection) == {"herons": 1, "fish": 1, "here": 1}
    document_reindex(document=document)
    indexing.index(document.pk)
    assert counted(collection) == {"herons": 1, "fish": 1, "here": 1}


def test_nothing_of_a_deleted_document_stays(
    collection: Collection, make_document: MakeDocument, alice: User
) -> None:
    secret = make_document(collection, "Herons nest at Lake Ormund.", title="x")
    make_document(collection, "Herons fish.", title="y")
    document_delete(document=secret, user=alice)
    assert counted(collection) == {"herons": 1, "fish": 1}
    assert wrong_vocabularies() == []


def test_a_moved_document_takes_its_words_along(
    collection: Collection, archive: Collection, make_document: MakeDocument
) -> None:
    document = make_document(collection, "Herons nest.", title="x")
    make_document(archive, "Herons fish.", title="y")
    document_update(document=document, collection=archive)
    assert counted(collection) == {}
    assert counted(archive) == {"herons": 2, "nest": 1, "fish": 1}
    collection_delete(collection=collection)


def test_a_document_that_fails_leaves_no_words(collection: Collection, make_document: MakeDocument) -> None:
    document = make_document(collection, "Herons nest.", title="x")
    document_replace_file(document=document, upload=ContentFile(b"Herons fish.", name="note.txt"))
    document_cancel(document=Document.objects.get(pk=document.pk))
    assert counted(collection) == {}


def test_an_exchange_of_nothing_asks_nothing(
    collection: Collection, django_assert_num_queries: object
) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        vocabulary.exchange(collection.pk, {"same"}, {"same"})


def test_what_is_wrong_is_found_and_counted_again(
    collection: Collection, archive: Collection, make_document: MakeDocument
) -> None:
    make_document(collection, "Herons nest.", title="x")
    make_document(archive, "Herons fish.", title="y")
    Word.objects.filter(collection=collection, word="nest").delete()
    Word.objects.filter(collection=collection, word="herons").update(documents=7)
    Word.objects.create(collection=archive, word="ghost", documents=1)
    assert {*wrong_vocabularies()} == {str(collection.pk), str(archive.pk)}
    (found,) = (each for each in repair() if each.invariant == INVARIANT)
    assert (found.breaches, found.mendable) == (2, True)
    assert counted(collection) == {"herons": 1, "nest": 1}
    assert counted(archive) == {"herons": 1, "fish": 1}
    assert INVARIANT not in [each.invariant for each in check_integrity() if each.breaches]


def test_documents_of_before_are_counted_by_one_statement(
    collection: Collection, archive: Collection, make_document: MakeDocument
) -> None:
    make_document(collection, "Herons nest.", title="x")
    make_document(archive, "Herons fish.", title="y")
    Word.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(vocabulary.FILL)
    assert wrong_vocabularies() == []


@pytest.mark.django_db(transaction=True)
def test_workers_that_exchange_the_same_words_wait_for_each_other(collection: Collection) -> None:
    """Ten times in opposite order: without the lock on the collection they would block each other."""
    words = [f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(300)]
    errors: list[BaseException] = []

    def work(first: list[str], second: list[str]) -> None:
        with closing(connections["default"]):
            try:
                for _ in range(10):
                    with transaction.atomic():
                        vocabulary.exchange(collection.pk, (), first)
                        vocabulary.exchange(collection.pk, (), second)
                    with transaction.atomic():
                        vocabulary.exchange(collection.pk, second)
                        vocabulary.exchange(collection.pk, first)
            except BaseException as error:
                errors.append(error)

    vocabulary.exchange(collection.pk, (), words)
    halves = (words[:150], words[150:])
    threads = [threading.Thread(target=work, args=order) for order in (halves, halves[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert counted(collection) == dict.fromkeys(words, 1)
