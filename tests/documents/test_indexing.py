"""The write way: what ends ready can be found, what cannot be read ends failed with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection, transaction
from psycopg import errors

from documents import indexing, services, sweep, tasks
from documents.embedding import registry
from documents.exceptions import EmbeddingUnavailable, UnreadableDocument
from documents.integrity import check_integrity
from documents.models import Collection, Document, Embedding, EmbeddingSpace, Status
from documents.spaces import active_space, ensure_active_space, index_name
from tests.documents.parsing.pdf_factory import make_pdf

pytestmark = pytest.mark.django_db

Upload = Callable[..., Document]


def run(document: Document) -> Document:
    """The job as the worker runs it."""
    tasks.index_document(str(document.pk))
    document.refresh_from_db()
    return document


@pytest.fixture(autouse=True)
def _keep_the_connection(monkeypatch: Any) -> None:
    # The test's transaction lives on it.
    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)


def test_a_text_becomes_ready_with_passages_and_vectors(collection: Collection, upload: Upload) -> None:
    document = run(upload(collection, "# Herons\n\nHerons stand still for hours.", filename="herons.md"))
    assert (document.status, document.percent, document.title) == (Status.READY, 100, "Herons")
    (chunk,) = document.chunks.all()
    page = document.pages.get(number=1)
    assert page.text[chunk.start : chunk.end] == chunk.text
    assert len(chunk.embeddings.get().vector) == 384
    assert not [finding for finding in check_integrity() if finding.breaches]


def test_a_pdf_keeps_pages_and_boxes(collection: Collection, upload: Upload) -> None:
    content = make_pdf([["The first page speaks of cranes."], ["The second page speaks of storks."]])
    document = run(upload(collection, content, filename="birds.pdf"))
    assert (document.status, document.page_count, document.kind) == (Status.READY, 2, "pdf")
    chunk = document.chunks.get(page_start=2)
    assert "storks" in chunk.text
    assert chunk.boxes[0][0] == 2


@pytest.mark.parametrize(
    ("content", "filename", "reason"),
    [
        (b"   \n\n\t ", "blank.txt", "No text was found"),
        (make_pdf([[]]), "empty-page.pdf", "No text was found"),
        (b"%PDF-1.4\nnothing of a PDF follows", "broken.pdf", ""),
    ],
)
def test_without_text_it_fails_with_a_reason(
    collection: Collection, upload: Upload, content: bytes, filename: str, reason: str
) -> None:
    document = run(upload(collection, content, filename=filename))
    assert document.status == Status.FAILED
    assert reason in document.reason
    assert document.reason
    assert document.chunks.count() == 0


@pytest.mark.parametrize(
    "content",
    [
        "Grüße aus Köln".encode("latin-1"),
        "Grüße aus Köln".encode("utf-16"),
        b"Gr\x00\xc3\xbc\xc3\x9fe aus K\xc3\xb6ln" + b" und anderswo" * 10,
    ],
)
def test_other_encodings_and_nul_bytes_are_read(
    collection: Collection, upload: Upload, content: bytes
) -> None:
    document = run(upload(collection, content, filename="gruss.txt"))
    assert document.status == Status.READY, document.reason
    assert "Grüße aus Köln" in document.pages.get().text


def test_a_cancelled_document_is_left_alone(collection: Collection, upload: Upload) -> None:
    document = upload(collection, "Cancelled before its turn.")
    services.document_cancel(document=document)
    assert run(document).reason == "cancelled"


def test_replaced_on_its_way_stores_nothing_of_the_old(
    collection: Collection, upload: Upload, monkeypatch: Any
) -> None:
    document = upload(collection, "The old version.")
    split = indexing.split

    def replace_meanwhile(claim: Any, parsed: Any) -> Any:
        services.document_reindex(document=document)
        return split(claim, parsed)

    monkeypatch.setattr(indexing, "split", replace_meanwhile)
    run(document)
    assert document.status == Status.QUEUED
    assert document.chunks.count() == 0


def test_reindexing_reuses_the_vectors_of_unchanged_passages(
    collection: Collection, make_document: Callable[..., Document], monkeypatch: Any
) -> None:
    document = make_document(collection, "A text that stays as it is.")
    services.document_reindex(document=document)

    class NoEmbedder:
        def embed(self, texts: list[str]) -> None:
            pytest.fail(f"embedded again: {texts}")

    monkeypatch.setattr(indexing, "get_passage_embedder", lambda model: NoEmbedder())
    assert run(document).status == Status.READY


def test_three_errors_of_the_job_end_it_with_the_traceback_for_admins(
    collection: Collection, upload: Upload, monkeypatch: Any
) -> None:
    document = upload(collection, "Never read.")

    def broken(claim: Any) -> None:
        raise RuntimeError("out of cheese")

    monkeypatch.setattr(indexing, "read", broken)
    for _ in range(tasks.MAX_TRIES):
        with pytest.raises(tasks.TryAgain):
            tasks.index_document(str(document.pk))
    document.refresh_from_db()
    assert (document.status, document.reason) == (Status.FAILED, tasks.GAVE_UP)
    assert "out of cheese" in document.error_detail
    assert "cheese" not in document.reason


def test_a_failure_does_not_keep_what_was_indexed_before(
    collection: Collection, make_document: Callable[..., Document], monkeypatch: Any
) -> None:
    document = make_document(collection, "Found for now.")
    services.document_reindex(document=document)
    monkeypatch.setattr(indexing, "parse_in_jail", lambda *_: indexing.ParsedDocument(pages=()))
    assert run(document).status == Status.FAILED
    assert Embedding.objects.filter(document=document).count() == 0


def test_the_sweep_queues_a_document_that_lost_its_job(collection: Collection, upload: Upload) -> None:
    document = upload(collection, "Forgotten.")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    assert sweep.enqueue_forgotten() == 1
    assert sweep.enqueue_forgotten() == 0
    assert document.pk in sweep.documents_with_jobs()


def test_deaths_of_workers_have_a_limit_of_their_own(collection: Collection, upload: Upload) -> None:
    document = upload(collection, "Deadly.")
    for _ in range(tasks.MAX_INTERRUPTIONS + 1):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL")
        assert sweep.requeue_stalled() == 1
    document.refresh_from_db()
    assert (document.status, document.reason) == (Status.FAILED, tasks.TOO_MANY_DEATHS)
    assert document.tries == 0


def test_a_vector_of_the_wrong_length_is_refused(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    document = make_document(collection, "Of the right length.")
    with pytest.raises(IntegrityError), transaction.atomic():
        Embedding.objects.filter(document=document).update(vector=[0.1, 0.2, 0.3])


def test_there_is_one_active_space_with_its_index(collection: Collection) -> None:
    space = ensure_active_space()
    assert ensure_active_space() == space == active_space()
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [index_name(space.pk)])
        definition = cursor.fetchone()[0]
    assert "hnsw" in definition
    assert f"halfvec({space.dimensions})" in definition
    with pytest.raises(DatabaseError), transaction.atomic():
        EmbeddingSpace.objects.create(model="m", revision="r", dimensions=3, state="active")


def test_every_collection_is_found_by_those_who_may_see_it(
    collection: Collection, alice: User, bob: User, charlie: User
) -> None:
    seen = {user: list(Collection.objects.visible_to(user)) for user in (alice, bob, charlie)}
    assert seen == {alice: [collection], bob: [collection], charlie: []}
    assert list(Collection.objects.writable_by(bob)) == []


@pytest.mark.parametrize("fault", [UnreadableDocument("The old file is at fault."), RuntimeError("engine")])
@pytest.mark.parametrize("tries", [0, tasks.MAX_TRIES - 1])
def test_an_old_job_does_not_fail_the_new_version(
    fault: Exception, tries: int, collection: Collection, upload: Upload, monkeypatch: Any
) -> None:
    document = upload(collection, "%PDF-1.4\nbroken", filename="x.pdf")
    Document.objects.filter(pk=document.pk).update(tries=tries)

    def replaced_meanwhile(claim: Any) -> None:
        file = ContentFile(b"A perfectly good text.", name="good.txt")
        services.document_replace_file(document=document, upload=file)
        Document.objects.filter(pk=document.pk).update(tries=tries)
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(indexing, "read", replaced_meanwhile)
        run(document)
    assert (document.status, document.reason, document.tries) == (Status.QUEUED, "", tries)
    assert run(document).status == Status.READY


def of_the_database(cause: Exception | None = None) -> OperationalError:
    error = OperationalError("something is wrong")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (of_the_database(), True),
        (InterfaceError("connection already closed"), True),
        (of_the_database(errors.AdminShutdown()), True),
        (of_the_database(errors.ConnectionFailure()), True),
        (of_the_database(errors.DiskFull()), False),
        (of_the_database(errors.ProgramLimitExceeded()), False),
        (of_the_database(errors.QueryCanceled()), False),
    ],
)
def test_only_a_lost_connection_is_tried_for_ever(
    error: Exception, again: bool, collection: Collection, upload: Upload, monkeypatch: Any
) -> None:
    document = upload(collection, "Never stored.")

    def broken(claim: Any) -> None:
        raise error

    monkeypatch.setattr(indexing, "read", broken)
    with pytest.raises(type(error) if again else tasks.TryAgain) as raised:
        tasks.index_document(str(document.pk))
    assert tasks.Policy().get_retry_decision(exception=raised.value, job=None)  # type: ignore[arg-type]
    assert bool(tasks.Policy().get_retry_decision(exception=error, job=None)) is again  # type: ignore[arg-type]
    document.refresh_from_db()
    assert document.tries == (0 if again else 1)


def test_repeated_texts_are_embedded_once(collection: Collection, upload: Upload, monkeypatch: Any) -> None:
    document = upload(collection, "\f".join(["The same page of words."] * 5 + ["Another page."]))
    given: list[str] = []

    def counting(model: str) -> Any:
        embedder = registry.get_passage_embedder(model)

        class Counting:
            def embed(self, texts: list[str]) -> Any:
                given.extend(texts)
                return embedder.embed(texts)

        return Counting()

    monkeypatch.setattr(indexing, "get_passage_embedder", counting)
    assert run(document).chunk_count == 6
    assert len(given) == 2
    vectors = [e.vector for e in Embedding.objects.order_by("chunk__ordinal")]
    assert vectors[0] == vectors[4] != vectors[5]
    assert any(vectors[0])


def test_too_many_passages_are_refused(collection: Collection, upload: Upload, monkeypatch: Any) -> None:
    monkeypatch.setattr(indexing, "MAX_PASSAGES", 1)
    document = run(upload(collection, "One page.\fAnother page."))
    assert (document.status, "passages" in document.reason) == (Status.FAILED, True)


def test_the_short_name_of_the_model_is_the_same_model(
    collection: Collection, make_document: Callable[..., Document], settings: Any, caplog: Any
) -> None:
    make_document(collection, "Some words.")
    space = active_space()
    settings.EMBEDDING_MODEL = "all-MiniLM-L6-v2"
    assert ensure_active_space() == space
    assert "EMBEDDING_MODEL" not in caplog.text
    settings.EMBEDDING_MODEL = "/some/other-model"
    assert ensure_active_space() == space
    assert "goes on serving" in caplog.text


def test_vectors_of_exchanged_weights_do_not_mix(
    collection: Collection, make_document: Callable[..., Document], monkeypatch: Any
) -> None:
    before = ensure_active_space()
    card = registry.model_card
    monkeypatch.setattr(registry, "model_card", lambda model: replace(card(model), revision="f" * 64))
    assert ensure_active_space().revision == "f" * 64
    monkeypatch.undo()
    assert ensure_active_space() == before
    make_document(collection, "Some words.")
    monkeypatch.setattr(registry, "model_card", lambda model: replace(card(model), revision="f" * 64))
    with pytest.raises(EmbeddingUnavailable, match="exchanged"):
        ensure_active_space()
