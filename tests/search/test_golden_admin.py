"""Golden questions in the admin: alice owns, bob is a curator of hers, charlie of nothing there."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from documents.models import Collection, Document, Role
from documents.services import collection_create, document_delete, document_update, membership_set
from search import golden, golden_chart
from search.golden import question_create
from search.golden_chart import chart_of, columns
from search.models import GoldenQuestion, GoldenRun, Tuning
from tests.search.examples import BREAD, HERONS

pytestmark = pytest.mark.django_db(transaction=True)

QUESTIONS = "/admin/search/goldenquestion/"
RUNS = "/admin/search/goldenrun/"
EXCHANGE = f"{QUESTIONS}exchange/"
WHO = "Who founded the observatory at Lake Ormund?"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def staff(user: User) -> User:
    user.is_staff = True
    user.save()
    return user


@pytest.fixture
def curator(bob: User, collection: Collection) -> Client:
    membership_set(collection=collection, user=bob, role=Role.MANAGER)
    return client_of(staff(bob))


@pytest.fixture
def stranger(charlie: User, collection: Collection) -> Client:
    """A curator, but a mere reader of this collection."""
    membership_set(collection=collection, user=charlie, role=Role.VIEWER)
    return client_of(staff(charlie))


@pytest.fixture
def root(db: None) -> Client:
    return client_of(User.objects.create_superuser("root", password="root-password"))


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    make_document(collection, BREAD, filename="bread.txt")
    return make_document(collection, HERONS, filename="herons.txt")


@pytest.fixture
def asked(collection: Collection, herons: Document) -> GoldenQuestion:
    return question_create(collection=collection, question=WHO, expected=[(herons, 1)])


def filled(into: Collection, **given: Any) -> dict[str, Any]:
    whole = {"collection": into.pk, "question": WHO, "answerable": "on", "answer": ""}
    return {**whole, "expected": "herons.txt, p. 1", **given}


def imported(client: Client, collection: Collection, raw: bytes, name: str = "questions.jsonl") -> Any:
    given = {"collection": collection.pk, "file": SimpleUploadedFile(name, raw)}
    return client.post(EXCHANGE, given, follow=True)


def line(**given: Any) -> bytes:
    return json.dumps({"question": WHO, "relevant": [{"document": "herons.txt"}]} | given).encode()


# --- Questions ------------------------------------------------------------------------------


def test_a_curator_writes_a_question(
    curator: Client, collection: Collection, herons: Document, bob: User
) -> None:
    given = filled(collection, expected="herons.txt, p. 1\r\n\r\n bread.txt \r\n")
    assert curator.post(f"{QUESTIONS}add/", given).status_code == 302
    written = GoldenQuestion.objects.get()
    assert (written.question, written.created_by) == (WHO, bob)
    named = written.expected.values_list("document__filename", "page")
    assert list(named) == [("herons.txt", 1), ("bread.txt", None)]
    change = f"{QUESTIONS}{written.pk}/change/"
    assert "herons.txt, p. 1\nbread.txt</textarea>" in curator.get(change).content.decode()
    changed = filled(collection, question="Who?", expected="", answerable="")
    assert curator.post(change, changed).status_code == 302
    written.refresh_from_db()
    assert (written.question, written.answerable, written.expected.count()) == ("Who?", False, 0)
    assert "has no answer" in curator.get(QUESTIONS).content.decode()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"expected": "nowhere.txt"}, "no document named “nowhere.txt”"),
        ({"expected": "herons.txt, p. 0"}, "has no page 0"),
        ({"expected": "herons.txt, p. 8"}, "has no page 8: it has 1"),
        ({"expected": "herons.txt\nherons.txt"}, "twice"),
        ({"expected": ""}, "Name a document"),
        ({"answerable": ""}, "no document that answers"),
        ({"question": ""}, "This field is required"),
        ({"question": "x" * 2001}, "at most 2000"),
        ({"collection": 0}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_an_error_of_the_form(
    curator: Client, collection: Collection, herons: Document, given: dict[str, Any], said: str
) -> None:
    response = curator.post(f"{QUESTIONS}add/", filled(collection, **given))
    assert response.status_code == 200
    assert said in response.content.decode()
    assert not GoldenQuestion.objects.exists()


def test_the_same_question_again_is_an_error_of_the_form(
    curator: Client, collection: Collection, asked: GoldenQuestion
) -> None:
    response = curator.post(f"{QUESTIONS}add/", filled(collection))
    assert "has this question already" in response.content.decode()


def test_documents_of_one_name_are_told_apart_by_their_ids(
    curator: Client, collection: Collection, asked: GoldenQuestion, make_document: Callable[..., Document]
) -> None:
    twin = make_document(collection, HERONS.upper(), filename="herons.txt")
    response = curator.post(f"{QUESTIONS}add/", filled(collection, question="Who?"))
    assert "2 documents named" in response.content.decode()
    curator.post(f"{QUESTIONS}add/", filled(collection, question="Who?", expected=f"{twin.pk}, p. 1"))
    written = GoldenQuestion.objects.get(question="Who?")
    assert written.expected.get().document == twin
    assert f"{twin.pk}, p. 1" in curator.get(f"{QUESTIONS}{written.pk}/change/").content.decode()


def test_a_lost_document_is_shown_and_filtered(
    curator: Client, collection: Collection, asked: GoldenQuestion, herons: Document, alice: User
) -> None:
    assert "is asked" in curator.get(QUESTIONS).content.decode()
    document_delete(document=herons, user=alice)
    for query, there in (("", True), ("?document=without", True), ("?document=there", False)):
        page = curator.get(QUESTIONS + query).content.decode()
        assert (WHO in page) is there
    assert "golden-lost" in curator.get(EXCHANGE).content.decode()


def test_a_document_that_moved_out_of_sight_is_not_named(
    curator: Client, asked: GoldenQuestion, herons: Document, alice: User
) -> None:
    document_update(document=herons, collection=collection_create(owner=alice, name="Secrets"))
    for page in (QUESTIONS, f"{QUESTIONS}{asked.pk}/change/"):
        shown = curator.get(page).content.decode()
        assert WHO in shown
        assert "herons.txt" not in shown.replace("report.pdf", "")


def test_only_managers_of_the_collection_see_and_do_anything(
    stranger: Client, collection: Collection, asked: GoldenQuestion
) -> None:
    run = golden.run(collection=collection, why="demand")
    for page in (QUESTIONS, RUNS, EXCHANGE):
        shown = stranger.get(page).content.decode()
        assert WHO not in shown
        assert "Research" not in shown
    assert stranger.get(f"{QUESTIONS}{asked.pk}/change/").status_code == 302
    assert stranger.get(f"{RUNS}{run.pk}/change/").status_code == 302
    assert stranger.get(f"{QUESTIONS}export/{collection.pk}/").status_code == 404
    assert stranger.post(f"{QUESTIONS}ask/{collection.pk}/").status_code == 404
    assert "Select a valid choice" in imported(stranger, collection, line()).content.decode()
    refused = stranger.post(f"{QUESTIONS}add/", filled(collection, question="Else?"))
    assert "Select a valid choice" in refused.content.decode()
    assert (GoldenQuestion.objects.count(), GoldenRun.objects.count()) == (1, 1)


def test_who_is_no_curator_stays_out(collection: Collection, asked: GoldenQuestion) -> None:
    owner = client_of(collection.owner)
    for page in (QUESTIONS, RUNS, EXCHANGE, f"{QUESTIONS}export/{collection.pk}/"):
        assert owner.get(page)["Location"].startswith("/admin/login/")
    assert Client().post(f"{QUESTIONS}ask/{collection.pk}/")["Location"].startswith("/admin/login/")


def test_deleting_goes_one_by_one_and_together(
    curator: Client, collection: Collection, asked: GoldenQuestion
) -> None:
    other = question_create(collection=collection, question="Else?", answerable=False)
    curator.post(f"{QUESTIONS}{asked.pk}/delete/", {"post": "yes"})
    assert list(GoldenQuestion.objects.all()) == [other]
    chosen = {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"}
    curator.post(QUESTIONS, chosen)
    assert not GoldenQuestion.objects.exists()


def test_an_empty_collection_with_questions_and_runs_can_be_deleted(
    curator: Client, collection: Collection, asked: GoldenQuestion, alice: User
) -> None:
    golden.run(collection=collection, why="demand")
    Tuning.objects.create(collection=collection, questions=1)
    for document in Document.objects.all():
        document_delete(document=document, user=alice)
    address = f"/admin/documents/collection/{collection.pk}/delete/"
    assert curator.post(address, {"post": "yes"}).status_code == 302
    assert not Collection.objects.filter(pk=collection.pk).exists()


# --- Import and export ------------------------------------------------------------------------


def test_a_curator_imports_and_exports(
    curator: Client, collection: Collection, herons: Document, bob: User
) -> None:
    page = imported(curator, collection, line(id="1") + b"\n" + line(id="2", question="And who else?"))
    assert [str(each) for each in page.context["messages"]] == ["2 questions are new, 0 were replaced."]
    assert GoldenQuestion.objects.get(origin="1").created_by == bob
    response = curator.get(f"{QUESTIONS}export/{collection.pk}/")
    assert response["Content-Disposition"] == 'attachment; filename="research-questions.jsonl"'
    assert [json.loads(each)["id"] for each in response.content.splitlines()] == ["1", "2"]
    packed = b"".join(curator.get(f"{QUESTIONS}export/{collection.pk}/?form=zip"))  # type: ignore[arg-type]
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.read("corpus/herons.txt").decode() == HERONS
        assert archive.read("questions.jsonl") == response.content
    page = imported(curator, collection, packed, "folder.zip")
    assert [str(each) for each in page.context["messages"]] == ["0 questions are new, 2 were replaced."]


def test_a_bad_import_names_its_lines_and_changes_nothing(
    curator: Client, collection: Collection, herons: Document
) -> None:
    raw = b"\n".join([line(), b"{]", line(question="A?", relevant=[{"document": "<b>.txt"}])])
    page = imported(curator, collection, raw).content.decode()
    assert "line 2: this is not JSON" in page
    assert "line 3: the collection has no document named “&lt;b&gt;.txt”" in page
    assert not GoldenQuestion.objects.exists()
    raw = b"\n".join(b"{]" for _ in range(30))
    assert "and 10 more" in imported(curator, collection, raw).content.decode()
    assert "This field is required" in curator.post(EXCHANGE, {}).content.decode()


# --- Runs and charts --------------------------------------------------------------------------


def test_a_curator_asks_and_sees_the_results(
    curator: Client, collection: Collection, asked: GoldenQuestion, bob: User
) -> None:
    page = curator.post(f"{QUESTIONS}ask/{collection.pk}/", follow=True)
    assert "Queued" in page.content.decode()
    assert "asked already" in curator.post(f"{QUESTIONS}ask/{collection.pk}/", follow=True).content.decode()
    run = GoldenRun.objects.get()
    assert (run.why, run.created_by) == ("demand", bob)
    assert "golden-chart" not in curator.get(RUNS).content.decode().split("<link")[-1].split("figure")[0]
    golden.run_perform(pk=run.pk)
    shown = curator.get(RUNS).content.decode()
    assert shown.count("<figure") == 1
    assert "recall@10 1.000" in shown
    assert "1.000 (1.000 – 1.000), on demand" in shown
    assert "done" in curator.get(EXCHANGE).content.decode()
    detail = curator.get(f"{RUNS}{run.pk}/change/").content.decode()
    assert "&quot;reranker&quot;" in detail
    assert curator.get(f"{QUESTIONS}ask/{collection.pk}/").status_code == 405


def test_nothing_to_ask_is_told(curator: Client, collection: Collection) -> None:
    question_create(collection=collection, question="Where?")
    page = curator.post(f"{QUESTIONS}ask/{collection.pk}/", follow=True).content.decode()
    assert "no golden question with a document" in page
    assert not GoldenRun.objects.exists()


def test_pages_keep_to_the_content_security_policy(
    root: Client, collection: Collection, asked: GoldenQuestion
) -> None:
    golden.run(collection=collection, why="demand")
    for address in (QUESTIONS, EXCHANGE, RUNS):
        response = root.get(address)
        assert "style-src 'self'" in response["Content-Security-Policy"]
        page = response.content.decode()
        assert "<style" not in page
        assert not re.search(r"<[^>]+\s(style|on\w+)=", page)


def test_learned_weights_are_shown_and_given_up(curator: Client, collection: Collection) -> None:
    learned = Tuning.objects.create(collection=collection, parameters={"vector": 0.5}, questions=30)
    assert "vector 0.5" in curator.get("/admin/search/tuning/").content.decode()
    assert curator.get(f"/admin/search/tuning/{learned.pk}/change/").status_code == 200
    curator.post(f"/admin/search/tuning/{learned.pk}/delete/", {"post": "yes"})
    assert Tuning.for_search([collection.slug]) is None


def a_run(day: int, recall: float, fingerprint: str = "a", **given: Any) -> GoldenRun:
    level = {"recall@10": recall, "mrr@10": recall / 2}
    bounds = {name: [value - 0.1, value + 0.1] for name, value in level.items()}
    scores = {
        "document": level,
        "page": level,
        "intervals": {"document": bounds, "page": bounds},
        "asked": {"document": 4, "page": 3},
    }
    moment = datetime(2026, 11, day, tzinfo=UTC)
    return GoldenRun(why="demand", scores=scores, fingerprint=fingerprint, created_at=moment, **given)


def test_a_chart_draws_each_measure_with_its_interval() -> None:
    chart = chart_of("Research", [a_run(1, 0.5), a_run(2, 1.0)])
    assert chart is not None
    recall, mrr = chart.series
    assert [point.y for point in recall.points] == [125, 30]  # of 30 (1.0) to 220 (0.0)
    assert recall.line == "76,125 568,30"
    assert recall.band == "76,106 568,11 568,49 76,144"
    assert (recall.last, mrr.last) == ("1.000", "0.500")
    assert "by page: recall@10 1.000, mrr@10 0.500. Questions: 3. Runs drawn: 2." in chart.summary
    assert chart.marks == ()


def test_a_chart_marks_changes_of_model_and_setting() -> None:
    other = {"settings": {"space": {"model": "another"}}}
    runs = [a_run(1, 0.5), a_run(2, 0.5, "b"), a_run(3, 0.6, "c", **other), a_run(4, 0.6, "c", **other)]
    chart = chart_of("Research", runs)
    assert chart is not None
    assert [mark.word for mark in chart.marks] == ["setting", "model"]
    crowded = chart_of("Research", [a_run(1 + n % 9, 0.5, str(n)) for n in range(60)])
    assert crowded is not None
    assert len(crowded.marks) == 39
    assert 1 < sum(bool(mark.word) for mark in crowded.marks) < 15


def test_charts_are_of_the_latest_runs(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden_chart, "CHARTED", 2)
    for day, recall in ((1, 0.1), (2, 0.2), (3, 0.3)):
        run = a_run(day, recall, collection=collection, state=GoldenRun.State.DONE, seconds=1.0)
        run.save()
        GoldenRun.objects.filter(pk=run.pk).update(created_at=run.created_at)
    (chart,) = golden_chart.charts_of(GoldenRun.objects.all())
    assert "Runs drawn: 2." in chart.summary
    assert chart.series[0].last == "0.300"


def test_no_runs_no_chart_and_one_run_stands_in_the_middle() -> None:
    assert chart_of("Research", []) is None
    assert columns(1) == [322]
