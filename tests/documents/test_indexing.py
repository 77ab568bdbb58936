"""The write way: what ends ready can be found, what cannot be read ends failed with a reason."""

from __future__ import annotations

import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection, transaction
from psycopg import errors

from documents import indexing, services, storing, sweep, tasks
from documents.embedding import registry
from documents.exceptions import EmbeddingUnavailable, PoisonedFile, UnreadableDocument
from documents.integrity import check_integrity
from documents.models import Collection, Document, Embedding, EmbeddingSpace, Status
from documents.quality import Quality
from documents.spaces import active_space, ensure_active_space, index_name
from documents.statements import snapshot
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
        (b"   \n\n\t ", "blank.txt", "holds no text"),
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
        def encode(self, texts: list[str]) -> None:
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
    for tries in range(1, tasks.MAX_TRIES):
        assert run(document).status == Status.PROCESSING
        assert document.tries == tries
        assert "out of cheese" in document.error_detail
    assert run(document).status == Status.FAILED
    assert document.reason == tasks.GAVE_UP
    assert "out of cheese" in document.error_detail
    assert "cheese" not in document.reason


def unreadable(*_: Any, **__: Any) -> Any:
    raise UnreadableDocument("Nobody can read this.")


@pytest.mark.django_db(transaction=True)
def test_a_bad_successor_does_not_keep_what_was_indexed_before(
    collection: Collection, make_document: Callable[..., Document], monkeypatch: Any
) -> None:
    document = make_document(collection, "Found for now.")
    services.document_replace_file(document=document, upload=ContentFile(b"Another text.", name="b.txt"))
    monkeypatch.setattr(indexing, "parse_in_jail", unreadable)
    assert run(document).status == Status.FAILED
    assert (document.reason, document.chunk_count) == ("Nobody can read this.", 0)
    assert Embedding.objects.filter(document=document).count() == 0
    assert broken() == []


@pytest.mark.parametrize("cancelled", [True, False])
def test_what_was_only_to_be_read_again_goes_on_serving(
    cancelled: bool, collection: Collection, make_document: Callable[..., Document], monkeypatch: Any
) -> None:
    document = make_document(collection, "Found then and now.")
    services.document_reindex(document=document)
    if cancelled:
        services.document_cancel(document=document)
    with monkeypatch.context() as patch:
        patch.setattr(indexing, "parse_in_jail", unreadable)
        assert run(document).status == Status.READY
    assert ("cancelled" if cancelled else "Nobody can read this.") in document.notice
    assert document.chunks.get().text == "Found then and now."
    assert broken() == []
    services.document_reindex(document=document)
    assert run(document).notice == ""


def test_a_poisoned_file_gets_a_second_try_and_then_fails_with_the_limit(
    collection: Collection, upload: Upload, monkeypatch: Any
) -> None:
    document = upload(collection, "Poison.")

    def poisoned(*_: Any, **__: Any) -> Any:
        raise PoisonedFile("Reading this file took more than 60 s of processor time.")

    monkeypatch.setattr(indexing, "parse_in_jail", poisoned)
    assert run(document).status == Status.PROCESSING
    assert str(document.pk) in jobs_waiting()
    assert run(document).status == Status.FAILED
    assert "60 s" in document.reason


def jobs_waiting() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT args->>'document_id' FROM procrastinate_jobs WHERE status = 'todo'")
        return [row[0] for row in cursor.fetchall()]


def broken() -> list[str]:
    return [finding.invariant for finding in check_integrity() if finding.breaches]


def test_the_sweep_queues_a_document_that_lost_its_job(collection: Collection, upload: Upload) -> None:
    document = upload(collection, "Forgotten.")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    assert sweep.enqueue_forgotten() == 1
    assert sweep.enqueue_forgotten() == 0
    assert jobs_waiting() == [str(document.pk)]


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
    monkeypatch.setattr(tasks, "AWAY_SECONDS", 0)
    with pytest.raises(type(error)) if again else nullcontext():
        tasks.index_document(str(document.pk))
    document.refresh_from_db()
    assert document.tries == (0 if again else 1)


