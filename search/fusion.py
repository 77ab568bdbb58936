"""From the legs' lists to one list. Pure functions; ``fuse`` is the seam."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search.types import Candidate, Ranked

Lists = Mapping[str, Sequence[Candidate]]

#: The share of the vector leg. On company filings every fixed fusion loses to the vector leg alone,
#: on abstracts and encyclopaedia articles the keyword leg adds much: this leans to the vector.
VECTOR_WEIGHT = 0.7
RRF_K = 60


def fuse(legs: Lists) -> list[Ranked]:
    """The one list that search uses. A single leg keeps its own order and scores."""
    return convex(legs, VECTOR_WEIGHT)


def convex(legs: Lists, weight: float) -> list[Ranked]:
    """``weight`` × vector + (1 − weight) × keyword over min-max normalised scores; missing is 0."""
    shares = {"vector": weight, "keyword": 1.0 - weight} if len(legs) > 1 else dict.fromkeys(legs, 1.0)
    scores: dict[int, float] = {}
    for leg, candidates in legs.items():
        for candidate, value in zip(candidates, normalised(candidates), strict=True):
            scores[candidate.chunk_id] = scores.get(candidate.chunk_id, 0.0) + shares[leg] * value
    return ordered(scores, legs)


def normalised(candidates: Sequence[Candidate]) -> list[float]:
    """Scores brought to 0…1. Where all are equal, all are 1: being found is worth something."""
    if not candidates:
        return []
    values = [candidate.score for candidate in candidates]
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 1.0 for value in values]


def reciprocal_rank(legs: Lists, k: int = RRF_K) -> list[Ranked]:
    """The sum of 1 / (k + rank) over the legs."""
    scores: dict[int, float] = {}
    for candidates in legs.values():
        for candidate in candidates:
            scores[candidate.chunk_id] = scores.get(candidate.chunk_id, 0.0) + 1.0 / (k + candidate.rank)
    return ordered(scores, legs)


def ordered(scores: Mapping[int, float], legs: Lists) -> list[Ranked]:
    """Best first; equal scores by the best rank in any leg, then by age, so that order is stable."""
    ranks: dict[int, dict[str, int]] = {}
    for leg, candidates in legs.items():
        for candidate in candidates:
            ranks.setdefault(candidate.chunk_id, {})[leg] = candidate.rank
    best = sorted(scores, key=lambda pk: (-scores[pk], min(ranks[pk].values()), pk))
    return [Ranked(pk, round(scores[pk], 6), ranks[pk]) for pk in best]
