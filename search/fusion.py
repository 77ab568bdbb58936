"""From the legs' lists to one list. Pure functions; ``fuse`` is the seam."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search.types import Candidate, Ranked

Lists = Mapping[str, Sequence[Candidate]]

#: The vector leg's share where the keyword leg tells nothing apart, and how much of it goes to the keyword
#: leg when one passage stands out there. Chosen on questions over encyclopaedia articles (the keyword leg's
#: first hit stands out by .6 to .85, recall@1 .997 against .990 at a fixed .7) and over company filings
#: (.08 to .21; page recall@10 .523 against .511, which is half a question of 44: no evidence by itself). The
#: best of ten settings tried on those two sets; abstracts were held out.
VECTOR_WEIGHT = 0.85
STANDOUT_SHIFT = 0.6
#: The first keyword hit is held against the middle of so many that follow.
FOLLOWING = 10
RRF_K = 60
#: How ``fuse`` works, for receipts and reports.
SETTINGS = {"kind": "convex", "vector_weight": VECTOR_WEIGHT, "standout_shift": STANDOUT_SHIFT}


def fuse(legs: Lists) -> list[Ranked]:
    """The one list that search uses. A single leg keeps its own order and scores."""
    return convex(legs, vector_weight(legs))


def vector_weight(legs: Lists) -> float:
    """The vector leg's share for this query, by the shape of the keyword leg's scores.

    A code, a name or a rare word makes one passage stand out by far: then its words decide.
    """
    return VECTOR_WEIGHT - STANDOUT_SHIFT * standout(legs.get("keyword", ()))


def standout(candidates: Sequence[Candidate]) -> float:
    """How far the first score is above the middle of the next ones: 0 (level) to 1 (alone)."""
    if not candidates or candidates[0].score <= 0:
        return 0.0
    following = sorted(candidate.score for candidate in candidates[1 : FOLLOWING + 1])
    middle = following[len(following) // 2] if len(following) == FOLLOWING else 0.0
    return (candidates[0].score - middle) / candidates[0].score


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
