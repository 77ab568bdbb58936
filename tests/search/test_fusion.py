"""Fusion: pure functions over the legs' lists."""

from __future__ import annotations

import pytest

from search.fusion import DEFAULT, Weights, convex, fuse, reciprocal_rank, standout
from search.types import Candidate, Legs, Signals


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


def alone(name: str, *scored: tuple[int, float]) -> Legs:
    return Legs({name: leg(*scored)})


def signals(*rows: tuple[int, float | None, float | None, float]) -> tuple[Signals, ...]:
    return tuple(Signals(pk, vector, keyword, document, {}) for pk, vector, keyword, document in rows)


def hybrid(keyword: list[Candidate], *rows: tuple[int, float | None, float | None, float]) -> Legs:
    return Legs({"vector": [], "keyword": keyword}, signals(*rows))


def order(legs: Legs, weights: Weights = DEFAULT) -> list[int]:
    return [entry.chunk_id for entry in fuse(legs, weights)]


def test_a_single_leg_keeps_its_order() -> None:
    ranked = fuse(alone("keyword", (3, 12.0), (4, 6.0)))
    assert [(entry.chunk_id, entry.score) for entry in ranked] == [(3, 1.0), (4, 0.0)]


@pytest.mark.parametrize("legs", [Legs({}), Legs({"vector": []}), Legs({"vector": [], "keyword": []})])
def test_nothing_in_nothing_out(legs: Legs) -> None:
    assert fuse(legs) == []


def test_equal_scores_count_fully_and_keep_the_order_of_ranks() -> None:
    ranked = fuse(alone("vector", (9, 0.5), (4, 0.5)))
    assert [(entry.chunk_id, entry.score) for entry in ranked] == [(9, 1.0), (4, 1.0)]


def test_a_word_that_only_one_passage_has_decides() -> None:
    near = [(n, 0.5 - n / 100, 0.0, 0.0) for n in range(1, 40)]
    assert order(hybrid([Candidate(99, 1, 7.0)], *near, (99, 0.2, 7.0, 0.0)))[0] == 99


def test_level_keyword_scores_leave_the_order_to_the_vectors() -> None:
    keyword = [Candidate(200 - n, n, 5.0 - n / 1000) for n in range(1, 51)]
    near = [(n, 0.9 - n / 100, None, 0.0) for n in range(1, 51)]
    worded = [(each.chunk_id, 0.1, each.score, 0.0) for each in keyword]
    assert order(hybrid(keyword, *near, *worded))[:3] == [1, 2, 3]


def test_between_passages_alike_the_document_that_is_named_decides() -> None:
    keyword = [Candidate(n, n, 5.0) for n in range(1, 21)]
    rows = [(n, 0.50 - n / 1000, 5.0, 1.0 if n == 9 else 0.0) for n in range(1, 21)]
    assert order(hybrid(keyword, *rows))[0] == 9


def test_where_words_stand_out_the_document_counts_for_nothing() -> None:
    keyword = [Candidate(1, 1, 20.0)]
    assert standout(keyword) == 1.0
    assert order(hybrid(keyword, (1, 0.3, 20.0, 0.0), (2, 0.4, 0.0, 1.0)))[0] == 1


def test_a_score_that_is_not_known_counts_as_the_least() -> None:
    level = [Candidate(n, n, 5.0) for n in range(1, 12)]
    legs = hybrid(level, (1, None, 5.0, 0.0), (2, 0.1, 5.0, 0.0), (3, 0.2, None, 0.0))
    scores = {entry.chunk_id: entry.score for entry in fuse(legs)}
    assert scores[1] == scores[2]
    assert scores[3] > scores[2]


def test_scores_stay_between_nothing_and_one() -> None:
    scores = [
        entry.score for entry in fuse(hybrid([Candidate(1, 1, 9.0)], (1, 0.9, 9.0, 1.0), (2, 0.1, 0.0, 0.0)))
    ]
    assert max(scores) <= 1.0
    assert min(scores) >= 0.0


def test_weights_that_were_learned_change_the_order() -> None:
    level = [Candidate(n, n, 5.0) for n in range(1, 12)]
    legs = hybrid(level, (1, 0.9, 0.0, 0.0), (2, 0.1, 5.0, 0.0))
    assert order(legs, Weights(keyword=0.1)) == [1, 2]
    assert order(legs, Weights(keyword=2.0)) == [2, 1]


def test_a_quotation_is_found_by_its_words() -> None:
    level = [Candidate(n, n, 5.0 - n / 100) for n in range(1, 12)]
    rows = signals((1, 0.2, 4.99, 0.0), (2, 0.9, 0.0, 1.0))
    candidates = {"vector": [], "keyword": level}
    assert order(Legs(candidates, rows, quoted=0.7)) == [2, 1]
    assert order(Legs(candidates, rows, quoted=1.0)) == [1, 2]
