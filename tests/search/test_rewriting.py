"""Follow-up questions become questions that stand for themselves, by the model or by the rule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from search import rewriting
from search.anaphora import names, resolved
from search.generation import client
from search.generation.breaker import breaker
from search.rewriting import standalone
from search.types import Turn
from tests.search.language_model import Model, serving

LAKE = Turn("Who founded the observatory at Lake Ormund?", "Anders Lindqvist founded it in 1923.")
TRAM = Turn("When did the tram network of Velmora open?", "It opened in 1904.")
PUMP = Turn("What is the capacity of pump P-101?", "40 litres.")
PAIRS = Turn("How many pairs nested in 1987?", "214.")


# --- The rule


@pytest.mark.parametrize(
    ("before", "question", "expected"),
    [
        (LAKE, "When was it built?", "When was the observatory at Lake Ormund built?"),
        (LAKE, "When was he born?", "When was Anders Lindqvist born?"),
        (TRAM, "How long are its rails?", "How long are the tram network of Velmora’s rails?"),
        (TRAM, "And when did they close?", "when did the tram network of Velmora close?"),
        (TRAM, "Since when has this company served?", "(the tram network of Velmora)"),
        (TRAM, "What about Ormund?", "When did the tram network of Ormund open?"),
        (PUMP, "And P-102?", "What is the capacity of pump P-102?"),
        (PUMP, "How about that of P-102?", "What is the capacity of pump P-102?"),
        (PAIRS, "And in 1988?", "How many pairs nested in 1988?"),
        (LAKE, "And when?", "Who founded the observatory at Lake Ormund? And when?"),
        (TRAM, "And the depot?", "When did the tram network of Velmora open? And the depot?"),
        (TRAM, "Why?", "When did the tram network of Velmora open? Why?"),
        (
            Turn("What does the report say?", ""),
            "What does it conclude?",
            "What does the report say? What does",
        ),
        (Turn("Did Lindqvist, or Berg, build?", ""), "When did they?", "When did they? (Lindqvist, Berg)"),
    ],
)
def test_what_is_left_out_is_carried_over(before: Turn, question: str, expected: str) -> None:
    assert expected in resolved(question, [before])


@pytest.mark.parametrize(
    "question",
    [
        "Who is Ida Berg?",
        "What is the capital of Zorbonia?",
        "How long are the rails that lead to the harbour?",
        "Lake Ormund is where?",
    ],
)
def test_what_stands_for_itself_is_left_alone(question: str) -> None:
    assert resolved(question, [TRAM]) == question
    assert resolved(question, []) == question


def test_an_opening_word_before_a_whole_question_is_dropped() -> None:
    asked = "And what is the capital of Zorbonia?"
    assert resolved(asked, [TRAM]) == "What is the capital of Zorbonia?"


def test_names_are_carried_through_a_conversation() -> None:
    history = [LAKE, Turn("And when?", "In 1923."), Turn("How many work there?", "Eleven.")]
    assert resolved("Who runs it now?", history) == "Who runs the observatory at Lake Ormund now?"


def test_names_of_several_words() -> None:
    text = "Anders Lindqvist of Velmora founded the Bank of England. Grey herons fish on Line 7, in 1923."
    assert [name.text for name in names(text)] == [
        "Anders Lindqvist of Velmora",
        "Bank of England",
        "Line 7",
        "1923",
    ]


# --- The model


@pytest.fixture
def model(settings: Any) -> Iterator[Model]:
    with serving(Model()) as served:
        settings.LLM_BASE_URL, settings.LLM_MODEL = served.url, "tiny"
        yield served
        client.hang_up()
        breaker.reset()


@pytest.mark.parametrize(
    "pieces", [["When was the ", "observatory built", "?"], ["Question: When was the observatory built?"]]
)
def test_a_model_rewrites(model: Model, db: None, pieces: list[str]) -> None:
    model.pieces = pieces
    assert standalone("When was it built?", [LAKE]) == "When was the observatory built?"
    (sent,) = model.requests
    assert sent["max_tokens"] == rewriting.TOKENS
    assert "Who founded the observatory" in sent["messages"][-1]["content"]


def test_a_first_question_is_not_rewritten(model: Model) -> None:
    assert standalone(" When was it\nbuilt? ", []) == "When was it built?"
    assert not model.requests


@pytest.mark.parametrize(
    "written", ["It was built in 1923.", "What about pump 101?", "P-102 " * 400, "  \n", "[1]"]
)
def test_a_rewriting_that_is_none_gives_way_to_the_rule(model: Model, db: None, written: str) -> None:
    model.pieces = [written]
    assert standalone("And P-102?", [PUMP]) == "What is the capacity of pump P-102?"


@pytest.mark.parametrize("fault", [{"status": 500}, {"cut_after": 1}, {"stall_after": 1}])
def test_a_model_that_fails_gives_way_to_the_rule(
    model: Model, db: None, monkeypatch: pytest.MonkeyPatch, fault: dict[str, int]
) -> None:
    monkeypatch.setattr(rewriting, "SECONDS", 0.5)
    model.pieces = ["When was ", "P-102"]
    for name, value in fault.items():
        setattr(model, name, value)
    began = time.monotonic()
    assert standalone("And P-102?", [PUMP]) == "What is the capacity of pump P-102?"
    assert time.monotonic() - began < 2
    assert len(model.requests) == 1
    assert breaker.closed


def test_a_stop_does_not_wait_for_it(model: Model, db: None) -> None:
    model.pieces, model.stall_after = ["When"], 0
    began = time.monotonic()
    standalone("And P-102?", [PUMP], model.silent.is_set)
    assert time.monotonic() - began < 1.5


def test_a_model_that_is_left_alone_is_not_asked(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(breaker), "closed", False)
    assert standalone("And P-102?", [PUMP]) == "What is the capacity of pump P-102?"
    assert not model.requests
