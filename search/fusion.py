"""From the legs' scores to one list. Pure functions; ``fuse`` is the seam."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from search.types import Candidate, Legs, Ranked, Signals

Lists = Mapping[str, Sequence[Candidate]]

#: The first keyword hit is held against the middle of so many that follow.
FOLLOWING = 10
#: Of questions in people's own words hardly one in ten is covered so far by any passage.
QUOTED_FROM = 0.85
RRF_K = 60


@dataclass(frozen=True, slots=True)
class Weights:
    """What the legs count beside the vector leg's 1.

    Where one passage stands out by its words (a code, a name, a rare word), or holds all of a longer query,
    the words decide; where none does, it is the question which document is meant.
    """

    keyword: float = 0.15
    #: Added for a first keyword hit that stands alone (``standout`` 1).
    keyword_standout: float = 1.0
    #: Added for a first keyword hit that holds every word.
    keyword_quoted: float = 2.0
    document: float = 0.55
    #: So much of it is taken away by a standout of 1.
    document_standout: float = 1.0


#: The middle of a plateau, on questions over filings, articles and abstracts (docs/evaluation.md).
DEFAULT = Weights()


def settings(weights: Weights = DEFAULT) -> dict[str, Any]:
    """How ``fuse`` works, for receipts and reports."""
    return {"kind": "adaptive", **asdict(weights)}


def fuse(legs: Legs, weights: Weights = DEFAULT) -> list[Ranked]:
    """The one list that search uses. A single leg keeps its own order and scores."""
    if not legs.signals:
        return convex(legs.candidates, 1.0)
    return adaptive(legs.signals, shares_of(legs, weights))


def shares_of(legs: Legs, weights: Weights = DEFAULT) -> dict[str, float]:
    """What each signal counts for this query: by the shape of the keyword leg's scores and what it covers."""
    alone, quote = standout(legs.candidates.get("keyword", ())), quotation(legs.quoted)
    unnamed = max(0.0, 1.0 - weights.document_standout * alone) * (1.0 - quote)
    return {
        "vector": 1.0,
        "keyword": weights.keyword + weights.keyword_standout * alone + weights.keyword_quoted * quote,
        "document": weights.document * unnamed,
    }


def quotation(quoted: float) -> float:
    """Whether the query is a quotation, 0 to 1: who asks in words of his own meets fewer of a passage's."""
    return max(0.0, (quoted - QUOTED_FROM) / (1.0 - QUOTED_FROM))


def adaptive(signals: Sequence[Signals], shares: Mapping[str, float]) -> list[Ranked]:
    """The sum of the signals by their shares, from 0 to 1."""
    whole = sum(shares.values())
    vector = scaled([each.vector for each in signals])
    keyword = scaled([each.keyword for each in signals])
    scores = {
        each.chunk_id: (near + shares["keyword"] * worded + shares["document"] * each.document) / whole
        for each, near, worded in zip(signals, vector, keyword, strict=True)
    }
    return ordered(scores, {each.chunk_id: each.ranks for each in signals})


def scaled(values: Sequence[float | None]) -> list[float]:
    """Brought to 0…1; what is not known counts as the least."""
    known = [value for value in values if value is not None]
    if not known:
        return [0.0] * len(values)
    low, high = min(known), max(known)
    return [(value - low) / (high - low) if value is not None and high > low else 0.0 for value in values]


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
    return ordered(scores, ranks_of(legs))


def reciprocal_rank(legs: Lists, k: int = RRF_K) -> list[Ranked]:
    """The sum of 1 / (k + rank) over the legs."""
    scores: dict[int, float] = {}
    for candidates in legs.values():
        for candidate in candidates:
            scores[candidate.chunk_id] = scores.get(candidate.chunk_id, 0.0) + 1.0 / (k + candidate.rank)
    return ordered(scores, ranks_of(legs))


def normalised(candidates: Sequence[Candidate]) -> list[float]:
    """Scores brought to 0…1. Where all are equal, all are 1: being found is worth something."""
    if not candidates:
        return []
    values = [candidate.score for candidate in candidates]
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 1.0 for value in values]


def ranks_of(legs: Lists) -> dict[int, dict[str, int]]:
    ranks: dict[int, dict[str, int]] = {}
    for leg, candidates in legs.items():
        for candidate in candidates:
            ranks.setdefault(candidate.chunk_id, {})[leg] = candidate.rank
    return ranks


def ordered(scores: Mapping[int, float], ranks: Mapping[int, dict[str, int]]) -> list[Ranked]:
    """Best first; equal scores by the best rank in any leg, then by age, so that order is stable."""
    best = sorted((-score, first(ranks[pk].values()), pk) for pk, score in scores.items())
    return [Ranked(pk, round(scores[pk], 6), ranks[pk]) for _, _, pk in best]


def first(ranks: Iterable[int]) -> int:
    return min(ranks, default=0)