@pytest.mark.parametrize(
    "error", [of_the_database(errors.DiskFull()), OSError(errno.ENOSPC, "No space left")]
)
def test_a_full_disk_is_no_fault_of_the_document(
    error: Exception, collection: Collection, upload: Upload, monkeypatch: Any
) -> None:
    document = upload(collection, "Stored when there is room again.")

    def full(*_: Any) -> None:
        raise error

    for _ in range(tasks.MAX_TRIES + 1):
        with monkeypatch.context() as patch:
            patch.setattr(storing, "store", full)
            assert run(document).status == Status.PROCESSING
        assert (document.tries, document.reason) == (0, tasks.NO_ROOM)
    assert str(document.pk) in jobs_waiting()
    assert run(document).status == Status.READY
    assert document.reason == ""


def test_a_job_waits_for_the_database_and_goes_on(
    collection: Collection, upload: Upload, monkeypatch: Any
) -> None:
    document = upload(collection, "Stored in the end.")
    read, lost = indexing.read, [of_the_database(), InterfaceError("connection already closed")]

    def interrupted(claim: Any) -> Any:
        if lost:
            raise lost.pop()
        return read(claim)

    monkeypatch.setattr(indexing, "read", interrupted)
    monkeypatch.setattr(tasks, "PAUSE_SECONDS", 0)
    assert run(document).status == Status.READY
    assert document.tries == 0


def test_repeated_texts_are_embedded_once(collection: Collection, upload: Upload, monkeypatch: Any) -> None:
    document = upload(collection, "\f".join(["The same page of words."] * 5 + ["Another page."]))
    given: list[str] = []

    def counting(model: str) -> Any:
        embedder = registry.get_passage_embedder(model)

        class Counting:
            def encode(self, texts: list[str]) -> Any:
                given.extend(texts)
                return embedder.encode(texts)

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


# --- Replacing: the old serves until the new is in ----------------------------------------------


def embedded_texts(monkeypatch: Any) -> list[str]:
    """What the engine is given from now on."""
    given: list[str] = []
    engine = registry.get_passage_embedder

    class Listening:
        def __init__(self, model: str) -> None:
            self.engine = engine(model)

        def encode(self, texts: list[str]) -> Any:
            given.extend(texts)
            return self.engine.encode(texts)

    monkeypatch.setattr(indexing, "get_passage_embedder", Listening)
    return given


def sheets(*texts: str) -> bytes:
    return "\f".join(texts).encode()


@pytest.mark.django_db(transaction=True)
def test_replacing_embeds_only_what_is_new_and_drops_what_is_gone(
    collection: Collection, make_document: Callable[..., Document], monkeypatch: Any
) -> None:
    document = make_document(collection, sheets("Cranes dance.", "Storks clatter.", "Herons wait."))
    before = dict(document.chunks.values_list("text", "pk"))
    given = embedded_texts(monkeypatch)
    new = sheets("Gulls laugh.", "Herons wait.", "Cranes dance.", "Cranes dance.")
    services.document_replace_file(document=document, upload=ContentFile(new, name="document.txt"))
    assert run(document).status == Status.READY, document.reason
    assert [text.splitlines()[-1] for text in given] == ["Gulls laugh."]
    after = list(document.chunks.order_by("ordinal").values_list("page_start", "text", "pk"))
    assert [(page, text) for page, text, _ in after] == [
        (1, "Gulls laugh."),
        (2, "Herons wait."),
        (3, "Cranes dance."),
        (4, "Cranes dance."),
    ]
    # Rows whose words stayed are the same rows: their vectors were never touched.
    assert after[1][2] == before["Herons wait."]
    assert before["Cranes dance."] in (after[2][2], after[3][2])
    assert Embedding.objects.filter(document=document).count() == 4
    vectors = [e.vector for e in Embedding.objects.order_by("chunk__ordinal")]
    assert vectors[2] == vectors[3] != vectors[1]
    assert broken() == []


def test_until_the_new_passages_are_in_the_old_ones_serve(
    collection: Collection, make_document: Callable[..., Document], monkeypatch: Any
) -> None:
    document = make_document(collection, sheets("The old first page.", "The old second page."))
    upload = ContentFile(sheets("The new first page.", "The new second page."), name="document.txt")
    services.document_replace_file(document=document, upload=upload)
    seen: list[set[str]] = []
    store = storing.store

    def look_and_store(*arguments: Any) -> None:
        seen.append(set(document.chunks.values_list("text", flat=True)))
        store(*arguments)

    monkeypatch.setattr(storing, "store", look_and_store)
    run(document)
    seen.append(set(document.chunks.values_list("text", flat=True)))
    assert seen == [
        {"The old first page.", "The old second page."},
        {"The new first page.", "The new second page."},
    ]


