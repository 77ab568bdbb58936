"""Percentiles of what was measured: always a value that was measured, never one between two."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value that so many percent of ``values`` do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """``count``, ``p50`` and ``p95``; of nothing only the count."""
    found: dict[str, float] = {"count": len(values)}
    if values:
        found |= {f"p{percent}": round(percentile(values, percent), digits) for percent in (50, 95)}
    return found
