"""Answers in the background: the log, its readers, stopping, interruption, withdrawal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone

from documents import indexing
from documents.models import Collection, Document
from documents.services import document_delete, document_reindex, membership_remove
from search import answers, conversations, log, pipeline, recording, replaying, sse
from search.events import Event
from search.exceptions import BadRequest, GenerationFailed, NotFound
from search.generation.fake import FakeGenerator
from search.log import follow
from search.models import Answer, AnswerEvent, Citation, Conversation
from search.representation import answer_json, event_json, replay_json
from search.runner import COALESCE_SECONDS, TURNS, runner
from search.types import DraftSentence, GenerationRequest, Piece, SearchResult, Token
from tests.search.examples import HERONS, TRAMS

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "Who founded the observatory at Lake Ormund?"


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, HERONS, title="Herons")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> FakeGenerator:
    """A model that takes 20 ms for every word."""
    generator = FakeGenerator(pause=0.02)
    monkeypatch.setattr(pipeline, "get_generator", lambda: generator)
    return generator


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    yield
    for answer in Answer.objects.filter(state=Answer.State.RUNNING):
        answers.stop(answer=answer)
        answers.wait(answer, 10)


def answered(user: User, question: str = QUESTION, **given: Any) -> Answer:
    return answers.wait(answers.ask(user=user, question=question, **given))


def events_of(answer: Answer, after: int, reader: User) -> list[Event]:
    async def read() -> list[Event]:
        return [event async for event in follow(answer.pk, after, reader)]

    return asyncio.run(asyncio.wait_for(read(), 20))


class DiesAfterWords(FakeGenerator):
    """Says a sentence that nothing supports and half of another."""

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        yield Token("The moon is made of cheese. ")
        yield DraftSentence("The moon is made of cheese.", cited=(1,))
        yield Token("And so is ")
        raise GenerationFailed("gone")


# --- Asking


def test_an_answer_is_kept_with_its_citations(herons: Document, bob: User) -> None:
    answer = answered(bob)
    assert (answer.state, answer.abstained) == (Answer.State.DONE, False)
    shown = answer_json(answer, bob)
    assert shown["answer"] == "Anders Lindqvist founded the observatory in 1923."
    (citation,) = shown["citations"]
    assert citation["quote"] == shown["answer"]
    assert citation["document"] == {"id": str(herons.pk), "title": "Herons"}
    page = herons.pages.get(number=citation["page"]).text
    assert page[citation["start"] : citation["end"]] == citation["quote"]
    assert "total" in shown["timings"]
    assert shown["settings"]["generator"] == "extractive"


def test_what_the_asker_may_not_see_is_not_found(herons: Document, alice: User, charlie: User) -> None:
    asked = answered(alice)
    for narrowed in (
        {"conversation": asked.conversation_id},
        {"conversation": uuid4()},
        {"collections": ["research"]},
        {"documents": [herons.pk]},
    ):
        with pytest.raises(NotFound):
            answers.ask(user=charlie, question=QUESTION, **narrowed)
    assert Answer.objects.count() == 1


def test_strangers_learn_nothing(herons: Document, charlie: User) -> None:
    answer = answered(charlie)
    assert answer.abstained
    assert answer_json(answer, charlie)["citations"] == []


@pytest.mark.parametrize("question", ["", "  \x00 ", "x" * 5000])
def test_questions_that_are_none(question: str, alice: User) -> None:
    with pytest.raises(BadRequest):
        answers.ask(user=alice, question=question)


def test_a_conversation_goes_on_with_its_history(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answered(alice)
    second = answered(alice, "And when?", conversation=first.conversation_id)
    assert second.conversation_id == first.conversation_id
    (turn,) = conversations.turns(second.conversation, alice, before=second)
    assert turn.question == QUESTION
    assert "1923" in second.text


class Together(FakeGenerator):
    """Says nothing until so many answers are being written at once."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.meeting = Barrier(count)

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        self.meeting.wait(60)
        yield from super().generate(request)


