"""Answers by a language model, from the question to what is stored: faults, stopping, the receipt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from documents.models import Collection, Document
from search import answers, pipeline
from search.conversations import earlier, told
from search.generation import client, retrying
from search.generation.breaker import breaker
from search.metrics import llm_tokens_total
from search.models import Answer
from search.representation import answer_json
from search.types import Outcome, Sentence, Token
from tests.search.examples import HERONS
from tests.search.language_model import Model, serving

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "Who founded the observatory at Lake Ormund?"
TRUE = "Anders Lindqvist founded the observatory in 1923 [1]."


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, HERONS, title="Herons")


@pytest.fixture
def model(settings: Any, herons: Document, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    monkeypatch.setattr(retrying, "FIRST_PAUSE_SECONDS", 0.01)
    with serving(Model()) as served:
        settings.LLM_BASE_URL, settings.LLM_MODEL = served.url, "tiny"
        yield served
        client.hang_up()
        breaker.reset()


def answered(user: User, question: str = QUESTION, **given: Any) -> Answer:
    return answers.wait(answers.ask(user=user, question=question, **given))


def wait_until(there: Callable[[], Any], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not there() and time.monotonic() < until:
        time.sleep(0.02)
    assert there()


# --- Stopping


def said(answer: Answer) -> str:
    try:
        return "".join(answer.events.filter(type="token").values_list("payload__text", flat=True))
    finally:
        connection.close()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_stop_hangs_up_on_a_silent_model_within_a_second(
    model: Model, alice: User, elsewhere: bool
) -> None:
    model.pieces, model.stall_after = [f"{TRUE} ", "Grey herons ", "fish ", "at dusk [1]."], 3
    answer = answers.ask(user=alice, question=QUESTION)
    assert model.silent.wait(20)
    wait_until(lambda: said(answer).endswith("fish "))
    asked = time.monotonic()
    if elsewhere:  # another process leaves its wish in the row
        Answer.objects.filter(pk=answer.pk).update(stop_requested=True)
    else:
        answers.stop(answer=answer)
    wait_until(lambda: model.hung_up)
    assert model.hung_up[0] - asked < 1.0
    ended = answers.wait(answer, 10)
    assert ended.state == Answer.State.STOPPED
    assert ended.text == "Anders Lindqvist founded the observatory in 1923. Grey herons fish"
    assert "fallback" not in ended.settings


def test_a_stop_before_the_first_word(model: Model, alice: User) -> None:
    model.pieces, model.stall_after = [TRUE], 0
    answer = answers.ask(user=alice, question=QUESTION)
    assert model.silent.wait(20)
    asked = time.monotonic()
    answers.stop(answer=answer)
    wait_until(lambda: model.hung_up)
    assert model.hung_up[0] - asked < 1.0
    ended = answers.wait(answer, 10)
    assert (ended.state, ended.text) == (Answer.State.STOPPED, "")


# --- Faults


def test_when_the_model_is_away_quotes_answer_and_say_so(
    model: Model, alice: User, api: Callable[[User], APIClient], client: Client
) -> None:
    model.status = 401
    answer = answered(alice)
    assert "Lindqvist" in answer.text
    shown = api(alice).get(f"/api/v1/answers/{answer.pk}/").json()
    assert shown["fallback"].startswith("The language model did not answer.")
    assert shown["settings"]["fallback"].endswith("AuthenticationError.")
    client.force_login(alice)
    page = client.get(f"/ask/{answer.pk}/").content.decode()
    assert shown["fallback"] in page


def test_when_the_model_breaks_off_what_stands_is_kept_and_said(model: Model, alice: User) -> None:
    model.pieces, model.cut_after = [f"{TRUE} ", "And ", "more."], 2
    shown = answer_json(answered(alice), alice)
    assert shown["answer"] == "Anders Lindqvist founded the observatory in 1923."
    assert shown["fallback"].startswith("The language model broke off.")


def test_an_answer_without_a_fault_has_no_note(model: Model, alice: User) -> None:
    model.pieces = [TRUE]
    assert answer_json(answered(alice), alice)["fallback"] is None


def test_a_model_that_is_left_alone_costs_no_time(model: Model, alice: User) -> None:
    model.status = 401
    for _ in range(3):
        pipeline.answer(question=QUESTION, user=alice)
    assert len(model.requests) == 3
    outcome = pipeline.answer(question=QUESTION, user=alice)
    assert len(model.requests) == 3
    assert "left alone" in outcome.settings["fallback"]
    assert "Lindqvist" in outcome.text


# --- The receipt


def test_the_receipt_holds_prompt_and_tokens(model: Model, alice: User) -> None:
    before = tokens("prompt"), tokens("completion")
    model.pieces, model.usage = [TRUE], (400, 12)
    outcome = pipeline.answer(question=QUESTION, user=alice)
    assert outcome.receipt["standalone"] == QUESTION
    assert outcome.receipt["prompt"] == model.requests[0]["messages"]
    assert outcome.receipt["tokens"] == {"prompt": 400, "completion": 12, "estimated": False}
    assert (tokens("prompt"), tokens("completion")) == (before[0] + 400, before[1] + 12)


def tokens(kind: str) -> float:
    return llm_tokens_total.labels(kind)._value.get()


def test_a_stopped_answer_has_estimated_tokens(model: Model, alice: User) -> None:
    model.pieces, model.stall_after = ["Grey herons ", "fish"], 1
    told: list[Any] = []
    told.extend(
        pipeline.answer_pieces(
            question=QUESTION,
            user=alice,
            should_stop=lambda: any(isinstance(step, Token) for step in told),
        )
    )
    outcome = told.pop()
    assert isinstance(outcome, Outcome)
    assert outcome.stopped
    assert outcome.receipt["tokens"]["estimated"]
    assert outcome.receipt["tokens"]["completion"] > 0
    assert [step.text for step in told if isinstance(step, Token | Sentence)] == [
        "Grey herons ",
        "Grey herons",
    ]


def test_passages_are_looked_for_by_the_rewritten_question(model: Model, alice: User) -> None:
    first = answered(alice)
    model.pieces = ["When was the observatory at Lake Ormund founded?"]
    outcome = pipeline.answer(
        question="And when?", user=alice, history=told(earlier(first.conversation, alice), alice)
    )
    assert outcome.receipt["standalone"] == model.pieces[0]
    rewriting, answering = [request["messages"][-1]["content"] for request in model.requests[-2:]]
    assert rewriting.endswith("Last question: And when?")
    assert answering.endswith("Question: And when?")
