"""What may no longer be read: every document that an answer saw counts, cited or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from documents.models import Collection, Document
from documents.services import document_delete, membership_remove
from search import answers, conversations, pipeline, recording
from search.events import Event
from search.generation.fake import FakeGenerator
from search.log import follow
from search.models import Answer, AnswerEvent
from search.types import DraftSentence, GenerationRequest, Piece, Token
from tests.search.examples import HERONS

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "How do herons live at Lake Ormund?"
SECRET = "The herons of Lake Ormund cost SECRETWORD millions every year."


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, HERONS, title="Herons")


@pytest.fixture
def budget(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, SECRET, title="Budget")


class CitesHerons(FakeGenerator):
    """Reads every source and cites one."""

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        source = next(each for each in request.sources if each.hit.document_title == "Herons")
        text = " ".join(source.hit.text.split()[:12])
        yield Token(text)
        yield DraftSentence(text, cited=(source.n,))


class SaysNothing(FakeGenerator):
    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        yield from ()


def answered(user: User, monkeypatch: pytest.MonkeyPatch, generator: FakeGenerator) -> Answer:
    monkeypatch.setattr(pipeline, "get_generator", lambda: generator)
    answer = answers.wait(answers.ask(user=user, question=QUESTION))
    assert "SECRETWORD" in logged()
    return answer


def delete_quietly(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nobody had wiped anything."""
    with monkeypatch.context() as patched:
        patched.setattr(recording, "quotes_withdraw", lambda **given: None)
        document_delete(document=document, user=None)


def logged() -> str:
    return str(list(AnswerEvent.objects.values()))


def events_of(answer: Answer, reader: User, after: int = 0) -> list[Event]:
    async def read() -> list[Event]:
        return [event async for event in follow(answer.pk, after, reader)]

    return asyncio.run(asyncio.wait_for(read(), 20))


def test_a_deleted_document_that_was_read_but_not_cited_leaves_the_log(
    herons: Document, budget: Document, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = answered(bob, monkeypatch, CitesHerons())
    assert set(answer.seen) == {herons.pk, budget.pk}
    assert [each.document_id for each in answer.citations.all()] == [herons.pk]
    document_delete(document=budget, user=None)
    assert "SECRETWORD" not in logged()
    (end,) = events_of(answer, bob)
    assert (end.type, end.payload["answer"]) == ("done", answer.text)


def test_who_may_not_see_one_of_the_sources_reads_only_the_end(
    herons: Document, budget: Document, bob: User, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = answered(bob, monkeypatch, CitesHerons())
    private = Collection.objects.create(name="Board", slug="board", owner=alice)
    Document.objects.filter(pk=budget.pk).update(collection=private)
    events = events_of(answer, bob)
    assert [event.type for event in events] == ["done"]
    assert "SECRETWORD" not in str(events)


def test_an_abstained_answer_withholds_too(
    herons: Document, budget: Document, collection: Collection, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = answered(bob, monkeypatch, SaysNothing())
    assert answer.abstained
    membership_remove(collection=collection, user=bob)
    assert [event.type for event in events_of(answer, bob)] == ["done"]


def test_a_failed_answer_withholds_and_is_wiped(
    herons: Document, budget: Document, collection: Collection, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**given: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(recording, "answer_finish", broken)
    answer = answered(bob, monkeypatch, FakeGenerator())
    assert answer.state == Answer.State.FAILED
    membership_remove(collection=collection, user=bob)
    assert [event.type for event in events_of(answer, bob)] == ["error"]
    document_delete(document=budget, user=None)
    assert "SECRETWORD" not in logged()


@pytest.mark.parametrize("fails", [False, True])
def test_a_document_deleted_while_the_answer_is_written_leaves_the_log(
    fails: bool, herons: Document, budget: Document, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DeletesBetween(CitesHerons):
        def generate(self, request: GenerationRequest) -> Iterator[Piece]:
            token, sentence = super().generate(request)
            document_delete(document=budget, user=None)
            connection.close()
            seen.append(logged())
            seen.append(str([event.type for event in AnswerEvent.objects.order_by("seq")]))
            yield Token("SECRETWORD is what the model has read. ")
            yield token
            yield sentence
            if fails:
                raise RuntimeError

    seen: list[str] = []
    monkeypatch.setattr(pipeline, "get_generator", DeletesBetween)
    answer = answers.wait(answers.ask(user=bob, question=QUESTION))
    assert answer.state == (Answer.State.FAILED if fails else Answer.State.DONE)
    assert "SECRETWORD" not in seen[0]
    assert seen[1] == "['started', 'sources']"  # its numbers stay, for those who follow
    assert "SECRETWORD" not in logged()
    assert [event.type for event in events_of(answer, bob)] == ["error" if fails else "done"]


def test_an_interrupted_answer_is_wiped_of_what_was_deleted_meanwhile(
    herons: Document, budget: Document, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = answered(bob, monkeypatch, FakeGenerator())
    answer.events.filter(type="done").delete()
    Answer.objects.filter(pk=answer.pk).update(state=Answer.State.RUNNING, heartbeat_at="2000-01-01T00:00Z")
    delete_quietly(budget, monkeypatch)
    assert recording.answer_interrupt(answer=answer.pk)
    assert "SECRETWORD" not in logged()
    assert [event.type for event in events_of(answer, bob)] == ["error"]


def test_a_running_answer_is_not_taken_up_by_who_lost_access(
    herons: Document, budget: Document, collection: Collection, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "get_generator", lambda: FakeGenerator(pause=0.1))
    answer = answers.ask(user=bob, question=QUESTION)

    async def third() -> None:
        async for event in follow(answer.pk, 0, bob):
            if event.seq == 3:
                return

    asyncio.run(asyncio.wait_for(third(), 20))
    membership_remove(collection=collection, user=bob)
    answers.stop(answer=answer)
    assert [event.type for event in events_of(answer, bob)] == ["done"]


def test_what_is_withheld_is_not_told_to_the_model_either(
    herons: Document, collection: Collection, bob: User
) -> None:
    answer = answers.wait(answers.ask(user=bob, question="Who founded the observatory at Lake Ormund?"))
    (turn,) = conversations.turns(answer.conversation, bob)
    assert turn.answer == answer.text != ""
    membership_remove(collection=collection, user=bob)
    (turn,) = conversations.turns(answer.conversation, bob)
    assert (turn.question, turn.answer) == (answer.question, "")


def test_answers_from_before_are_brought_up_to_date(
    herons: Document, budget: Document, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = import_module("search.migrations.0002_answer_seen")
    answer = answered(bob, monkeypatch, CitesHerons())
    Answer.objects.update(seen=[])
    with connection.cursor() as cursor:
        cursor.execute(migration.FILL)
        cursor.execute(migration.WIPE)
    answer.refresh_from_db()
    assert set(answer.seen) == {herons.pk, budget.pk}
    assert "SECRETWORD" in logged()
    delete_quietly(budget, monkeypatch)
    with connection.cursor() as cursor:
        cursor.execute(migration.WIPE)
    assert "SECRETWORD" not in logged()
    assert answer.events.get().type == "done"