@pytest.mark.django_db(transaction=True)
def test_a_search_sees_one_moment(collection: Collection, make_document: Callable[..., Document]) -> None:
    document = make_document(collection, sheets("The old page."))
    upload = ContentFile(sheets("The new page."), name="document.txt")
    services.document_replace_file(document=document, upload=upload)
    texts = document.chunks.values_list("text", flat=True)
    with snapshot():
        assert list(texts.all()) == ["The old page."]
        with ThreadPoolExecutor(1) as other:
            other.submit(in_a_connection_of_its_own, document).result()
        assert list(texts.all()) == ["The old page."]
    assert list(texts.all()) == ["The new page."]


def in_a_connection_of_its_own(document: Document) -> None:
    tasks.index_document(str(document.pk))
    connection.close()


# --- Quality -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "status"), [("poor", Status.READY), ("unreadable", Status.FAILED)])
def test_the_quality_gate_flags_or_fails(
    verdict: str, status: str, collection: Collection, upload: Upload, monkeypatch: Any
) -> None:
    judged = Quality(12, 0.5, 0.25, "de", verdict, "Half of it cannot be read. Scan it again.")  # type: ignore[arg-type]
    monkeypatch.setattr(indexing, "assess", lambda parsed: judged)
    document = run(upload(collection, "Ein kurzer Text."))
    assert document.status == status
    if status == Status.FAILED:
        assert document.reason == judged.advice
        return
    kept = (document.quality, document.language, document.characters_per_page, document.notice)
    assert kept == ("poor", "de", 12, judged.advice)
    assert (document.blank_share, document.garbled_share) == (0.5, 0.25)


def test_progress_counts_pages_and_passages(collection: Collection, upload: Upload, monkeypatch: Any) -> None:
    monkeypatch.setattr(indexing, "REPORT_SECONDS", 0)
    monkeypatch.setattr(indexing, "EMBED_STEP", 2)
    told: list[tuple[str, int, int]] = []
    monkeypatch.setattr(
        indexing.progress, "announce", lambda d: told.append((d.stage, d.stage_done, d.stage_total))
    )
    pages = [[f"Page {n} speaks of birds."] for n in range(1, 31)]
    run(upload(collection, make_pdf(pages), filename="b.pdf"))
    assert ("parsing", 10, 30) in told
    assert [entry for entry in told if entry[0] == "embedding"][-1][1:] == (30, 30)


def test_a_cancelled_document_stops_in_mid_parsing(
    collection: Collection, upload: Upload, monkeypatch: Any
) -> None:
    monkeypatch.setattr(indexing, "REPORT_SECONDS", 0)
    document = upload(collection, make_pdf([["A page."]] * 30), filename="b.pdf")
    parse = indexing.parse_in_jail

    def cancelled_meanwhile(path: str, kind: str, *, report: Any) -> Any:
        services.document_cancel(document=document)
        return parse(path, kind, report=report)

    monkeypatch.setattr(indexing, "parse_in_jail", cancelled_meanwhile)
    assert run(document).reason == "cancelled"
    assert document.pages.count() == 0


def test_a_conflict_of_transactions_is_no_try(
    collection: Collection, upload: Upload, monkeypatch: Any
) -> None:
    document = upload(collection, "Stored at the second attempt.")

    def conflict(*_: Any) -> None:
        raise of_the_database(errors.DeadlockDetected())

    with monkeypatch.context() as patch:
        patch.setattr(storing, "store", conflict)
        assert run(document).status == Status.PROCESSING
    assert document.tries == 0
    assert str(document.pk) in jobs_waiting()
    assert run(document).status == Status.READY


def test_until_the_successor_is_in_pages_are_those_of_the_former_file(
    collection: Collection, make_document: Callable[..., Document], monkeypatch: Any
) -> None:
    document = make_document(collection, make_pdf([["One."], ["Two."]]), filename="two.pdf")
    upload = ContentFile(b"Now\fit\fis\fa\ftext.", name="text.txt")
    services.document_replace_file(document=document, upload=upload)
    seen: list[tuple[int, str]] = []
    store = storing.store

    def look_and_store(*arguments: Any) -> None:
        now = Document.objects.get(pk=document.pk)
        seen.append((now.page_count, now.shown_kind))
        store(*arguments)

    monkeypatch.setattr(storing, "store", look_and_store)
    run(document)
    assert seen == [(2, "pdf")]
    assert (document.page_count, document.shown_kind) == (5, "text")
