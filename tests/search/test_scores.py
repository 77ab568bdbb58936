"""Measures, against figures worked out by hand."""

from __future__ import annotations

import math

import pytest

from search.scores import (
    bootstrap_interval,
    exact_match,
    ndcg,
    percentile,
    recall_at,
    reciprocal_rank,
    retrieval_intervals,
    retrieval_scores,
    token_f1,
)

RANKED = ["b", "a", "x", "c"]


def test_recall_counts_the_share_of_the_relevant() -> None:
    assert recall_at(RANKED, {"a", "c"}, 1) == 0
    assert recall_at(RANKED, {"a", "c"}, 2) == 0.5
    assert recall_at(RANKED, {"a", "c"}, 5) == 1


def test_reciprocal_rank_is_of_the_first_relevant_one() -> None:
    assert reciprocal_rank(RANKED, {"a", "c"}) == 0.5
    assert reciprocal_rank(RANKED, {"z"}) == 0


def test_ndcg_discounts_by_the_logarithm_of_the_rank() -> None:
    got = 1 / math.log2(3) + 1 / math.log2(5)
    assert ndcg(RANKED, {"a", "c"}) == pytest.approx(got / (1 + 1 / math.log2(3)))
    assert ndcg(["a", "c"], {"a", "c"}) == 1


def test_no_questions_no_figures() -> None:
    assert set(retrieval_scores([]).values()) == {None}


def test_f1_and_exact_match_ignore_articles_case_and_punctuation() -> None:
    assert exact_match("The Tram!", "tram") == 1
    assert token_f1("in the year 1904", "1904") == pytest.approx(0.5)
    assert token_f1("", "1904") == 0


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentile([3, 1, 2, 4], 0.5) == 2
    assert percentile([], 0.5) is None


def test_the_interval_holds_the_mean_and_narrows_with_more_values() -> None:
    few, many = [0.0, 1.0] * 10, [0.0, 1.0] * 500
    low, high = bootstrap_interval(few)
    assert low < 0.5 < high
    closer = bootstrap_interval(many)
    assert low < closer[0] < 0.5 < closer[1] < high
    # Of a share of one half of 1,000, by the normal approximation: ± 1.96 × √(.25 / 1000).
    assert closer == pytest.approx((0.469, 0.531), abs=0.004)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [0.1, 0.5, 0.9, 0.2, 1.0]
    assert bootstrap_interval(values, 3) == bootstrap_interval(values, 3)
    assert bootstrap_interval(values, 3) != bootstrap_interval(values, 4)


def test_values_that_are_all_alike_leave_no_doubt_and_none_leave_nothing() -> None:
    assert bootstrap_interval([0.25] * 7) == (0.25, 0.25)
    assert bootstrap_interval([]) is None
    assert set(retrieval_intervals([]).values()) == {None}


def test_each_measure_has_its_interval() -> None:
    rankings = [(RANKED, {"b"}), (RANKED, {"z"})]
    intervals = retrieval_intervals(rankings)
    assert intervals.keys() == retrieval_scores(rankings).keys()
    assert intervals["recall@1"] == (0.0, 1.0)
