"""Answers that become golden questions: by one click in the admin, once, with what they cite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.timezone import now

from documents.models import Collection, Document
from search.golden_answers import answer_keep, homes_of
from search.models import Answer, Conversation, Feedback, GoldenQuestion
from tests.search.examples import HERONS, TRAMS

QUESTION = "Who founded the observatory at Lake Ormund?"


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, HERONS, filename="herons.txt")


@pytest.fixture
def other(bob: User, make_document: Callable[..., Document]) -> Document:
    elsewhere = Collection.objects.create(name="Trams", slug="trams", owner=bob)
    return make_document(elsewhere, TRAMS, filename="trams.txt")


@pytest.fixture
def given(bob: User) -> Callable[..., Answer]:
    """An answer of bob's that cites these documents, a sentence each."""
    thread = Conversation.objects.create(owner=bob, title="t")

    def make(*cited: Document, **fields: Any) -> Answer:
        sentences = [
            {"text": f"Lindqvist founded it, says {n}.", "citations": [n], "supported": True}
            for n, _ in enumerate(cited, 1)
        ]
        answer = Answer.objects.create(
            conversation=thread, asked_by=bob, question=QUESTION, state="done", finished_at=now(),
            **{"sentences": sentences, "abstained": not cited, **fields},
        )  # fmt: skip
        for n, document in enumerate(cited, 1):
            answer.citations.create(
                n=n, document=document, chunk_id=1, content_hash="", page=1, quote="q", start=0, end=1
            )
        return answer

    return make


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="root-password"))
    return client


def keep(client: Client, answer: Answer, **chosen: Any) -> str:
    page = client.post(f"/admin/search/answer/{answer.pk}/keep/", chosen, follow=True)
    assert page.status_code == 200
    return page.content.decode()


def test_one_click_makes_one_question(root: Client, herons: Document, given: Callable[..., Answer]) -> None:
    answer = given(herons)
    shown = root.get(f"/admin/search/answer/{answer.pk}/change/").content.decode()
    assert 'data-testid="golden-keep"' in shown
    page = keep(root, answer)
    golden = GoldenQuestion.objects.get()
    assert f"/admin/search/goldenquestion/{golden.pk}/change/" in page
    assert (golden.question, golden.answer) == (QUESTION, "Lindqvist founded it, says 1.")
    assert (golden.answerable, golden.origin) == (True, f"answer:{answer.pk}")
    assert [(each.document, each.page) for each in golden.expected.all()] == [(herons, 1)]
    assert golden.created_by is not None
    assert "already" in keep(root, answer)
    assert GoldenQuestion.objects.count() == 1


def test_the_exact_answer_is_kept_where_one_is_marked(
    herons: Document, given: Callable[..., Answer], bob: User
) -> None:
    marked = {"text": "It was Lindqvist.", "citations": [1], "supported": True, "span": [7, 16]}
    golden, _ = answer_keep(answer=given(herons, sentences=[marked]), collection=herons.collection, user=bob)
    assert golden.answer == "Lindqvist"


def test_several_collections_ask_which(
    root: Client, herons: Document, other: Document, given: Callable[..., Answer]
) -> None:
    answer = given(herons, other)
    page = keep(root, answer)
    assert page.count('type="radio"') == 2
    assert not GoldenQuestion.objects.exists()
    keep(root, answer, collection=other.collection_id)
    golden = GoldenQuestion.objects.get()
    assert golden.collection == other.collection
    assert [each.document for each in golden.expected.all()] == [other]
    assert golden.answer == "Lindqvist founded it, says 2."


def test_what_was_refused_has_no_answer(
    root: Client, collection: Collection, given: Callable[..., Answer]
) -> None:
    answer = given(scope={"collections": ["research"]})
    keep(root, answer)
    golden = GoldenQuestion.objects.get()
    assert (golden.answerable, golden.answer, golden.collection) == (False, "", collection)
    assert homes_of(given()) == [collection]  # all that its asker sees


@pytest.mark.parametrize(
    ("category", "answerable"), [("should_refuse", False), ("wrong", True), ("should_answer", True)]
)
def test_who_asked_may_know_better(
    category: str,
    answerable: bool,
    root: Client,
    collection: Collection,
    herons: Document,
    given: Callable[..., Answer],
) -> None:
    abstained = category == "should_answer"
    answer = given(scope={"collections": ["research"]}) if abstained else given(herons)
    feedback = Feedback.objects.create(answer=answer, rating=-1, category=category)
    page = root.get(f"/admin/search/feedback/{feedback.pk}/change/").content.decode()
    assert f"/admin/search/answer/{answer.pk}/keep/" in page
    told = keep(root, answer)
    golden = GoldenQuestion.objects.get()
    assert golden.answerable is answerable
    assert golden.expected.count() == (1 if category == "wrong" else 0)
    assert ("Name the document" in told) is abstained


def test_it_is_for_superusers(alice: User, herons: Document, given: Callable[..., Answer]) -> None:
    alice.is_staff = True
    alice.save()
    client = Client()
    client.force_login(alice)
    answer = given(herons)
    assert client.post(f"/admin/search/answer/{answer.pk}/keep/").status_code == 403
    assert client.get(f"/admin/search/answer/{answer.pk}/keep/").status_code == 405
    assert not GoldenQuestion.objects.exists()


def test_a_question_that_is_too_long_is_told(
    root: Client, herons: Document, given: Callable[..., Answer]
) -> None:
    answer = given(herons)
    Answer.objects.update(question="x" * 3000)
    assert "2000" in keep(root, answer)
    assert not GoldenQuestion.objects.exists()
