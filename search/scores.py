"""Measures of retrieval and answers. Pure functions; definitions as in the literature."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence

ARTICLES = re.compile(r"\b(?:a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)

RECALL_AT = (1, 5, 10, 20)
CUT = 10
RESAMPLES = 2000
#: The middle 95 of 100 resampled means.
PERCENTILES = (2.5, 97.5)
SEED = 0

#: What was ranked, best first and each item once, and what of it is relevant.
Ranking = tuple[Sequence[Hashable], Collection[Hashable]]
Interval = tuple[float, float]


def recall_at(ranked: Sequence[Hashable], relevant: Collection[Hashable], k: int) -> float:
    """The share of what is relevant that stands among the first ``k``."""
    return len(set(ranked[:k]) & set(relevant)) / len(set(relevant))


def reciprocal_rank(ranked: Sequence[Hashable], relevant: Collection[Hashable], k: int = CUT) -> float:
    """1 / rank of the first relevant one, 0 behind ``k``."""
    return next((1 / rank for rank, item in enumerate(ranked[:k], 1) if item in relevant), 0.0)


def ndcg(ranked: Sequence[Hashable], relevant: Collection[Hashable], k: int = CUT) -> float:
    """Normalised discounted cumulative gain with binary gains."""
    gain = sum(1 / math.log2(rank + 1) for rank, item in enumerate(ranked[:k], 1) if item in relevant)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(len(set(relevant)), k) + 1))
    return gain / best


def measured(rankings: Sequence[Ranking]) -> dict[str, list[float]]:
    """Each measure of each ranking, in their order."""
    return {
        **{
            f"recall@{k}": [recall_at(ranked, relevant, k) for ranked, relevant in rankings]
            for k in RECALL_AT
        },
        f"mrr@{CUT}": [reciprocal_rank(ranked, relevant) for ranked, relevant in rankings],
        f"ndcg@{CUT}": [ndcg(ranked, relevant) for ranked, relevant in rankings],
    }


def retrieval_scores(rankings: Sequence[Ranking]) -> dict[str, float | None]:
    """Means over the rankings; None when there are none."""
    return {name: mean(values) for name, values in measured(rankings).items()}


def retrieval_intervals(rankings: Sequence[Ranking], seed: int = SEED) -> dict[str, Interval | None]:
    """How far those means carry: ``bootstrap_interval`` of each measure."""
    return {name: bootstrap_interval(values, seed) for name, values in measured(rankings).items()}


def bootstrap_interval(values: Sequence[float], seed: int = SEED) -> Interval | None:
    """The 95 % percentile bootstrap interval of the mean; None without values.

    The values are drawn with replacement ``RESAMPLES`` times, from a generator that ``seed`` starts.
    """
    import numpy as np

    if not values:
        return None
    drawn, numbers = np.asarray(values, dtype=np.float64), np.random.default_rng(seed)
    means = [drawn[numbers.integers(0, len(drawn), len(drawn))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, PERCENTILES)
    return round(float(low), 4), round(float(high), 4)


def mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return round(sum(listed) / len(listed), 4) if listed else None


def ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def refusal_scores(refused: Sequence[bool], answerable: Sequence[bool]) -> dict[str, float | None]:
    """A refusal is right where there is no answer."""
    right = sum(no and not able for no, able in zip(refused, answerable, strict=True))
    precision, recall = ratio(right, sum(refused)), ratio(right, len(answerable) - sum(answerable))
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
    return {"refusal_precision": precision, "refusal_recall": recall, "refusal_f1": round(f1, 4)}


def risk_coverage(confidence: Sequence[float], right: Sequence[bool]) -> list[tuple[float, float]]:
    """(coverage, risk) when the most confident share is answered: risk is the share of those that is wrong.

    El-Yaniv and Wiener, "On the Foundations of Noise-free Selective Classification" (2010).
    """
    order = sorted(range(len(right)), key=lambda index: -confidence[index])
    wrong, points = 0, []
    for answered, index in enumerate(order, 1):
        wrong += not right[index]
        points.append((round(answered / len(right), 4), round(wrong / answered, 4)))
    return points


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile."""
    if not values:
        return None
    return round(sorted(values)[max(math.ceil(share * len(values)) - 1, 0)], 2)


def squad_words(text: str) -> list[str]:
    """As SQuAD's own script: lower case, no punctuation, no articles."""
    return ARTICLES.sub(" ", text.casefold().translate(PUNCTUATION)).split()


def token_f1(given: str, expected: str) -> float:
    said, wanted = squad_words(given), squad_words(expected)
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted)) if common else float(said == wanted)


def exact_match(given: str, expected: str) -> float:
    return float(squad_words(given) == squad_words(expected))