def test_answers_wait_for_a_model_together_and_search_in_turn(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, found, searching, most = Together(12), pipeline.found, [0], [0]

    def counted(*given: Any) -> SearchResult:
        searching[0] += 1
        most[0] = max(most[0], searching[0])
        try:
            time.sleep(0.05)
            return found(*given)
        finally:
            searching[0] -= 1

    monkeypatch.setattr(pipeline, "get_generator", lambda: generator)
    monkeypatch.setattr(pipeline, "found", counted)
    asked = [answers.ask(user=alice, question=QUESTION) for _ in range(12)]
    assert {answers.wait(answer, 60).state for answer in asked} == {Answer.State.DONE}
    assert 2 <= most[0] <= TURNS


def test_words_of_many_answers_are_written_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runner.pause() == COALESCE_SECONDS
    monkeypatch.setattr(runner, "_stops", dict.fromkeys(range(100)))
    assert runner.pause() == 1.0


def test_what_is_told_comes_once_and_in_order() -> None:
    """A reader's tail takes what this process wrote, unless it has it or something before it is missing."""

    async def told() -> list[int]:
        hub, pk = log.Hub(), uuid4()
        with hub.following(pk) as (tail, _):
            for seq in (2, 1, 1, 3, 2):
                hub.tell(Event(pk, seq, "token", {"text": "x"}))
            return [event.seq for event in tail.events]

    assert asyncio.run(told()) == [1, 2]


# --- Following


def test_the_log_tells_the_answer_in_order(herons: Document, alice: User) -> None:
    answer = answered(alice)
    events = events_of(answer, 0, alice)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["started", "sources"]
    assert kinds[-2:] == ["sentence", "done"]
    words = "".join(event.payload["text"] for event in events if event.type == "token")
    assert words.strip() == answer.text
    assert events[-1].payload == answer_json(answer, alice)
    assert event_json(events[1])["citations"][0]["quote"] == answer.text


def test_no_word_is_lost_or_repeated_wherever_a_reader_takes_up(
    herons: Document, alice: User, slow: FakeGenerator
) -> None:
    answer = answers.ask(user=alice, question=QUESTION)

    async def read(after: int, limit: int = 999) -> list[Event]:
        found = []
        async for event in follow(answer.pk, after, alice):
            found.append(event)
            if len(found) == limit:
                break
        return found

    async def tabs() -> list[list[Event]]:
        first = await read(0, 4)  # this tab closes, and comes back
        rest, whole, late = await asyncio.gather(read(first[-1].seq), read(0), read(7))
        return [first + rest, whole, late]

    resumed, whole, late = asyncio.run(asyncio.wait_for(tabs(), 20))
    assert resumed == whole
    assert late == whole[7:]
    assert whole[-1].type == "done"
    assert len([event for event in whole if event.type == "token"]) > 4


def test_many_readers_ask_the_database_no_more_than_one(
    herons: Document, alice: User, slow: FakeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetches = []
    fetch = log.Hub._fetch
    monkeypatch.setattr(log.Hub, "_fetch", lambda hub, tails: (fetches.append(1), fetch(hub, tails))[1])
    answer = answers.ask(user=alice, question=QUESTION)

    async def read() -> int:
        return len([event async for event in follow(answer.pk, 0, alice)])

    async def crowd() -> list[int]:
        return await asyncio.gather(*(read() for _ in range(50)))

    counts = asyncio.run(asyncio.wait_for(crowd(), 20))
    assert len(set(counts)) == 1
    assert len(fetches) < 60


def test_an_answer_of_another_process_is_followed_too(herons: Document, alice: User) -> None:
    """Nobody wakes the reader here: the rows are all there is."""
    conversation = Conversation.objects.create(owner=alice, title="t")
    answer = Answer.objects.create(conversation=conversation, asked_by=alice, question="q")

    def write() -> None:
        for seq, kind in enumerate(("started", "token"), 1):
            recording.event_append(answer=answer.pk, seq=seq, type=kind, payload={"text": "w "})  # type: ignore[arg-type]
        recording.answer_finish(answer=answer.pk, seq=3, outcome=pipeline.Outcome((), (), {}, {}))
        connection.close()

    async def read() -> list[str]:
        kinds = []
        reading = asyncio.create_task(asyncio.to_thread(write))
        async for event in follow(answer.pk, 0, alice):
            kinds.append(event.type)
        await reading
        return kinds

    assert asyncio.run(asyncio.wait_for(read(), 20)) == ["started", "token", "done"]


def test_the_stream_has_ids_and_is_not_held_back(herons: Document, alice: User, rf: RequestFactory) -> None:
    answer = answered(alice)
    request = rf.get("/", headers={"last-event-id": "2"})
    request.user = alice

    async def read() -> tuple[Any, bytes]:
        response = sse.stream(request, answer, sse.last_event_id(request))
        return response, b"".join([part async for part in response])  # type: ignore[union-attr]

    response, body = asyncio.run(read())
    assert response["X-Accel-Buffering"] == "no"
    assert response["Content-Type"] == "text/event-stream"
    assert body.startswith(b"id: 3\nevent: token\ndata: {")
    assert body.count(b"event: done") == 1


def test_silence_is_filled(
    herons: Document, alice: User, slow: FakeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.pause = 0.3
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.05)
    answer = answers.ask(user=alice, question=QUESTION)

    async def read() -> list[bytes]:
        return [part async for part in sse.kept_alive(follow(answer.pk, 0, alice))]

    parts = asyncio.run(asyncio.wait_for(read(), 30))
    assert sse.KEEP_ALIVE in parts
    assert parts[-1].startswith(b"id: ")


# --- Ends that are not the usual one


def test_a_slow_answer_is_given_as_far_as_it_is(herons: Document, alice: User, slow: FakeGenerator) -> None:
    slow.pause = 0.2
    answer = answers.ask(user=alice, question=QUESTION)
    assert answers.wait(answer, 0.05).state == Answer.State.RUNNING
    assert answers.wait(answer, 30).state == Answer.State.DONE


def test_a_model_that_dies_after_some_words_makes_the_log_begin_again(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "get_generator", DiesAfterWords)
    answer = answered(alice)
    events = events_of(answer, 0, alice)
    sources = [event for event in events if event.type == "sources"]
    assert [event.payload.get("restart") for event in sources] == [None, True]
    words = [event for event in events if event.type == "token" and event.seq > sources[1].seq]
    assert "".join(event.payload["text"] for event in words).strip() == answer.text
    assert "cheese" in "".join(event.payload["text"] for event in events if event.type == "token")


def test_a_stopped_answer_keeps_what_it_has(herons: Document, alice: User, slow: FakeGenerator) -> None:
    answer = answers.ask(user=alice, question=QUESTION)
    answers.stop(answer=answer)
    ended = answers.wait(answer, 10)
    assert ended.state == Answer.State.STOPPED
    assert not ended.abstained
    assert events_of(ended, 0, alice)[-1].payload["state"] == "stopped"


def test_another_process_may_ask_for_the_stop(herons: Document, alice: User, slow: FakeGenerator) -> None:
    slow.pause = 0.3
    answer = answers.ask(user=alice, question=QUESTION)
    Answer.objects.filter(pk=answer.pk).update(stop_requested=True)
    assert answers.wait(answer, 15).state == Answer.State.STOPPED


def test_an_unforeseen_error_ends_the_answer_without_its_details(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(pipeline, "get_generator", broken)
    answer = answered(alice)
    assert answer.state == Answer.State.FAILED
    last = events_of(answer, 0, alice)[-1]
    assert last.type == "error"
    assert "secret" not in str(last.payload)


def test_an_answer_whose_process_died_is_ended_once_by_its_readers(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LAPSE_CHECK_SECONDS", 0.1)
    conversation = Conversation.objects.create(owner=alice, title="t")
    long_ago = timezone.now() - timedelta(seconds=60)
    answer = Answer.objects.create(
        conversation=conversation, asked_by=alice, question="q", heartbeat_at=long_ago
    )
    recording.event_append(answer=answer.pk, seq=1, type="started", payload={})

    async def read() -> list[str]:
        return [event.type async for event in follow(answer.pk, 0, alice)]

    async def both() -> list[list[str]]:
        return await asyncio.gather(read(), read())

    assert asyncio.run(asyncio.wait_for(both(), 20)) == [["started", "error"]] * 2
    assert not recording.answer_interrupt(answer=answer.pk)
    answer.refresh_from_db()
    assert answer.state == Answer.State.INTERRUPTED
    with pytest.raises(recording.Superseded):
        recording.answer_finish(answer=answer.pk, seq=9, outcome=pipeline.Outcome((), (), {}, {}))


def test_a_deleted_conversation_releases_its_readers(
    herons: Document, alice: User, slow: FakeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LAPSE_CHECK_SECONDS", 0.1)
    slow.pause = 0.2
    answer = answers.ask(user=alice, question=QUESTION)

    async def read() -> list[str]:
        kinds = []
        async for event in follow(answer.pk, 0, alice):
            kinds.append(event.type)
            if len(kinds) == 3:
                await asyncio.to_thread(delete)
        return kinds

    def delete() -> None:
        conversations.conversation_delete(conversation=answer.conversation)
        connection.close()

    assert "done" not in asyncio.run(asyncio.wait_for(read(), 20))
    assert not AnswerEvent.objects.exists()
    answers.runner.wait(answer.pk, 10)


# --- What may no longer be seen


def test_a_deleted_document_is_wiped_from_answers(herons: Document, alice: User) -> None:
    answer = answered(alice)
    document_delete(document=herons, user=None)
    answer.refresh_from_db()
    citation = answer.citations.get()
    assert (citation.quote, citation.boxes, citation.withdrawn) == ("", [], True)
    assert (answer.text, answer.sentences[0]["text"]) == ("", "")
    events = events_of(answer, 0, alice)
    assert [event.type for event in events] == ["done"]
    assert "Lindqvist" not in str(events) + str(answer.sentences) + str(list(AnswerEvent.objects.values()))
    assert events[0].payload["citations"][0]["withdrawn"] is True


def test_a_document_deleted_while_the_answer_is_written(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = recording.answer_finish

    def deleted_just_before(**given: Any) -> None:
        document_delete(document=herons, user=None)
        finish(**given)

    monkeypatch.setattr(recording, "answer_finish", deleted_just_before)
    answer = answered(alice)
    assert answer.state == Answer.State.DONE
    assert "Lindqvist" not in answer.text + str(list(AnswerEvent.objects.values()))
    assert Citation.objects.get().withdrawn


def test_who_left_the_collection_no_longer_reads_the_quotes(
    herons: Document, collection: Collection, bob: User
) -> None:
    answer = answered(bob)
    membership_remove(collection=collection, user=bob)
    shown = answer_json(answer, bob)
    assert (shown["answer"], shown["citations"][0]["quote"]) == ("", "")
    assert shown["citations"][0]["document"] is None
    events = events_of(answer, 0, bob)
    assert [event.type for event in events] == ["done"]
    assert "Lindqvist" not in str(events)


def test_a_passage_that_was_split_anew_is_found_under_its_new_key(
    herons: Document, collection: Collection, alice: User
) -> None:
    answer = answered(alice)
    (before,) = answer_json(answer, alice)["citations"]
    document_reindex(document=herons)
    indexing.index(herons.pk)
    (after,) = answer_json(answer, alice)["citations"]
    assert herons.chunks.filter(pk=after["chunk"]).exists()
    assert "changed" not in after
    assert before["quote"] == after["quote"]
    herons.chunks.update(content_hash="f" * 64)
    assert answer_json(answer, alice)["citations"][0]["changed"] is True


# --- Afterwards


def test_a_replay_tells_the_difference_and_changes_nothing(
    herons: Document, collection: Collection, alice: User, make_document: Callable[..., Document]
) -> None:
    answer = answered(alice)
    same = replay_json(replaying.replay(answer=answer, user=alice), alice)["difference"]
    assert {name: value for name, value in same.items() if not isinstance(value, (list, dict))} == {
        "wording_changed": False,
        "abstained_changed": False,
        "compared": True,
    }
    assert same["documents_added"] == same["documents_removed"] == same["documents"] == same["settings"] == []
    document_delete(document=herons, user=None)
    added = make_document(collection, "The observatory at Lake Ormund: Ida Berg founded the observatory.")
    answer.refresh_from_db()
    changed = replaying.replay(answer=answer, user=alice)
    assert changed.documents_added == (added.pk,)
    assert changed.wording_changed
    assert Answer.objects.count() == 1


def test_feedback_replaces_itself(herons: Document, alice: User) -> None:
    answer = answered(alice)
    answers.give_feedback(answer=answer, rating=1)
    answers.give_feedback(answer=answer, rating=-1, reason="wrong")
    assert answer_json(answer, alice)["feedback"] == {"rating": -1, "reason": "wrong"}
    with pytest.raises(BadRequest):
        answers.give_feedback(answer=answer, rating=5)


def test_conversations_are_renamed(herons: Document, alice: User) -> None:
    conversation = answered(alice, TRAMS[:40]).conversation
    conversations.conversation_rename(conversation=conversation, title="  Trams \x00 again ")
    assert Conversation.objects.get().title == "Trams again"
    with pytest.raises(BadRequest):
        conversations.conversation_rename(conversation=conversation, title=" ")


def test_an_answer_whose_process_is_gone_is_ended_by_its_next_reader(alice: User) -> None:
    conversation = Conversation.objects.create(owner=alice, title="Lost")
    lost = Answer.objects.create(
        conversation=conversation,
        asked_by=alice,
        question="Is anybody there?",
        heartbeat_at=timezone.now() - timedelta(minutes=5),
    )
    assert answers.settled(lost).state == Answer.State.INTERRUPTED
    assert lost.events.get().type == "error"
    assert answers.settled(lost).events.count() == 1
