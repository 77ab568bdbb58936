"""Answers that are given again: whole, to those who see the same, without asking any model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from prometheus_client import REGISTRY

from documents import sparing
from documents.integrity import check_integrity
from documents.integrity.traces import traces_of
from documents.models import Collection, Document
from documents.services import (
    collection_create,
    document_bin,
    document_delete,
    document_unbin,
    document_update,
    membership_remove,
)
from search import answer_cache, answers, caching, conversations, pipeline, replaying, semantic
from search.events import Event
from search.exceptions import GenerationFailed
from search.generation.fake import FakeGenerator
from search.log import follow
from search.models import Answer, Calibration
from search.representation import answer_json
from search.runner import runner
from search.types import DraftSentence, Filters, GenerationRequest, Piece, Token
from tests.search.examples import HERONS

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "Who founded the observatory at Lake Ormund?"


@pytest.fixture(autouse=True)
def _redis_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.redis_if_there, "paused_until", 0.0)


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, HERONS, title="Herons")


class Model(FakeGenerator):
    """Says something in words of its own, and counts how often."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.fails = fails
        self.asked = 0

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        self.asked += 1
        text = f"The observatory was founded in 1923 by Anders Lindqvist, says telling {self.asked}."
        yield Token("The observatory ")
        yield DraftSentence(text.replace(f" {self.asked}.", "."), cited=(1,))
        if self.fails:
            raise GenerationFailed("gone")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    model = Model()
    monkeypatch.setattr(pipeline, "get_generator", lambda: model)
    return model


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on nobody may retrieve or generate."""
    return lambda: monkeypatch.setattr(pipeline, "answer_pieces", None)


def answered(user: User, question: str = QUESTION, **given: Any) -> Answer:
    return answers.wait(answers.ask(user=user, question=question, **given))


def events_of(answer: Answer, reader: User) -> list[Event]:
    async def read() -> list[Event]:
        return [event async for event in follow(answer.pk, 0, reader)]

    return asyncio.run(asyncio.wait_for(read(), 20))


def told(answer: Answer, reader: User) -> dict[str, Any]:
    """What a reader sees, but for what belongs to one answer alone."""
    shown = answer_json(answer, reader)
    own = ("id", "conversation", "timings", "created_at", "cached", "settings")
    return {name: value for name, value in shown.items() if name not in own}


def counted(kind: str, outcome: str) -> float:
    labels = {"kind": kind, "outcome": outcome}
    return REGISTRY.get_sample_value("search_cache_total", labels) or 0.0


def kept(kind: str = "answers") -> list[str]:
    redis = sparing.get_redis_connection("default")
    return [key.decode() for key in redis.keys(f"{caching.PREFIX}:{kind}:*")]


# --- Given again


@pytest.mark.parametrize("remote", [False, True])
def test_a_repeated_question_gets_a_whole_answer_of_its_own(
    remote: bool,
    herons: Document,
    alice: User,
    bob: User,
    untouched: Callable[[], None],
    request: pytest.FixtureRequest,
) -> None:
    if remote:
        request.getfixturevalue("model")
    first = answered(alice)
    untouched()
    second = answered(bob, f" {QUESTION}")
    assert "Lindqvist" in second.text
    assert told(second, bob) == told(first, bob)
    assert second.settings == {**first.settings, "cached": "same"}
    assert (answer_json(first, bob)["cached"], answer_json(second, bob)["cached"]) == (False, True)
    assert (second.seen, second.receipt, second.refusal) == (first.seen, first.receipt, first.refusal)
    kinds = [event.type for event in events_of(second, bob)]
    assert (kinds[:2], kinds[-2:]) == (["started", "sources"], ["sentence", "done"])
    assert second.timings["total"] < first.timings["total"]


def test_a_passage_joined_of_several_is_joined_again(
    collection: Collection, alice: User, make_document: Callable[..., Document], untouched: Callable[[], None]
) -> None:
    line = (
        "The pump of hall {} was tested by Anders Lindqvist on a rainy morning and found to leak a little. "
    )
    make_document(collection, "".join(line.format(number) for number in range(1, 60)), title="Pumps")
    first = answered(alice, "Which pump was tested by Anders Lindqvist on a rainy morning?")
    untouched()
    second = answered(alice, "Which pump was tested by Anders Lindqvist on a rainy morning?")
    assert first.text != ""
    assert told(second, alice) == told(first, alice)


def test_an_abstention_is_given_again(herons: Document, alice: User, untouched: Callable[[], None]) -> None:
    question = "What is the capital of Zorbonia?"
    first = answered(alice, question)
    untouched()
    second = answered(alice, question)
    assert first.abstained
    assert told(second, alice) == told(first, alice)


def test_with_history_nothing_is_taken_or_kept(herons: Document, alice: User, model: Model) -> None:
    thread = answered(alice).conversation_id
    answered(alice, QUESTION, conversation=thread)
    assert model.asked == 2
    assert len(kept()) == 1


def test_who_asks_again_gets_a_fresh_answer_that_is_kept_instead(
    herons: Document, alice: User, model: Model
) -> None:
    first = answered(alice)
    row = Answer.objects.create(
        conversation=first.conversation, asked_by=alice, question=QUESTION, replaces=first
    )
    row.events.create(seq=1, type="started")
    runner.start(row, alice, Filters(), ())
    assert "cached" not in answers.wait(row).settings
    assert model.asked == 2
    redis = sparing.get_redis_connection("default")
    assert json.loads(redis.get(kept()[0]))["row"] == str(row.pk)


def test_replay_asks_again(herons: Document, alice: User, model: Model) -> None:
    replaying.replay(answer=answered(alice), user=alice)
    assert model.asked == 2


# --- Not kept


def test_what_did_not_go_well_is_not_kept(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "get_generator", lambda: Model(fails=True))
    assert "fallback" in answered(alice).settings
    monkeypatch.setattr(pipeline.Stages, "degraded", property(lambda stages: ("vector",)))
    monkeypatch.setattr(pipeline, "get_generator", Model)
    assert answered(alice, "Who founded it?").settings["degraded"]
    monkeypatch.undo()
    monkeypatch.setattr(pipeline, "get_generator", None)
    assert answered(alice, "Who is it?").state == Answer.State.FAILED
    assert kept() == []


def test_a_stopped_answer_is_not_kept(herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "get_generator", lambda: FakeGenerator(pause=0.05))
    answer = answers.ask(user=alice, question=QUESTION)
    answers.stop(answer=answer)
    assert answers.wait(answer).state == Answer.State.STOPPED
    assert kept() == []


# --- For whom, until when


def test_every_change_asks_the_model_again(
    herons: Document, collection: Collection, alice: User, bob: User, model: Model
) -> None:
    answered(bob)
    document_update(document=herons, tags=["birds"])
    answered(bob)
    Calibration.objects.create(parameters={}, questions=1)
    answered(bob)
    assert model.asked == 3
    document_update(document=herons, collection=collection_create(owner=alice, name="Board"))
    assert answered(bob).abstained
    assert not answered(alice).abstained
    assert model.asked == 4


def test_who_lost_access_gets_nothing(
    herons: Document, collection: Collection, bob: User, model: Model
) -> None:
    answered(bob)
    membership_remove(collection=collection, user=bob)
    assert answered(bob).abstained


def test_what_is_in_the_bin_answers_nothing_and_shows_no_quote(
    herons: Document, alice: User, bob: User, model: Model
) -> None:
    first = answered(bob)
    document_bin(document=herons, user=alice)
    shown = answer_json(first, bob)
    assert {citation["quote"] for citation in shown["citations"]} == {""}
    assert "Lindqvist" not in str(shown)
    assert answered(bob).abstained
    assert answered(alice).abstained
    document_unbin(document=herons)
    assert "Lindqvist" in str(answer_json(first, bob))
    assert not answered(bob).abstained


def test_another_scope_is_another_question(
    herons: Document, collection: Collection, alice: User, charlie: User, model: Model
) -> None:
    answered(alice)
    assert answered(charlie).abstained
    answered(alice, collections=["research"])
    answered(alice, documents=[herons.pk])
    assert model.asked == 3


def test_an_answer_that_its_asker_deleted_is_not_given_to_others(
    herons: Document, alice: User, bob: User, model: Model
) -> None:
    conversations.conversation_delete(conversation=answered(alice).conversation)
    answered(bob)
    assert model.asked == 2


# --- Without a byte of text


@pytest.mark.parametrize("remote", [False, True])
def test_nothing_of_a_document_lies_in_redis(
    remote: bool, herons: Document, alice: User, settings: Any, request: pytest.FixtureRequest
) -> None:
    if remote:
        request.getfixturevalue("model")
    settings.SEMANTIC_CACHE_THRESHOLD = 0.9
    answered(alice)
    redis = sparing.get_redis_connection("default")
    values = str([redis.get(key) for key in kept()] + [redis.hgetall(key) for key in kept("semantic")])
    assert (len(kept()), len(kept("semantic"))) == (1, 1)
    for word in ("observatory", "Lindqvist", "Anders", "1923", "Ormund"):
        assert word not in values
    document_delete(document=herons, user=alice)
    assert traces_of("Anders Lindqvist") == []
    assert [finding for finding in check_integrity() if finding.breaches] == []
    assert answered(alice).abstained


# --- One at a time, and without Redis


def test_two_who_ask_at_once_make_the_model_answer_once(
    herons: Document, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Slow(FakeGenerator):
        def generate(self, request: GenerationRequest) -> Iterator[Piece]:
            asked.append(1)
            yield from super().generate(request)

    monkeypatch.setattr(pipeline, "get_generator", lambda: Slow(pause=0.02))
    monkeypatch.setattr(answer_cache, "PATIENCE_SECONDS", 60.0)
    both = [answers.ask(user=user, question=QUESTION) for user in (alice, bob)]
    first, second = (answers.wait(answer) for answer in both)
    assert first.text == second.text != ""
    assert len(asked) == 1


def test_without_redis_every_answer_is_made(
    herons: Document, alice: User, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.exceptions import ConnectionError as RedisGone

    def gone(alias: str) -> Any:
        raise RedisGone

    monkeypatch.setattr(sparing, "get_redis_connection", gone)
    assert [answered(alice).state for _ in range(2)] == [Answer.State.DONE] * 2
    assert model.asked == 2


# --- In other words


@pytest.fixture
def alike(settings: Any) -> None:
    settings.SEMANTIC_CACHE_THRESHOLD = 0.8


@pytest.mark.usefixtures("alike")
def test_another_wording_gets_the_same_answer(herons: Document, alice: User, model: Model) -> None:
    hits = counted("semantic", "hit")
    first, second = answered(alice), answered(alice, "who founded the observatory at lake ormund")
    assert (model.asked, second.text) == (1, first.text)
    assert second.settings["cached"] == "similar"
    answered(alice, "Please tell me: at Lake Ormund, who founded the observatory?")
    assert model.asked == 1
    assert counted("semantic", "hit") == hits + 2
    document_update(document=herons, tags=["birds"])
    answered(alice, "Who founded the observatory at Lake Ormund, please?")
    assert model.asked == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the capacity of pump P-101?", "What is the capacity of pump P-103?"),
        ("Who founded the observatory at Lake Ormund?", "Who founded the observatory at Lake Velmora?"),
        ("Who founded the observatory?", "When was the observatory founded?"),
        ("Which pumps leak?", "Which pumps do not leak?"),
        ("Who ruled before Henry VII?", "Who ruled after Henry VII?"),
        ("Who is the president?", "Who was the president?"),
        ("How many sacks did Jared Allen have?", "How many tackles did Jared Allen have?"),
        ("Did Denver defeat Carolina?", "Did Carolina defeat Denver?"),
        ("did denver defeat carolina?", "Did Carolina defeat Denver?"),
    ],
)
def test_what_asks_for_something_else_does_not_fit(one: str, other: str) -> None:
    assert not semantic.gist(one).fits(semantic.gist(other))
    assert not semantic.gist(other).fits(semantic.gist(one))


@pytest.mark.usefixtures("alike")
def test_a_near_miss_gets_an_answer_of_its_own(herons: Document, alice: User, model: Model) -> None:
    answered(alice)
    assert answered(alice, "Who founded the observatory at Lake Velmora?").abstained
    assert model.asked == 1  # what the question names is nowhere, so the model is not asked


def test_other_wordings_are_off_by_default(herons: Document, alice: User, model: Model) -> None:
    answered(alice)
    answered(alice, "who founded the observatory at lake ormund")
    assert model.asked == 2
    assert kept("semantic") == []


def test_only_so_many_questions_are_compared(
    herons: Document, alice: User, model: Model, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SEMANTIC_CACHE_THRESHOLD = 1.0
    monkeypatch.setattr(semantic, "MOST", 1)
    answered(alice)
    answered(alice, "How many herons breed there?")
    (key,) = kept("semantic")
    assert sparing.get_redis_connection("default").hlen(key) == 1
