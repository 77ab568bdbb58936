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


def retrieval_scores(
    rankings: Sequence[tuple[Sequence[Hashable], Collection[Hashable]]],
) -> dict[str, float | None]:
    """Means over (ranked, relevant) pairs, each item ranked once; None when there are none."""
    found: dict[str, float | None] = {
        f"recall@{k}": mean(recall_at(ranked, relevant, k) for ranked, relevant in rankings)
        for k in RECALL_AT
    }
    found[f"mrr@{CUT}"] = mean(reciprocal_rank(ranked, relevant) for ranked, relevant in rankings)
    found[f"ndcg@{CUT}"] = mean(ndcg(ranked, relevant) for ranked, relevant in rankings)
    return found


def mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return round(sum(listed) / len(listed), 4) if listed else None


def ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


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
