"""Golden questions: kept, imported and exported, asked, and asked again by themselves."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from documents.models import Collection, Document
from documents.services import collection_create, document_delete, document_update
from search import golden, golden_files, pipeline, tasks
from search.golden import AlreadyAsked, NothingToAsk, question_create, question_update
from search.models import GoldenDocument, GoldenQuestion, GoldenRun, Tuning
from search.questions import QuestionsRefused
from tests.search.examples import BREAD, HERONS, TRAMS

pytestmark = pytest.mark.django_db(transaction=True)

WHO = "Who founded the observatory at Lake Ormund?"
Why, State = GoldenRun.Why, GoldenRun.State


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    make_document(collection, TRAMS, filename="trams.txt")
    make_document(collection, BREAD, filename="bread.txt")
    return make_document(collection, HERONS, filename="herons.txt")


@pytest.fixture
def asked(collection: Collection, herons: Document, alice: User) -> GoldenQuestion:
    return question_create(collection=collection, question=WHO, expected=[(herons, 1)], user=alice)


def line(question: str = WHO, document: str = "herons.txt", **given: Any) -> str:
    return json.dumps(
        {"question": question, "relevant": [{"document": document}], "answerable": True} | given
    )


def imported(collection: Collection, *lines: str) -> golden_files.Imported:
    return golden_files.import_questions(collection=collection, raw="\n".join(lines).encode())


# --- Questions ------------------------------------------------------------------------------


def test_a_question_of_a_deleted_document_is_without_it(
    asked: GoldenQuestion, collection: Collection, herons: Document, alice: User
) -> None:
    assert list(collection.golden_questions.askable()) == [asked]
    document_delete(document=herons, user=alice)
    assert not GoldenDocument.objects.exists()
    assert list(collection.golden_questions.without_document()) == [asked]
    assert not collection.golden_questions.askable().exists()


def test_an_answer_goes_with_the_last_document_that_backs_it(
    collection: Collection, herons: Document, alice: User
) -> None:
    trams = Document.objects.get(filename="trams.txt")
    both = [(herons, 1), (herons, None), (trams, None)]
    kept = question_create(collection=collection, question="One?", answer="Lindqvist", expected=both)
    lost = question_create(collection=collection, question="Two?", answer="Ormund", expected=both[:2])
    own = question_create(collection=collection, question="Three?", answer="Nobody", expected=[])
    with transaction.atomic():
        document_delete(document=herons, user=alice)
        transaction.set_rollback(True)
    assert set(GoldenQuestion.objects.values_list("answer", flat=True)) == {"Lindqvist", "Ormund", "Nobody"}
    document_delete(document=herons, user=alice)
    answers = dict(GoldenQuestion.objects.values_list("pk", "answer"))
    assert answers == {kept.pk: "Lindqvist", lost.pk: "", own.pk: "Nobody"}
    document_delete(document=trams, user=alice)
    kept.refresh_from_db()
    assert (kept.answer, kept.question) == ("", "One?")


def test_a_question_of_a_document_that_moved_away_is_without_it(
    asked: GoldenQuestion, collection: Collection, herons: Document, alice: User
) -> None:
    document_update(document=herons, collection=collection_create(owner=alice, name="Elsewhere"))
    assert list(collection.golden_questions.without_document()) == [asked]


def test_documents_of_other_collections_cannot_be_expected(
    collection: Collection, charlie: User, make_document: Callable[..., Document]
) -> None:
    theirs = make_document(collection_create(owner=charlie, name="Elsewhere"), BREAD)
    with pytest.raises(ValidationError, match="in another collection"):
        question_create(collection=collection, question=WHO, expected=[(theirs, None)])
    assert not GoldenQuestion.objects.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": "  "}, "blank"),
        ({"answerable": False, "expected": "herons"}, "no document that answers"),
        ({"expected": "page 0"}, "no page 0"),
        ({"expected": "page 7"}, "no page 7: it has 1"),
        ({"expected": "twice"}, "twice"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    asked: GoldenQuestion, herons: Document, change: dict[str, Any], said: str
) -> None:
    meant = {
        "herons": [(herons, None)],
        "page 0": [(herons, 0)],
        "page 7": [(herons, 7)],
        "twice": [(herons, 1), (herons, 1)],
    }
    if "expected" in change:
        change = change | {"expected": meant[change["expected"]]}
    with pytest.raises(ValidationError, match=said):
        question_update(golden=asked, **change)
    asked.refresh_from_db()
    assert (asked.question, asked.answerable) == (WHO, True)
    assert list(asked.expected.values_list("page", flat=True)) == [1]


def test_the_same_question_is_kept_once(asked: GoldenQuestion, collection: Collection) -> None:
    with pytest.raises(ValidationError, match="has this question already"):
        question_create(collection=collection, question=f" {WHO}\n")


@pytest.mark.parametrize("page", [0, None])
def test_the_database_refuses_page_zero_and_what_stands_twice(
    asked: GoldenQuestion, herons: Document, page: int | None
) -> None:
    if page is None:
        asked.expected.create(document=herons, page=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        asked.expected.create(document=herons, page=page)


# --- Files ----------------------------------------------------------------------------------


def test_an_import_replaces_what_is_known_by_its_id_or_its_words(
    collection: Collection, herons: Document
) -> None:
    lines = line(id="7", answer="Lindqvist"), line("When did the trams open?", "trams.txt")
    assert imported(collection, *lines) == golden_files.Imported(created=2, updated=0)
    again = line("Who founded it?", id="7", relevant=[{"document": "herons.txt", "page": 1}]), lines[1]
    assert imported(collection, *again) == golden_files.Imported(created=0, updated=2)
    first, second = collection.golden_questions.all()
    assert (first.question, first.answer, first.expected.get().page) == ("Who founded it?", "", 1)
    assert second.expected.get().document.filename == "trams.txt"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("not JSON", "this is not JSON"),
        ("[1]", "not an object"),
        ('{"relevant": []}', "there is no “question”"),
        (line(""), "there is no “question”"),
        (line("  "), "there is no “question”"),
        (line(question=7), "“question” is not a text"),  # type: ignore[arg-type]
        (line("x" * 2001), "at most 2000"),
        (line(id="x" * 201), "at most 200"),
        (line("Why\x00?"), "“question” is not a text"),
        (line(document="nowhere.txt"), "no document named “nowhere.txt”"),
        (line(relevant=[{"document": "herons.txt", "page": 0}]), "page 0 of “herons.txt”"),
        (line(relevant=[{"document": "herons.txt", "page": True}]), "page True of “herons.txt”"),
        (line(relevant=[{"document": "herons.txt", "page": 9}]), "no page 9"),
        (line(relevant=["herons.txt"]), "names no “document”"),
        (line(relevant="herons.txt"), "“relevant” is not a list"),
        (line(answerable="yes"), "neither true nor false"),
        (line(answerable=False), "no document that answers"),
        (line("Good?"), "the same question as in line 1"),
    ],
)
def test_one_bad_line_is_named_and_nothing_is_imported(
    collection: Collection, herons: Document, bad: str, said: str
) -> None:
    with pytest.raises(QuestionsRefused) as refused:
        imported(collection, line("Good?"), "", bad)
    assert len(refused.value.problems) == 1
    assert refused.value.problems[0].startswith("line 3: ")
    assert said in str(refused.value)
    assert not GoldenQuestion.objects.exists()


def test_every_bad_line_is_named(collection: Collection, herons: Document) -> None:
    with pytest.raises(QuestionsRefused) as refused:
        imported(collection, *(line(f"Number {n}?", "nowhere.txt") for n in range(30)))
    assert len(refused.value.problems) == 30
    assert str(refused.value).endswith("and 10 more")


def test_two_documents_of_one_name_are_told_apart_by_nobody(
    collection: Collection, herons: Document, make_document: Callable[..., Document]
) -> None:
    make_document(collection, BREAD.upper(), filename="herons.txt")
    with pytest.raises(QuestionsRefused, match=r"2 documents named “herons\.txt”"):
        imported(collection, line())


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no question"),
        (b"\n \n", "no question"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b"PK\x05\x06" + bytes(18), "holds no questions.jsonl"),
    ],
)
def test_a_file_that_holds_no_questions_is_refused(collection: Collection, raw: bytes, said: str) -> None:
    with pytest.raises(QuestionsRefused, match=said):
        golden_files.import_upload(collection=collection, upload=io.BytesIO(raw))


def test_a_damaged_zip_file_is_refused(asked: GoldenQuestion, collection: Collection) -> None:
    packed = io.BytesIO()
    golden_files.export_zip(collection=collection, file=packed)
    raw = bytearray(packed.getvalue())
    raw[45:80] = bytes(35)
    with pytest.raises(QuestionsRefused, match="cannot be read"):
        golden_files.import_upload(collection=collection, upload=io.BytesIO(raw))


def test_a_file_that_swells_is_refused(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, herons: Document
) -> None:
    monkeypatch.setattr(golden_files, "SIZE_LIMIT", 1024 * 1024)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("questions.jsonl", line() + " " * 2_000_000)
    with pytest.raises(QuestionsRefused, match="more than 1 MB"):
        golden_files.import_upload(collection=collection, upload=packed)


def test_an_exported_folder_is_imported_and_evaluated_again(
    asked: GoldenQuestion, collection: Collection, alice: User, tmp_path: Path
) -> None:
    question_create(collection=collection, question="What is the capital of Zorbonia?", answerable=False)
    done = golden_files.export_folder(collection=collection, folder=tmp_path / "out")
    assert (done.questions, done.documents) == (2, 3)
    assert (tmp_path / "out/corpus/herons.txt").read_text() == HERONS
    out = io.StringIO()
    call_command("evaluate", tmp_path / "out", "--no-answers", "--json", stdout=out, stderr=io.StringIO())
    assert json.loads(out.getvalue())["retrieval"]["page"]["recall@1"] == 1
    other = Collection.objects.get(slug="eval-out")
    assert golden_files.import_folder(collection=other, folder=tmp_path / "out").created == 2
    again = golden_files.import_folder(collection=collection, folder=tmp_path / "out")
    assert (again.created, again.updated) == (0, 2)
    assert golden_files.questions_file(collection=other) == golden_files.questions_file(collection=collection)


def test_a_zip_file_is_what_the_folder_is(
    asked: GoldenQuestion, collection: Collection, make_document: Callable[..., Document]
) -> None:
    make_document(collection, BREAD.upper(), filename="bread.txt")
    packed = io.BytesIO()
    golden_files.export_zip(collection=collection, file=packed)
    with zipfile.ZipFile(packed) as archive:
        assert sorted(archive.namelist()) == [
            *("corpus/bread (2).txt", "corpus/bread.txt", "corpus/herons.txt", "corpus/trams.txt"),
            "questions.jsonl",
        ]
        assert archive.read("corpus/bread (2).txt").decode() == BREAD.upper()
    packed.seek(0)
    assert golden_files.import_upload(collection=collection, upload=packed).updated == 1


@pytest.mark.parametrize("packed", [True, False])
def test_a_document_that_comes_while_it_is_exported_is_left_out(
    asked: GoldenQuestion,
    collection: Collection,
    make_document: Callable[..., Document],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    packed: bool,
) -> None:
    named = golden_files.corpus_names

    def overtaken(collection: Collection) -> Any:
        names = named(collection)
        make_document(collection, BREAD.upper(), filename="late.txt")
        return names

    monkeypatch.setattr(golden_files, "corpus_names", overtaken)
    if packed:
        done = golden_files.export_zip(collection=collection, file=io.BytesIO())
    else:
        done = golden_files.export_folder(collection=collection, folder=tmp_path / "out")
        assert not (tmp_path / "out/corpus/late.txt").exists()
    assert (done.questions, done.documents) == (1, 3)


def test_a_folder_that_holds_something_is_left_alone(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").touch()
    with pytest.raises(CommandError, match="not empty"):
        call_command("golden", "export", collection.slug, tmp_path)
    with pytest.raises(CommandError, match="There is no"):
        call_command("golden", "import", collection.slug, tmp_path)
    with pytest.raises(CommandError, match="no collection nowhere"):
        call_command("golden", "run", "nowhere")


# --- Runs -----------------------------------------------------------------------------------


def test_a_run_measures_what_is_found_and_says_what_it_left_out(
    asked: GoldenQuestion, collection: Collection, herons: Document, alice: User
) -> None:
    gone = question_create(collection=collection, question="Where is the bread?")
    question_create(collection=collection, question="Is there a king?", answerable=False)
    out = io.StringIO()
    call_command("golden", "run", collection.slug, stdout=out)
    run = GoldenRun.objects.get()
    assert (run.state, run.why, run.questions, run.left_out) == (State.DONE, Why.COMMAND, 1, 1)
    assert run.scores["document"]["recall@1"] == run.scores["page"]["mrr@10"] == 1
    assert run.scores["intervals"]["document"]["ndcg@10"] == [1, 1]
    assert run.scores["asked"] == {"document": 1, "page": 1}
    assert json.loads(out.getvalue())["document"] == run.scores["document"]
    assert run.settings == golden.settings_of(collection)
    assert run.fingerprint == golden.settings_fingerprint(run.settings)
    assert gone in collection.golden_questions.without_document()


def test_a_run_asks_as_the_owner_of_the_collection(
    asked: GoldenQuestion, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    askers, found = [], pipeline.found

    def watched(request: Any, user: User, watch: Any) -> Any:
        askers.append((user.username, request.filters.collections))
        return found(request, user, watch)

    monkeypatch.setattr(pipeline, "found", watched)
    golden.run(collection=collection, why=Why.DEMAND)
    assert set(askers) == {("alice", ("research",))}


def test_nothing_to_ask_is_said(collection: Collection) -> None:
    question_create(collection=collection, question="Where is the bread?")
    with pytest.raises(NothingToAsk):
        golden.run_enqueue(collection=collection, why=Why.DEMAND)
    with pytest.raises(CommandError, match="no golden question"):
        call_command("golden", "run", collection.slug)
    assert not GoldenRun.objects.exists()


def test_a_worker_performs_a_run_once(asked: GoldenQuestion, collection: Collection) -> None:
    queued = golden.run_enqueue(collection=collection, why=Why.DEMAND)
    with pytest.raises(AlreadyAsked):
        golden.run_enqueue(collection=collection, why=Why.DEMAND)
    assert tasks.waiting() == [queued.pk]
    call_command("worker", "--drain")
    queued.refresh_from_db()
    assert (queued.state, tasks.waiting()) == (State.DONE, [])
    seconds = queued.seconds
    tasks.golden_run(queued.pk)
    queued.refresh_from_db()
    assert queued.seconds == seconds


def test_an_error_ends_the_run_and_is_told(
    asked: GoldenQuestion, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any) -> None:
        raise RuntimeError("the index is upside down")

    monkeypatch.setattr(pipeline, "found", broken)
    run = golden.run(collection=collection, why=Why.DEMAND)
    assert (run.state, run.error) == (State.FAILED, "RuntimeError: the index is upside down")
    with pytest.raises(CommandError, match="upside down"):
        call_command("golden", "run", collection.slug)


def test_a_run_whose_worker_died_is_failed_by_the_sweep(
    asked: GoldenQuestion, collection: Collection
) -> None:
    run = golden.run_enqueue(collection=collection, why=Why.DEMAND)
    long_ago = timezone.now() - 2 * golden.HELD_SILENT
    GoldenRun.objects.update(heartbeat_at=long_ago)
    golden.sweep()
    run.refresh_from_db()
    assert run.state == State.QUEUED  # its job waits
    job = ProcrastinateJob.objects.get(task_name="search.golden_run")
    with connection.cursor() as cursor:  # a worker took it
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", [job.pk])
    golden.sweep()
    run.refresh_from_db()
    assert run.state == State.QUEUED  # just now, and did not get to it yet
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = %s WHERE type = 'started'", [long_ago])
    GoldenRun.objects.update(state=State.RUNNING, heartbeat_at=timezone.now() - 2 * golden.SILENT)
    golden.sweep()
    run.refresh_from_db()
    assert run.state == State.RUNNING  # a model may be loading
    for state in (State.QUEUED, State.RUNNING):
        GoldenRun.objects.update(state=state, error="", heartbeat_at=Now())
        golden.sweep()
        run.refresh_from_db()
        assert run.state == state  # it spoke a moment ago
        GoldenRun.objects.update(heartbeat_at=long_ago)
        golden.sweep()
        run.refresh_from_db()
        assert (run.state, run.error) == (State.FAILED, golden.ENDED_EARLY)
    job.refresh_from_db()
    assert job.status == "failed"


def test_a_run_without_a_job_is_dead_sooner(asked: GoldenQuestion, collection: Collection) -> None:
    run = golden.run_create(collection=collection, why=Why.COMMAND, user=None)
    GoldenRun.objects.update(state=State.RUNNING, heartbeat_at=timezone.now() - 2 * golden.SILENT)
    golden.sweep()
    run.refresh_from_db()
    assert run.state == State.FAILED


def test_a_run_beats_after_its_models_are_loaded_and_before_it_counts(
    asked: GoldenQuestion, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    scores_of = golden.scores_of
    monkeypatch.setattr(golden.evaluation, "warm_up", lambda *given: steps.append("warm up"))
    monkeypatch.setattr(golden, "scores_of", lambda tally: steps.append("scores") or scores_of(tally))
    golden.outcome(collection, lambda: steps.append("beat"))
    assert steps == ["warm up", "beat", "beat", "beat", "scores"]


def test_a_run_that_ended_meanwhile_is_not_finished_in_silence(
    asked: GoldenQuestion,
    collection: Collection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scores_of = golden.scores_of

    def overtaken(tally: Any) -> Any:
        GoldenRun.objects.update(state=State.FAILED, error=golden.ENDED_EARLY)
        return scores_of(tally)

    monkeypatch.setattr(golden, "scores_of", overtaken)
    with caplog.at_level(logging.WARNING, logger="search.golden"):
        run = golden.run(collection=collection, why=Why.DEMAND)
    assert (run.state, run.error, run.scores) == (State.FAILED, golden.ENDED_EARLY, {})
    assert f"golden run {run.pk} was given up" in caplog.text


def test_a_run_that_was_given_up_stops_by_itself(
    asked: GoldenQuestion, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(golden, "BEAT_SECONDS", 0.0)
    found = pipeline.found

    def interrupted(*given: Any) -> Any:
        GoldenRun.objects.update(state=State.FAILED, error=golden.ENDED_EARLY)
        return found(*given)

    monkeypatch.setattr(pipeline, "found", interrupted)
    run = golden.run(collection=collection, why=Why.DEMAND)
    assert (run.state, run.scores) == (State.FAILED, {})


@pytest.fixture
def done(asked: GoldenQuestion, collection: Collection) -> GoldenRun:
    return golden.run(collection=collection, why=Why.DEMAND)


def test_a_change_of_setting_or_model_starts_a_run(done: GoldenRun, collection: Collection) -> None:
    golden.sweep()
    assert GoldenRun.objects.count() == 1
    Tuning.objects.create(collection=collection, parameters={"vector": 0.5}, questions=1)
    golden.sweep()
    run = GoldenRun.objects.first()
    assert run is not None
    assert (run.why, run.state) == (Why.SETTING, State.QUEUED)
    golden.sweep()
    assert GoldenRun.objects.count() == 2
    golden.run_perform(pk=run.pk)
    golden.sweep()
    assert GoldenRun.objects.count() == 2
    settings = {**done.settings, "space": {"model": "another", "revision": "1"}}
    GoldenRun.objects.filter(pk=run.pk).update(settings=settings, fingerprint="another")
    GoldenRun.objects.update(created_at=timezone.now() - 2 * golden.SETTLED)
    golden.sweep()
    assert GoldenRun.objects.latest("id").why == Why.MODEL


def test_two_workers_with_different_settings_do_not_ask_in_turns(
    done: GoldenRun, collection: Collection
) -> None:
    Tuning.objects.create(collection=collection, parameters={"vector": 0.5}, questions=1)
    assert golden.run(collection=collection, why=Why.SETTING).state == State.DONE
    Tuning.objects.all().delete()
    golden.sweep()
    assert GoldenRun.objects.count() == 2


def test_a_run_that_failed_by_itself_is_tried_three_times(done: GoldenRun, collection: Collection) -> None:
    Tuning.objects.create(collection=collection, parameters={"vector": 0.5}, questions=1)
    for _ in range(5):
        golden.sweep()
        GoldenRun.objects.filter(state=State.QUEUED).update(state=State.FAILED, error="!")
    assert GoldenRun.objects.filter(why=Why.SETTING).count() == golden.TRIES


def test_documents_that_came_are_measured_a_day_later(
    done: GoldenRun, collection: Collection, make_document: Callable[..., Document]
) -> None:
    make_document(collection, BREAD.upper())
    golden.sweep()
    assert GoldenRun.objects.count() == 1
    GoldenRun.objects.update(created_at=timezone.now() - timedelta(days=2))
    golden.sweep()
    assert GoldenRun.objects.latest("id").why == Why.SCHEDULED


def test_a_collection_that_was_never_asked_is_not_asked_by_itself(asked: GoldenQuestion) -> None:
    golden.sweep()
    assert not GoldenRun.objects.exists()


def test_a_fingerprint_is_of_the_values(done: GoldenRun) -> None:
    turned = dict(reversed(done.settings.items()))
    assert golden.settings_fingerprint(turned) == done.fingerprint
    assert golden.settings_fingerprint({**turned, "reranker": "another"}) != done.fingerprint


def test_tuned_parameters_serve_a_search_of_that_collection_alone(
    collection: Collection, alice: User
) -> None:
    other = collection_create(owner=alice, name="Other", slug="other")
    Tuning.objects.create(collection=collection, parameters={"vector": 0.5}, questions=3)
    Tuning.objects.create(collection=other, parameters={}, questions=3)
    assert Tuning.for_search(["research"]) == {"vector": 0.5}
    assert Tuning.for_search([]) is Tuning.for_search(["other"]) is None
    assert Tuning.for_search(["research", "other"]) is None
