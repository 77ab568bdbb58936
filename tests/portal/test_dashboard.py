"""The admin's first page: a superuser sees all, a curator the collections they manage, others nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from documents.models import Collection, Document, Role
from documents.services import collection_create, document_fail, membership_set
from documents.workload import failure_reasons, workload
from portal.metrics import cache_shares
from search import audit
from search.asked import most_asked, outcomes, without_answer
from search.metrics import cache_total
from search.models import Answer, Conversation, Feedback, GoldenRun

INDEX = "/admin/"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root(db: None) -> Client:
    return client_of(User.objects.create_superuser("root", password="root-password"))


@pytest.fixture
def curator(bob: User, collection: Collection) -> Client:
    bob.is_staff = True
    bob.save()
    membership_set(collection=collection, user=bob, role=Role.MANAGER)
    return client_of(bob)


@pytest.fixture
def elsewhere(charlie: User) -> Collection:
    return collection_create(owner=charlie, name="Elsewhere", slug="elsewhere")


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def asked(
    user: User, question: str, *, abstained: bool = False, days: int = 0, state: str = "done"
) -> Answer:
    talk, _ = Conversation.objects.get_or_create(owner=user, title="Talk")
    now = timezone.now()
    given = {"conversation": talk, "asked_by": user, "question": question}
    answer = Answer.objects.create(**given, state=state, abstained=abstained, finished_at=now)
    Answer.objects.filter(pk=answer.pk).update(created_at=now - timedelta(days=days))
    return answer


def failed(upload: Any, collection: Collection, text: str, reason: str) -> Document:
    document: Document = upload(collection, text)
    document_fail(document_id=document.pk, reason=reason)
    return document


# --- Who sees what ------------------------------------------------------------------------------


def test_an_empty_portal_has_a_dashboard_that_says_so(root: Client) -> None:
    shown = text_of(root.get(INDEX))
    assert "No document has failed." in shown
    assert "Every question of the last 30 days found something." in shown
    assert "Not measured lately." in shown
    assert "None was asked yet." in shown


@pytest.mark.parametrize("app", ["documents", "search", "accounts"])
def test_the_page_of_an_app_is_its_list_alone(app: str, root: Client) -> None:
    page = root.get(f"{INDEX}{app}/").content.decode()
    assert 'data-testid="dashboard"' not in page
    assert f"app-{app}" in page


def test_a_curator_sees_the_collections_they_manage_and_nobody_s_questions(
    curator: Client, alice: User, collection: Collection, elsewhere: Collection, upload: Any
) -> None:
    failed(upload, collection, "Ours.", "The boiler room is locked.")
    failed(upload, elsewhere, "Theirs.", "The lake is frozen.")
    asked(alice, "Who founded the observatory?", abstained=True)
    shown = text_of(curator.get(INDEX))
    assert "The boiler room is locked." in shown
    assert "The lake is frozen." not in shown
    assert "observatory" not in shown
    assert "Most asked" not in shown


def test_a_superuser_sees_every_collection_and_what_was_asked(
    root: Client, alice: User, collection: Collection, elsewhere: Collection, upload: Any
) -> None:
    failed(upload, elsewhere, "Theirs.", "The lake is frozen.")
    asked(alice, "Who founded the observatory?", abstained=True)
    shown = text_of(root.get(INDEX))
    assert "The lake is frozen." in shown
    assert "Who founded the observatory?" in shown


def test_others_are_sent_to_sign_in(alice: User) -> None:
    assert client_of(alice).get(INDEX).status_code == 302
    assert Client().get(INDEX).status_code == 302


def test_the_queries_do_not_grow_with_what_there_is(
    root: Client, alice: User, collection: Collection, upload: Any
) -> None:
    root.get(INDEX)
    with CaptureQueriesContext(
        connection,
    ) as few:
        root.get(INDEX)
    for n in range(5):
        failed(upload, collection, f"Text {n}.", f"Reason {'abcde'[n]}.")
        asked(alice, f"Question {n}?", abstained=True)
    with CaptureQueriesContext(connection) as many:
        root.get(INDEX)
    assert len(many) == len(few)


# --- The queue --------------------------------------------------------------------------------


def test_documents_that_wait_without_a_worker_raise_an_alarm(
    root: Client, collection: Collection, upload: Any
) -> None:
    upload(collection, "Waits.")
    found = workload(Document.objects.all())
    assert (found.queued, found.processing, found.workers) == (1, 0, 0)
    assert found.stands_still
    assert "no worker is alive" in text_of(root.get(INDEX))


def test_a_living_worker_ends_the_alarm(collection: Collection, upload: Any) -> None:
    upload(collection, "Waits.")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
        cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 h')")
    found = workload(Document.objects.all())
    assert found.workers == 1
    assert not found.stands_still


def test_stages_are_counted_of_what_is_being_read(collection: Collection, upload: Any) -> None:
    for stage in ("parsing", "embedding", "embedding"):
        document = upload(collection, f"In {stage} {Document.objects.count()}.")
        Document.objects.filter(pk=document.pk).update(status="processing", stage=stage)
    found = workload(Document.objects.all())
    assert [(stage.label, stage.documents) for stage in found.stages] == [("reading", 1), ("embedding", 2)]


def test_failures_alike_are_one_line_whatever_their_numbers(collection: Collection, upload: Any) -> None:
    failed(upload, collection, "One.", "Page 3 took more than 60 s.")
    failed(upload, collection, "Two.", "Page 12 took more than 60 s.")
    failed(upload, collection, "Three.", "It is encrypted.")
    failed(upload, collection, "Four.", "cancelled")
    found = failure_reasons(Document.objects.all())
    assert [(row.reason, row.documents) for row in found] == [
        ("Page … took more than … s.", 2),
        ("It is encrypted.", 1),
    ]


# --- Questions --------------------------------------------------------------------------------


def test_questions_alike_are_one_line(alice: User, bob: User) -> None:
    asked(alice, "Who founded it?")
    newest = asked(bob, " who founded it? ")
    asked(alice, "Asked once?")
    (found,) = most_asked()
    assert (found.times, found.refused, found.latest) == (2, 0, newest.pk)


def test_a_question_is_without_an_answer_until_it_has_one(alice: User) -> None:
    asked(alice, "Who founded it?", abstained=True, days=2)
    asked(alice, "When was it built?", abstained=True)
    assert {row.question for row in without_answer()} == {"Who founded it?", "When was it built?"}
    asked(alice, "who founded it?")
    assert {row.question for row in without_answer()} == {"When was it built?"}


def test_old_questions_are_left_out(alice: User) -> None:
    asked(alice, "Who founded it?", abstained=True, days=31)
    assert without_answer() == []
    assert outcomes().answers == 0


def test_outcomes_count_refusals_failures_and_feedback(alice: User) -> None:
    liked, disliked = asked(alice, "One?"), asked(alice, "Two?", abstained=True)
    asked(alice, "Three?", state="failed")
    Feedback.objects.create(answer=liked, rating=1)
    Feedback.objects.create(answer=disliked, rating=-1)
    found = outcomes()
    assert (found.answers, found.refused, found.failed, found.helpful, found.unhelpful) == (3, 1, 1, 1, 1)


# --- Figures ------------------------------------------------------------------------------------


def test_cache_hits_are_a_share_of_what_was_asked_for(root: Client) -> None:
    before = {row.kind: row for row in cache_shares()}.get("results")
    cache_total.labels("results", "hit").inc(3)
    cache_total.labels("results", "miss").inc()
    cache_total.labels("results", "store").inc()
    after = {row.kind: row for row in cache_shares()}["results"]
    assert after.asked == (before.asked if before else 0) + 4
    assert "results of searches" in text_of(root.get(INDEX))


def test_the_last_audit_is_shown_lowest_recall_first(
    curator: Client, collection: Collection, elsewhere: Collection
) -> None:
    rows = [
        {"collection": slug, "passages": 10, "queries": 5, "asked": 0, "stored": 5, "recall": recall}
        for slug, recall in ((collection.slug, 0.91), (elsewhere.slug, 0.5))
    ]
    kept = {"space": "s", "at": timezone.now().isoformat(), "as_asked": 0.99, "asked": 4, "collections": rows}
    cache.set(audit.KEY, kept)
    response = curator.get(INDEX)
    shown = text_of(response)
    assert "0.910" in shown
    assert "0.500" not in shown, "of a collection that somebody else manages"
    assert "0.990" not in shown, "of everybody's queries"
    assert b"tile-poor" in response.content


def test_golden_runs_are_drawn(curator: Client, collection: Collection) -> None:
    level = {"recall@1": 0.5, "recall@10": 0.9, "mrr@10": 0.7}
    bounds = {name: [0.1, 0.9] for name in level}
    scores = {"asked": {"page": 0, "document": 4}, "document": level, "intervals": {"document": bounds}}
    GoldenRun.objects.create(
        collection=collection, why="demand", state="done", scores=scores, seconds=1.0, questions=4
    )
    assert 'data-testid="golden-chart"' in curator.get(INDEX).content.decode()
