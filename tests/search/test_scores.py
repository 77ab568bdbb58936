"""Measures, against figures worked out by hand."""

from __future__ import annotations

import math

import pytest

from search.scores import (
    exact_match,
    ndcg,
    percentile,
    recall_at,
    reciprocal_rank,
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
