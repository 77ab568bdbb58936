"""Each invariant is broken on purpose, found, and mended where that can be done."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection, transaction

from documents import lexical, stored_files, tasks
from documents.integrity import check_integrity, counts, outside, repair
from documents.models import (
    Chunk,
    Collection,
    Deletion,
    Document,
    DocumentIdentity,
    Embedding,
    Page,
    Status,
)
from documents.spaces import ensure_active_space, index_name

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., Document]


@pytest.fixture(autouse=True)
def _do_not_wait(monkeypatch: Any) -> None:
    monkeypatch.setattr(outside, "UPLOAD_SECONDS", 0.0)
    monkeypatch.setattr(outside, "UNDER_WAY", timedelta(seconds=-5))


@pytest.fixture
def document(collection: Collection, make_document: Make) -> Document:
    return make_document(collection, "Cranes dance.\fStorks clatter.\fHerons wait.")


def broken() -> list[str]:
    return [finding.invariant for finding in check_integrity() if finding.breaches]


def mended() -> list[str]:
    """What was broken, after repair and the jobs that it queued."""
    found = [finding.invariant for finding in repair() if finding.breaches]
    for each in Document.objects.filter(status=Status.QUEUED):
        tasks.index_document(str(each.pk))
    return found


def sql(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def lose_a_passage(document: Document) -> None:
    document.chunks.first().delete()


def lose_a_page(document: Document) -> None:
    document.pages.filter(number=2).delete()


def change_a_page(document: Document) -> None:
    document.pages.filter(number=2).update(text="Something else.")


def lose_a_vector(document: Document) -> None:
    document.chunks.first().embeddings.all().delete()


def give_a_vector_away(document: Document) -> None:
    other = Document.objects.exclude(pk=document.pk).get()
    Embedding.objects.filter(chunk=document.chunks.first()).update(document=other)


def move_passages(document: Document) -> None:
    elsewhere = Document.objects.exclude(pk=document.pk).get().collection
    Chunk.objects.filter(document=document).update(collection=elsewhere)


def move_vectors(document: Document) -> None:
    elsewhere = Document.objects.exclude(pk=document.pk).get().collection
    Embedding.objects.filter(document=document).update(collection=elsewhere)


def read_from_elsewhere(document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(indexed_file="originals/other")


def repeat_a_passage(document: Document) -> None:
    first = document.chunks.first()
    twin = Chunk.objects.get(pk=first.pk)
    twin.pk, twin.ordinal = None, 99
    twin.save()
    Document.objects.filter(pk=document.pk).update(chunk_count=4)


def fail_with_passages(document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(status=Status.FAILED, reason="Something.", chunk_count=0)


def fail_with_a_name(document: Document) -> None:
    fail_with_passages(document)
    document.chunks.all().delete()
    document.pages.all().delete()


def lose_the_name(document: Document) -> None:
    DocumentIdentity.objects.filter(document=document).delete()


def move_names(document: Document) -> None:
    elsewhere = Document.objects.exclude(pk=document.pk).get().collection
    DocumentIdentity.objects.filter(document=document).update(collection=elsewhere)


def lose_the_job(document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(status=Status.QUEUED)
    sql("DELETE FROM procrastinate_jobs")


def kill_the_worker(document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(status=Status.PROCESSING)
    sql("DELETE FROM procrastinate_jobs")
    tasks.enqueue(document.pk)
    sql("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL")


def leave_a_file(document: Document) -> None:
    default_storage.save("originals/ab/nobody/file", ContentFile(b"left over"))


def leave_an_attachment(document: Document) -> None:
    """The other document, that is: this one is looked at afterwards."""
    Document.objects.exclude(pk=document.pk).update(only_attached=True)


@pytest.mark.parametrize(
    ("breach", "invariant"),
    [
        (lose_a_passage, "ready documents whose passages are not all there"),
        (lose_a_page, "ready documents whose pages are not all there"),
        (change_a_page, "passages that are not verbatim on their page"),
        (lose_a_page, "passages on a page that does not exist"),
        (lose_a_vector, "passages without a vector in the active space"),
        (give_a_vector_away, "vectors of another document than their passage"),
        (move_passages, "passages in another collection than their document"),
        (move_vectors, "vectors in another collection than their document"),
        (read_from_elsewhere, "ready documents that were read from another file"),
        (repeat_a_passage, "passages that stand twice in a document"),
        (move_names, "names in another collection than their document"),
        (lose_the_name, "ready documents that nothing names"),
        (fail_with_passages, "failed documents that still have pages, passages or names"),
        (fail_with_a_name, "failed documents that still have pages, passages or names"),
        (lose_the_job, "documents on their way without a job"),
        (kill_the_worker, "documents on their way whose worker is dead"),
        (leave_a_file, "stored files without a document"),
        (leave_an_attachment, "attachments whose mails are all gone"),
    ],
)
def test_a_breach_is_found_and_mended(
    breach: Callable[[Document], None], invariant: str, document: Document, make_document: Make, alice: Any
) -> None:
    from documents.services import collection_create

    make_document(collection_create(owner=alice, name="Elsewhere"), "Another text.")
    assert broken() == []
    breach(document)
    assert invariant in broken()
    version = Collection.objects.get(pk=document.collection_id).corpus_version
    assert invariant in mended()
    assert broken() == []
    assert Collection.objects.get(pk=document.collection_id).corpus_version > version
    document.refresh_from_db()
    if breach not in (fail_with_passages, fail_with_a_name):
        texts = document.chunks.order_by("ordinal").values_list("text", flat=True)
        assert list(texts) == ["Cranes dance.", "Storks clatter.", "Herons wait."]


def test_documents_of_an_earlier_version_get_names_and_the_date_of_their_file(document: Document) -> None:
    dated = {"metadata": {"created": "2019-05-06T10:00:00"}, "dated": None}
    Document.objects.filter(pk=document.pk).update(**dated, title="Cranes of Velmora")
    lose_the_name(document)
    assert mended() == ["ready documents that nothing names"]
    document.refresh_from_db()
    assert document.dated == date(2019, 5, 6)
    assert "Velmora" in document.identity.text
    Document.objects.filter(pk=document.pk).update(dated=date(2020, 1, 1))
    lose_the_name(document)
    mended()
    document.refresh_from_db()
    assert document.dated == date(2020, 1, 1)


def test_names_of_a_deleted_document_are_something_left(collection: Collection) -> None:
    gone = uuid4()
    with transaction.atomic():  # foreign keys are looked at when it ends
        DocumentIdentity.objects.create(document_id=gone, collection=collection, text="Cranes")
        Deletion.objects.create(document_id=gone, collection=collection, page_count=1, chunk_count=1)
        assert "deleted documents of which something is left" in broken()
        transaction.set_rollback(True)


def test_a_changed_original_is_found_and_said_to_be_beyond_repair(document: Document) -> None:
    Path(document.file.path).write_bytes(b"tampered with")
    (finding,) = [each for each in repair() if each.breaches]
    assert (finding.invariant, finding.mendable) == ("originals that are missing or changed", False)
    assert str(document.pk) in finding.examples[0]


def test_the_lexical_index_is_asked_for_what_is_stored(document: Document, monkeypatch: Any) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(outside, "DEPTH", 0)
        assert broken() == ["sampled passages that the lexical index does not find"]
        outside.rebuild_lexical([])
    assert broken() == []
    with connection.cursor() as cursor:
        assert lexical.is_whole(cursor, lexical.PASSAGES)


def test_the_vector_index_is_asked_for_what_is_stored(document: Document, monkeypatch: Any) -> None:
    name = index_name(ensure_active_space().pk)
    monkeypatch.setattr(outside, "NEAR", 1.5)
    assert broken() == ["sampled passages that the vector index does not find"]
    outside.rebuild_vectors([])
    monkeypatch.setattr(outside, "NEAR", 0.999)
    assert broken() == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name])
        assert cursor.fetchone() == (True,)


def test_everything_accepted_is_counted_once(
    collection: Collection, make_document: Make, upload: Make
) -> None:
    make_document(collection, "Ready.")
    upload(collection, "Waiting.")
    failed = upload(collection, "   \n", filename="blank.txt")
    tasks.index_document(str(failed.pk))
    assert counts() == {
        "accepted": 3,
        "ready": 1,
        "failed": 1,
        "on_their_way": 1,
        "passages": 1,
        "vectors": 1,
    }


def run_command(*arguments: str) -> tuple[int, dict[str, Any]]:
    out = StringIO()
    try:
        call_command("check_integrity", "--json", *arguments, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def test_the_command_fails_on_a_breach_and_mends_it_when_asked(document: Document) -> None:
    lose_the_job(document)
    code, report = run_command()
    assert (code, report["ok"]) == (1, False)
    code, report = run_command("--repair")
    assert (code, report["ok"]) == (0, True)
    assert [each["invariant"] for each in report["mended"]] == ["documents on their way without a job"]


def test_abandoned_files_of_uploads_go_after_an_hour_and_no_others(
    document: Document, monkeypatch: Any
) -> None:
    leave_a_file(document)
    assert stored_files.remove_abandoned() == 0
    monkeypatch.setattr(stored_files, "ABANDONED", timedelta(seconds=-5))
    assert stored_files.remove_abandoned() == 1
    assert default_storage.exists(document.file.name)
    assert Page.objects.filter(document=document).count() == 3


def test_an_upload_that_is_about_to_commit_loses_no_file(document: Document, monkeypatch: Any) -> None:
    monkeypatch.setattr(outside, "UNDER_WAY", timedelta(minutes=1))
    leave_a_file(document)
    assert "stored files without a document" in mended()
    assert default_storage.exists("originals/ab/nobody/file")
    default_storage.delete("originals/ab/nobody/file")


def test_passages_with_the_same_words_are_no_breach(collection: Collection, make_document: Make) -> None:
    make_document(collection, "\f".join(["This page is intentionally left blank."] * 70))
    assert broken() == []
