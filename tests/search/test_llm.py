"""The language model generator, against a small server of the test's own."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from email.utils import formatdate
from typing import Any

import pytest

from search.exceptions import BrokenOff, CircuitOpen, GenerationFailed, RequestRefused
from search.generation import client, llm, retrying
from search.generation.breaker import breaker
from search.tokens import of_messages
from search.types import DraftSentence, GenerationRequest, Piece, Prompted, Token, Used, Waiting
from tests.search.examples import TRAMS, a_source
from tests.search.language_model import Model, serving

REQUEST = GenerationRequest("Who founded it?", (a_source(1), a_source(2, TRAMS)))


@pytest.fixture
def model(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    monkeypatch.setattr(retrying, "FIRST_PAUSE_SECONDS", 0.01)
    with serving(Model()) as served:
        settings.LLM_BASE_URL, settings.LLM_MODEL, settings.LLM_API_KEY = served.url, "tiny", "key"
        settings.LLM_TIMEOUT_SECONDS = settings.LLM_FIRST_TOKEN_SECONDS = 5
        yield served
        client.hang_up()
        breaker.reset()


def spoken(model: Model, *pieces: str) -> list[Piece]:
    """All but the silences."""
    model.pieces = list(pieces)
    return [piece for piece in llm.LLMGenerator().generate(REQUEST) if not isinstance(piece, Waiting)]


def drafts(pieces: list[Piece]) -> list[DraftSentence]:
    return [piece for piece in pieces if isinstance(piece, DraftSentence)]


def said(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Token))


# --- Sentences and marks


def test_sentences_are_cut_from_the_stream_with_their_marks(model: Model) -> None:
    pieces = spoken(
        model, "Lindqvist founded", " it [1", "]. It fish", "es at dusk.", " [2][1]", " So", " be it."
    )
    assert drafts(pieces) == [
        DraftSentence("Lindqvist founded it.", cited=(1,)),
        DraftSentence("It fishes at dusk.", cited=(2, 1)),
        DraftSentence("So be it.", cited=()),
    ]
    assert said(pieces) == "Lindqvist founded it [1]. It fishes at dusk. [2][1] So be it."


def test_a_sentence_comes_as_soon_as_the_next_begins(model: Model) -> None:
    kinds = [type(piece).__name__ for piece in spoken(model, "One thing [1]. ", "Another ", "thing [2].")]
    assert kinds == ["Prompted", "Token", "Token", "DraftSentence", "Token", "DraftSentence", "Used"]


@pytest.mark.parametrize(
    ("written", "cited"),
    [
        ("It fishes [9], [1, 2].", (1, 2)),
        ("It fishes [0][source 2].", (2,)),
        ("It fishes [12345][x][].", ()),
        ("It fishes [1.", ()),
    ],
)
def test_marks_that_name_no_source_are_no_citations(
    model: Model, written: str, cited: tuple[int, ...]
) -> None:
    (draft,) = drafts(spoken(model, written))
    assert draft.cited == cited


@pytest.mark.parametrize("pieces", [("NO ANSWER",), ("NO", " ANS", "WER."), (" no answer\n",)])
def test_the_refusal_is_no_sentence_and_is_never_shown(model: Model, pieces: tuple[str, ...]) -> None:
    kinds = [type(piece) for piece in spoken(model, *pieces)]
    assert kinds == [Prompted, Used]


@pytest.mark.parametrize(
    ("pieces", "first"),
    [
        (("No", " heron", " sings [1]."), "No heron"),
        (("No", "."), "No."),
        (("Цапли", " ловят рыбу [1]."), "Цапли"),
        (("1904", "."), "1904"),
    ],
)
def test_words_that_are_not_the_refusal_are_shown_at_once(
    model: Model, pieces: tuple[str, ...], first: str
) -> None:
    spoken_pieces = spoken(model, *pieces)
    assert spoken_pieces[1] == Token(first)
    assert len(drafts(spoken_pieces)) == 1


# --- The request


def test_the_request_carries_model_and_fenced_sources(model: Model) -> None:
    first = spoken(model, "Yes [1].")[0]
    (sent,) = model.requests
    assert sent["model"] == "tiny"
    assert re.search(r"<<<[0-9a-f]{16} source \[2\] begins>>>", sent["messages"][-1]["content"])
    assert first == Prompted(tuple(sent["messages"]))


def test_parameters_that_a_server_refuses_are_left_out_from_then_on(model: Model) -> None:
    model.unknown = {"max_tokens", "temperature"}
    for _ in range(2):
        assert drafts(spoken(model, "Yes [1]."))
    assert len(model.requests) == 4
    sent = model.requests[-1]
    assert sent["max_completion_tokens"] == 500
    assert not sent.keys() & model.unknown


def test_tokens_are_those_that_the_server_counted(model: Model) -> None:
    model.usage = (321, 7)
    assert spoken(model, "Yes [1].")[-1] == Used(321, 7)


def test_tokens_are_estimated_where_the_server_counts_none(model: Model) -> None:
    first, *_, last = spoken(model, "Yes [1].")
    assert isinstance(first, Prompted)
    assert last == Used(of_messages(first.messages), 7, estimated=True)


def test_the_first_word_is_passed_on_before_there_is_a_second(model: Model) -> None:
    model.pieces, model.stall_after = ["Herons", " fish."], 1
    began = time.monotonic()
    with closing(llm.LLMGenerator().generate(REQUEST)) as pieces:  # type: ignore[type-var]
        assert next(piece for piece in pieces if isinstance(piece, Token)) == Token("Herons")
    assert time.monotonic() - began < 2


# --- Faults


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_refused_request_is_not_tried_again(model: Model, status: int) -> None:
    model.status = status
    with pytest.raises(GenerationFailed) as caught:
        spoken(model)
    assert isinstance(caught.value, RequestRefused) == (status in {400, 422})
    assert len(model.requests) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_passes_is_tried_again(model: Model, status: int) -> None:
    model.first = [status, status]
    assert drafts(spoken(model, "Yes [1]."))
    assert len(model.requests) == 3


def test_three_tries_are_all(model: Model) -> None:
    model.status = 500
    with pytest.raises(GenerationFailed, match="InternalServerError"):
        spoken(model)
    assert len(model.requests) == 3


@pytest.mark.parametrize("asked", ["0.6", "date"])
def test_the_pause_that_the_server_asks_for_is_made(model: Model, asked: str) -> None:
    model.first = [429]
    model.retry_after = formatdate(time.time() + 2, usegmt=True) if asked == "date" else asked
    assert drafts(spoken(model, "Yes [1]."))
    came, again = model.came
    assert 0.5 < again - came < 2.5


def test_a_pause_that_is_too_long_is_not_waited_for(model: Model) -> None:
    model.first, model.retry_after = [503], "3600"
    began = time.monotonic()
    with pytest.raises(GenerationFailed):
        spoken(model, "Yes [1].")
    assert time.monotonic() - began < 2
    assert len(model.requests) == 1


def test_pauses_grow_and_differ() -> None:
    error = BrokenOff()
    first = {retrying.pause_before_retry(error, 1) for _ in range(20)}
    third = {retrying.pause_before_retry(error, 3) for _ in range(20)}
    assert len(first) > 1
    assert None not in first | third
    assert max(filter(None, first)) <= 0.5
    assert min(filter(None, third)) >= 1.0


def test_no_text_at_all_is_a_generation_that_failed(model: Model) -> None:
    with pytest.raises(GenerationFailed, match="no text"):
        spoken(model)


def test_a_server_that_is_not_there(settings: Any, monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
    settings.LLM_BASE_URL = "http://127.0.0.1:9/v1"
    with pytest.raises(GenerationFailed, match="APIConnectionError"):
        spoken(model)


def test_what_breaks_off_before_its_first_word_is_tried_again(model: Model) -> None:
    model.cut_after = 0
    with pytest.raises(BrokenOff):
        spoken(model, "Yes [1].")
    assert len(model.requests) == 3


def test_what_breaks_off_later_is_not_and_hands_over_what_it_has(model: Model) -> None:
    model.pieces, model.cut_after = ["Yes [1]. ", "And ", "more"], 2
    got: list[Piece] = []
    with pytest.raises(BrokenOff):
        got.extend(llm.LLMGenerator().generate(REQUEST))
    assert len(model.requests) == 1
    assert drafts(got) == [DraftSentence("Yes.", cited=(1,))]
    assert isinstance(got[-1], Used)
    assert got[-1].estimated


def test_nonsense_instead_of_a_stream(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "text_of", lambda chunk: chunk.nonsense)
    with pytest.raises(GenerationFailed, match="AttributeError"):
        spoken(model, "Yes [1].")


def test_a_late_first_word_is_waited_for(model: Model) -> None:
    model.first_pause = 0.5
    model.pieces = ["Yes [1]."]
    got = list(llm.LLMGenerator().generate(REQUEST))
    assert got.count(Waiting()) >= 3
    assert drafts(got)


def test_a_first_word_that_is_too_late_is_not(model: Model, settings: Any) -> None:
    settings.LLM_FIRST_TOKEN_SECONDS, model.first_pause = 1, 4.0
    began = time.monotonic()
    with pytest.raises(GenerationFailed, match="too long"):
        spoken(model, "Yes [1].")
    assert time.monotonic() - began < 2
    assert len(model.requests) == 1


def test_a_model_that_never_ends_is_cut_off(model: Model, settings: Any) -> None:
    settings.LLM_TIMEOUT_SECONDS = 1
    model.pause = 0.2
    with pytest.raises(GenerationFailed, match="too long"):
        spoken(model, *["word "] * 30)


def test_a_model_that_fails_again_and_again_is_left_alone(model: Model) -> None:
    model.status = 401
    for _ in range(3):
        with pytest.raises(GenerationFailed):
            spoken(model)
    model.status = 200
    with pytest.raises(CircuitOpen):
        spoken(model, "Yes [1].")
    assert len(model.requests) == 3


# --- Stopping


def test_who_closes_the_answer_hangs_up_on_a_silent_model(model: Model) -> None:
    model.pieces, model.stall_after = ["Herons", " fish."], 1
    with closing(llm.LLMGenerator().generate(REQUEST)) as pieces:  # type: ignore[type-var]
        next(piece for piece in pieces if isinstance(piece, Token))
        assert model.silent.wait(5)
        closed = time.monotonic()
    wait_until(lambda: model.hung_up)
    assert model.hung_up[0] - closed < 1


def test_who_closes_it_before_the_first_word_hangs_up_too(model: Model) -> None:
    model.pieces, model.stall_after = ["Herons"], 0
    with closing(llm.LLMGenerator().generate(REQUEST)) as pieces:  # type: ignore[type-var]
        next(piece for piece in pieces if isinstance(piece, Waiting))
        assert model.silent.wait(5)
        closed = time.monotonic()
    wait_until(lambda: model.hung_up)
    assert model.hung_up[0] - closed < 1
    assert breaker.closed


def wait_until(there: Any, seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not there() and time.monotonic() < until:
        time.sleep(0.01)
    assert there()
