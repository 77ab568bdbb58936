"""What the portal is held to: each figure's unit, its goal and what the peer publishes, in one place.

The peer is the portal whose figures are to be beaten; its machine is not stated.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: How a goal begins, and what it says.
SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "≥": operator.ge,
    "≤": operator.le,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Goal:
    """``bound``: a sign and a number, as “≥ 4000”; empty where a figure is only reported."""

    unit: str
    bound: str = ""
    published: str = ""

    def met_by(self, value: float | None) -> bool | None:
        """Unknown where there is nothing to meet; what could not be measured is not met."""
        if not self.bound:
            return None
        sign, _, number = self.bound.partition(" ")
        return value is not None and SIGNS[sign](value, float(number))


GOALS: Mapping[str, Goal] = {
    # benchmarks.load: ab, 10,000 requests, 100 at once
    "cached search": Goal("requests/s", "≥ 4000", "523"),
    "cached search, mean": Goal("ms", "", "191"),
    "cached search, p99": Goal("ms", "≤ 60", "600"),
    "cached search, longest": Goal("ms", "", "1200"),
    "cached search, errors": Goal("%", "< 0.1", "< 0.1"),
    "cached search beside bare ASGI": Goal("×", "≥ 0.5"),
    # benchmarks.uncached: 24 at once, 100,000 passages
    "uncached search, rerank off": Goal("requests/s", "≥ 150"),
    "uncached search, rerank off, p95": Goal("ms", "≤ 250"),
    "uncached search, errors": Goal("%", "< 0.1", "< 0.1"),
    "uncached search, rerank on": Goal("requests/s"),
    "uncached search, rerank on, p95": Goal("ms"),
    # benchmarks.mix: locust, 100 people
    "mix, errors": Goal("%", "< 0.1", "< 0.1"),
    "mix, answer p50": Goal("s", "< 1.5", "< 1.5"),
    # benchmarks.start
    "web process ready": Goal("s", "≤ 3"),
    "web process memory": Goal("MB", "≤ 120", "about 100"),
    "web process memory, embedder loaded": Goal("MB", "≤ 300"),
    "worker memory, after a document": Goal("MB", "≤ 450"),
    # benchmarks.embedding
    "embedding beside torch fp32, ready-made int8": Goal("×", "≥ 2"),
    "embedding beside torch fp32, prepared int8": Goal("×", "≥ 2"),
    "embedding nDCG@10 beside torch fp32, ready-made int8": Goal("×", "≥ 0.995"),
    "embedding nDCG@10 beside torch fp32, prepared int8": Goal("×", "≥ 0.995"),
    # benchmarks.uploads
    "upload of 10 MB, p95": Goal("s", "< 2", "< 2"),
    "health, p95": Goal("ms", "< 10", "< 10"),
    "health, live, p95": Goal("ms", "< 10", "< 10"),
    "health while indexing, p95": Goal("ms", "< 10", "< 10"),
    "health while indexing, live, p95": Goal("ms", "< 10", "< 10"),
    "text of 100 KB, upload to searchable": Goal("s", "", "0.3"),
    "Markdown of 50 KB, upload to searchable": Goal("s", "", "0.2"),
    "PDF of 10 pages, upload to searchable": Goal("s", "", "1.2"),
    "documents per hour": Goal("documents/h", "≥ 1000", "1,000+"),
    "answer, p95": Goal("s", "< 1.5", "< 1.5"),
    "uploads, health and answers, errors": Goal("%", "< 0.1", "< 0.1"),
    # benchmarks.replay
    "cache hit rate beside the ideal": Goal("×", "≥ 0.99"),
    "cache hit rate": Goal("%", "", "> 80"),
    "wrong cache hits": Goal("", "= 0"),
    # benchmarks.growth
    "vector search, 1,000,000 passages, p50": Goal("ms", "< 150", "150"),
    "hybrid search, 1,000,000 passages, p50": Goal("ms", "< 200", "200"),
    # benchmarks.sizes
    "installed base": Goal("MB", "", "402 (image)"),
    "installed base, models": Goal("MB", "", "1,470 (image)"),
    "installed ml, models": Goal("MB", "", "1,470 (image)"),
}
