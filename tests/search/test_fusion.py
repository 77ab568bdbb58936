"""Fusion: pure functions over the legs' lists."""

from __future__ import annotations

import pytest

from search.fusion import convex, fuse, reciprocal_rank
from search.types import Candidate


def leg(*scored: tuple[int, float]) -> list[Candidate]:
    return [Candidate(pk, rank, score) for rank, (pk, score) in enumerate(scored, 1)]


LEGS = {"vector": leg((1, 0.9), (2, 0.5), (3, 0.1)), "keyword": leg((3, 12.0), (4, 6.0))}


def test_convex_weighs_normalised_scores_and_counts_missing_as_zero() -> None:
    scores = {ranked.chunk_id: ranked.score for ranked in convex(LEGS, 0.7)}
    assert scores == pytest.approx({1: 0.7, 2: 0.35, 3: 0.3, 4: 0.0})


def test_convex_orders_best_first_and_remembers_the_ranks() -> None:
    ranked = convex(LEGS, 0.7)
    assert [entry.chunk_id for entry in ranked] == [1, 2, 3, 4]
    assert ranked[2].ranks == {"vector": 3, "keyword": 1}


def test_reciprocal_rank_adds_over_the_legs() -> None:
    ranked = reciprocal_rank(LEGS, k=60)
    assert ranked[0].chunk_id == 3
    assert ranked[0].score == pytest.approx(1 / 63 + 1 / 61, abs=1e-6)


def test_a_single_leg_keeps_its_order() -> None:
    assert [entry.chunk_id for entry in fuse({"keyword": LEGS["keyword"]})] == [3, 4]
    assert fuse({"keyword": LEGS["keyword"]})[0].score == 1.0


@pytest.mark.parametrize("legs", [{}, {"vector": []}, {"vector": [], "keyword": []}])
def test_nothing_in_nothing_out(legs: dict[str, list[Candidate]]) -> None:
    assert fuse(legs) == []


def test_equal_scores_count_fully_and_keep_the_order_of_ranks() -> None:
    ranked = fuse({"vector": leg((9, 0.5), (4, 0.5))})
    assert [(entry.chunk_id, entry.score) for entry in ranked] == [(9, 1.0), (4, 1.0)]


def test_a_word_that_only_one_passage_has_decides() -> None:
    vector = [Candidate(n, n, 0.5 - n / 100) for n in range(1, 51)]
    fused = fuse({"vector": vector, "keyword": [Candidate(99, 1, 7.0)]})
    assert fused[0].chunk_id == 99


def test_level_keyword_scores_leave_the_order_to_the_vectors() -> None:
    vector = [Candidate(n, n, 0.5 - n / 100) for n in range(1, 51)]
    keyword = [Candidate(200 - n, n, 5.0 - n / 1000) for n in range(1, 51)]
    assert [entry.chunk_id for entry in fuse({"vector": vector, "keyword": keyword})[:3]] == [1, 2, 3]
