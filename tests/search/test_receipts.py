"""Receipts: what is kept of how an answer came about, who may read it, and what a deletion leaves of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.core.management import call_command
from rest_framework.test import APIClient

from documents import indexing
from documents.integrity import check_integrity, repair
from documents.integrity.traces import traces_of
from documents.models import Collection, Document
from documents.services import document_delete, document_reindex, membership_remove
from search import answers, pipeline, receipts, recording
from search.generation.fake import FakeGenerator
from search.models import Answer
from search.types import Outcome
from tests.search.examples import HERONS, TRAMS

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "Who founded the observatory at Lake Ormund?"
SECRET = "Lindqvist"
Api = Callable[[User | None], APIClient]


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, HERONS, title="Herons")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A language model whose prompt is kept: every source, and what was said before."""
    pieces = pipeline.answer_pieces

    def with_prompt(*, history: Any = (), **given: Any) -> Any:
        for step in pieces(history=history, **given):
            if isinstance(step, Outcome):
                told = [turn.answer for turn in history] + [HERONS]
                step.receipt["prompt"] = [{"role": "user", "content": "\n".join(told)}]
                step.receipt["standalone"] = f"{given['question']} ({SECRET})"
            yield step

    monkeypatch.setattr(pipeline, "answer_pieces", with_prompt)
    monkeypatch.setattr(pipeline, "get_generator", FakeGenerator)


def answered(user: User, question: str = QUESTION, **given: Any) -> Answer:
    return answers.wait(answers.ask(user=user, question=question, **given))


def test_a_receipt_tells_what_was_found_and_read(
    herons: Document, collection: Collection, make_document: Callable[..., Document], bob: User, api: Api
) -> None:
    make_document(collection, TRAMS, title="Trams")
    answer = answered(bob, collections=["research"])
    shown = api(bob).get(f"/api/v1/answers/{answer.pk}/receipt/").json()
    assert (shown["question"], shown["standalone"], shown["withheld"]) == (QUESTION, QUESTION, False)
    first = shown["trace"][0]
    assert first["document"] == {"id": str(herons.pk), "title": "Herons"}
    assert (first["rank"], first["source"], first["page"]) == (1, 1, 1)
    assert first["ranks"]["vector"] == 1
    assert first["content_hash"] == herons.chunks.get().content_hash
    assert [row["rank"] for row in shown["trace"]] == [1, 2]
    collection.refresh_from_db()
    assert shown["versions"]["corpus"] == {"research": collection.corpus_version}
    assert shown["versions"]["portal"] == project.VERSION
    assert shown["versions"]["space"]["model"] == shown["settings"]["embedding_model"]
    assert shown["timings"]["total"] > 0
    assert len(shown["fingerprint"]) == 64


def test_the_version_is_that_of_the_project() -> None:
    line = f'version = "{project.VERSION}"'
    assert line in Path(project.BASE_DIR, "pyproject.toml").read_text().splitlines()


def test_the_same_evidence_has_the_same_fingerprint(
    herons: Document, collection: Collection, make_document: Callable[..., Document], alice: User
) -> None:
    first, second = answered(alice).receipt, answered(alice).receipt
    assert first["fingerprint"] == second["fingerprint"]
    make_document(collection, "The observatory at Lake Ormund was founded in winter.", title="Winter")
    assert answered(alice).receipt["fingerprint"] != first["fingerprint"]


def test_a_passage_that_changed_since_is_marked(herons: Document, alice: User) -> None:
    answer = answered(alice)
    document_reindex(document=herons)
    indexing.index(herons.pk)
    (row,) = receipts.receipt_json(answer, alice)["trace"]
    assert row["chunk"] == herons.chunks.get().pk
    assert "changed" not in row
    herons.chunks.update(content_hash="f" * 64)
    (row,) = receipts.receipt_json(answer, alice)["trace"]
    assert (row["chunk"], row["changed"], row["document"]["title"]) == (None, True, "Herons")


