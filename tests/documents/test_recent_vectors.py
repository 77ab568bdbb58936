"""Vectors that a process has computed lately."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from documents.embedding.recent import RecentVectors

asked: list[list[str]] = []


def embed(texts: Sequence[str]) -> np.ndarray:
    asked.append(list(texts))
    return np.array([[len(text), ord(text[0])] for text in texts], dtype=np.float32)


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    asked.clear()


def test_only_new_texts_are_embedded_and_all_come_in_order() -> None:
    recent = RecentVectors(10)
    recent.embed("a", ["heron", "tram"], embed)
    found = recent.embed("a", ["bread", "heron", "bread", "tram"], embed)
    assert asked == [["heron", "tram"], ["bread"]]
    assert found.tolist() == [[5, ord("b")], [5, ord("h")], [5, ord("b")], [4, ord("t")]]


def test_other_weights_make_other_vectors() -> None:
    recent = RecentVectors(10)
    recent.embed("a", ["heron"], embed)
    recent.embed("b", ["heron"], embed)
    assert len(asked) == 2


def test_what_was_wanted_longest_ago_goes_first() -> None:
    recent = RecentVectors(2)
    for texts in (["heron", "tram"], ["heron"], ["bread"]):
        recent.embed("a", texts, embed)
    asked.clear()
    recent.embed("a", ["heron", "bread", "tram"], embed)
    assert asked == [["tram"]]
    assert recent.embed("a", ["one", "two", "three"], embed).shape == (3, 2), "more than are kept"


def test_what_fails_keeps_nothing() -> None:
    recent = RecentVectors(2)

    def failing(texts: Sequence[str]) -> np.ndarray:
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError):
        recent.embed("a", ["heron"], failing)
    assert recent.embed("a", ["heron"], embed).tolist() == [[5, ord("h")]]
