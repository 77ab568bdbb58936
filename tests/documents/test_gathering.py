"""Threads that want encodings at once share the model's calls; each gets its own answer, or its own error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from documents.embedding import queries, registry, weights
from documents.embedding.base import Encoding
from documents.embedding.gathering import Gathering
from documents.exceptions import EmbeddingUnavailable

MODEL = weights.PACKAGED_MODEL
QUERIES = [f"What does herons number {number} eat {'at dawn ' * (number % 3)}?" for number in range(12)]


class Gate:
    """A model that stands still in its first call until it is let go."""

    def __init__(self, encode: Callable[[Sequence[str]], list[Encoding]]) -> None:
        self.encode, self.calls = encode, list[list[str]]()
        self.is_in, self.go = threading.Event(), threading.Event()

    def __call__(self, texts: Sequence[str]) -> list[Encoding]:
        self.calls.append(list(texts))
        self.is_in.set()
        assert self.go.wait(20)
        return self.encode(texts)


def all_at_once(gathering: Gathering, gate: Gate, texts: Sequence[str]) -> list[Future[Encoding]]:
    """The first text is with the model when the others come."""
    with ThreadPoolExecutor(len(texts)) as pool:
        asked = [pool.submit(gathering.encode, texts[0])]
        assert gate.is_in.wait(20)
        asked += [pool.submit(gathering.encode, text) for text in texts[1:]]
        while len(gathering._wanted) < len(set(texts)):
            time.sleep(0.005)
        gate.go.set()
    return asked


def fake(texts: Sequence[str]) -> list[Encoding]:
    if "poison" in texts:
        raise ValueError("this text cannot be encoded")
    return [Encoding(np.full(2, len(text), dtype=np.float32), np.zeros((1, 2), np.float32)) for text in texts]


def test_those_who_come_while_the_model_works_are_one_call() -> None:
    model = registry.get_embedder(MODEL)
    gate = Gate(model.encode)
    asked = all_at_once(Gathering(gate, 16), gate, QUERIES)
    assert [len(call) for call in gate.calls] == [1, len(QUERIES) - 1]
    for text, each in zip(QUERIES, asked, strict=True):
        alone = model.encode([text])[0]
        assert float(each.result().vector @ alone.vector) > 0.97
        assert each.result().tokens.shape == alone.tokens.shape


def test_a_call_takes_no_more_than_it_may() -> None:
    gate = Gate(fake)
    asked = all_at_once(Gathering(gate, 4), gate, QUERIES)
    assert [len(call) for call in gate.calls] == [1, 4, 4, 3]
    assert [int(each.result().vector[0]) for each in asked] == [len(text) for text in QUERIES]


def test_the_same_text_is_encoded_once() -> None:
    gate = Gate(fake)
    asked = all_at_once(Gathering(gate, 8), gate, ["heron"] * 6 + ["stork"])
    assert gate.calls == [["heron"], ["stork"]]
    assert len({id(each.result()) for each in asked[:6]}) == 1


def test_a_bad_text_fails_alone() -> None:
    gate = Gate(fake)
    asked = all_at_once(Gathering(gate, 8), gate, ["first", "poison", "good", "better"])
    assert isinstance(asked[1].exception(), ValueError)
    assert [each.exception() for each in (asked[0], *asked[2:])] == [None] * 3


def test_a_model_that_is_not_there_is_not_tried_for_each() -> None:
    def missing(texts: Sequence[str]) -> list[Encoding]:
        raise EmbeddingUnavailable("no file")

    gate = Gate(missing)
    asked = all_at_once(Gathering(gate, 8), gate, ["a", "b", "c"])
    assert all(isinstance(each.exception(), EmbeddingUnavailable) for each in asked)
    assert len(gate.calls) == 2


def test_a_lone_query_goes_at_once_and_nothing_of_it_stays() -> None:
    gathering = Gathering(fake, 8)
    assert int(gathering.encode("heron").vector[0]) == 5
    with pytest.raises(ValueError, match="cannot be encoded"):
        gathering.encode("poison")
    assert gathering._wanted == {}


def test_a_thread_that_is_killed_leaves_the_model_to_the_others() -> None:
    def interrupted(texts: Sequence[str]) -> list[Encoding]:
        if len(gate.calls) == 1:
            raise KeyboardInterrupt
        return fake(texts)

    gate = Gate(interrupted)
    gathering = Gathering(gate, 8)
    first, second = all_at_once(gathering, gate, ["first", "second"])
    assert isinstance(first.exception(), KeyboardInterrupt)
    assert int(second.result().vector[0]) == 6


def test_queries_of_several_threads_are_gathered(monkeypatch: Any) -> None:
    gate = Gate(registry.get_embedder(MODEL).encode)
    monkeypatch.setattr(queries, "gathering", lambda model: gathering)
    gathering = Gathering(gate, queries.MOST_AT_ONCE)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(queries.encode_query, MODEL, QUERIES[0])]
        assert gate.is_in.wait(20)
        asked += [pool.submit(queries.encode_query, MODEL, text) for text in QUERIES[1:4]]
        while len(gathering._wanted) < 4:
            time.sleep(0.005)
        gate.go.set()
    assert len(gate.calls) == 2
    assert queries.encode_query(MODEL, QUERIES[3]).vector.tobytes() == asked[3].result().vector.tobytes()
    assert len(gate.calls) == 2