def test_only_the_asker_reads_it(herons: Document, alice: User, bob: User, charlie: User, api: Api) -> None:
    answer = answered(bob)
    for user, status in ((bob, 200), (alice, 404), (charlie, 404), (None, 401)):
        assert api(user).get(f"/api/v1/answers/{answer.pk}/receipt/").status_code == status


def test_who_lost_a_document_reads_neither_prompt_nor_its_trace(
    herons: Document, collection: Collection, model: None, bob: User
) -> None:
    answer = answered(bob)
    assert SECRET in receipts.receipt_json(answer, bob)["prompt"][0]["content"]
    membership_remove(collection=collection, user=bob)
    shown = receipts.receipt_json(answer, bob)
    assert (shown["prompt"], shown["standalone"], shown["withheld"]) == (None, None, True)
    (row,) = shown["trace"]
    assert row == {**dict.fromkeys(row), "rank": 1, "withdrawn": True}
    assert shown["versions"]["corpus"] == {}


def test_a_follow_up_withholds_what_it_was_told_of_earlier_answers(
    herons: Document, collection: Collection, model: None, make_document: Callable[..., Document], bob: User
) -> None:
    trams = make_document(collection, TRAMS, title="Trams")
    first = answered(bob, documents=[herons.pk])
    second = answered(bob, "And the trams?", conversation=first.conversation_id, documents=[trams.pk])
    assert set(second.seen) == {herons.pk, trams.pk}
    private = Collection.objects.create(name="Board", slug="board", owner=collection.owner)
    Document.objects.filter(pk=herons.pk).update(collection=private)
    assert receipts.receipt_json(second, bob)["prompt"] is None
    third = answered(bob, "And the depot?", conversation=first.conversation_id, documents=[trams.pk])
    assert set(third.seen) == {trams.pk}  # nothing is told of what is withheld
    assert receipts.receipt_json(third, bob)["prompt"]


def test_a_deleted_document_is_wiped_from_receipts(herons: Document, model: None, alice: User) -> None:
    first = answered(alice)
    second = answered(alice, "And when was that?", conversation=first.conversation_id)
    assert any("search_answer" in place for place in traces_of(SECRET))
    document_delete(document=herons, user=alice)
    assert traces_of(SECRET) == []
    call_command("check_integrity", trace=SECRET)  # exits with 1 on any breach
    for answer in (first, second):
        answer.refresh_from_db()
        assert answer.receipt["withdrawn"]
        assert answer.receipt["trace"][0]["document"] == str(herons.pk)
        assert receipts.receipt_json(answer, alice)["trace"][0]["withdrawn"]


def test_a_document_deleted_while_the_answer_is_written_leaves_no_receipt_text(
    herons: Document, model: None, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = recording.answer_finish

    def deleted_just_before(**given: Any) -> None:
        document_delete(document=herons, user=None)
        finish(**given)

    monkeypatch.setattr(recording, "answer_finish", deleted_just_before)
    answer = answered(alice)
    assert answer.receipt["withdrawn"]
    assert traces_of(SECRET) == []


def test_a_receipt_that_a_deletion_missed_is_found_and_emptied(
    herons: Document, model: None, alice: User
) -> None:
    answer = answered(alice)
    kept = answer.receipt
    document_delete(document=herons, user=alice)
    Answer.objects.update(receipt=kept)
    broken = [finding.invariant for finding in check_integrity() if finding.breaches]
    assert broken == ["answers whose receipt holds text of a deleted document"]
    repair()
    assert traces_of(SECRET) == []


def test_an_answer_of_before_has_an_empty_receipt(herons: Document, alice: User) -> None:
    answer = answered(alice)
    Answer.objects.update(receipt={})
    answer.refresh_from_db()
    shown = receipts.receipt_json(answer, alice)
    assert (shown["trace"], shown["prompt"], shown["versions"], shown["fingerprint"]) == (
        [],
        None,
        None,
        None,
    )
    document_delete(document=herons, user=alice)
    answer.refresh_from_db()
    assert answer.receipt == {}
