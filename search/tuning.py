"""Learning parameters from questions: a search over a grid, judged on questions that were held out.

Pure functions. Each point of the grid is scored once for all cases; no database, no chance but a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from search.scores import SEED, Interval, bootstrap_interval

Case = TypeVar("Case")
Parameters = Mapping[str, float]
#: Each parameter's values to try; the first is the default.
Space = Mapping[str, Sequence[float]]
Score = Callable[[Case, Parameters], float]
Point = tuple[float, ...]

FOLDS = 5
#: Fewer questions than this say nothing about any weight.
MIN_CASES = 20
#: Points drawn for a second start.
DRAWS = 24
#: Turns over all parameters, at most.
PASSES = 2
#: What is tried of a default from 0 to 1; a leg may also count more than the one beside it.
SHARES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5)
FACTORS = (0.25, 0.5, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Best:
    """What was learned. ``kept`` says that the default stays, ``reason`` why.

    ``before`` and ``after`` are mean scores by the default and by what was learned without the very
    question that is scored; ``gain`` is the 95 % interval of their difference. ``held_out`` has, for each
    case, the parameters that were learned without it.
    """

    default: dict[str, float]
    parameters: dict[str, float]
    before: float
    after: float
    gain: Interval
    kept: bool
    reason: str
    held_out: tuple[dict[str, float], ...]


class Table(Generic[Case]):
    """The score of every case at every point that was looked at."""

    def __init__(self, cases: Sequence[Case], score: Score[Case], space: Space) -> None:
        self.cases, self.score, self.space = cases, score, space
        self.default: Point = tuple(values[0] for values in space.values())
        self.drawn = drawn_from(space)
        self.seen: dict[Point, np.ndarray] = {}

    def named(self, point: Point) -> dict[str, float]:
        return dict(zip(self.space, point, strict=True))

    def scores(self, point: Point) -> np.ndarray:
        if point not in self.seen:
            parameters = self.named(point)
            self.seen[point] = np.array([self.score(case, parameters) for case in self.cases])
        return self.seen[point]

    def mean(self, point: Point, chosen: np.ndarray) -> float:
        """Rounded, so that the order of a sum decides nothing."""
        return round(float(self.scores(point)[chosen].mean()), 9)


def space_of(default: Parameters) -> dict[str, tuple[float, ...]]:
    """What to try of each: ``SHARES`` of a default from 0 to 1, a quarter to fourfold of a larger one."""
    return {name: values_around(value) for name, value in default.items()}


def values_around(default: float) -> tuple[float, ...]:
    tried = SHARES if 0 <= default <= 1 else tuple(default * factor for factor in FACTORS)
    return tuple(dict.fromkeys((default, *tried)))


def tuned(cases: Sequence[Case], score: Score[Case], space: Space, *, folds: int = FOLDS) -> Best:
    """The best parameters in ``space`` when held-out questions prove them better, else the default.

    Proven means: the bootstrap interval of the held-out gain lies above 0. Higher scores are better.
    """
    table = Table(cases, score, space)
    default = table.default
    if len(cases) < MIN_CASES:
        return unchanged(table, f"{len(cases)} questions are too few; {MIN_CASES} are needed.")
    held_out: list[Point] = [default] * len(cases)
    for fold in folds_of(len(cases), folds):
        others = np.setdiff1d(np.arange(len(cases)), fold)
        point = learned(table, others)
        for index in fold:
            held_out[index] = point
    before = table.scores(default)
    after = np.array([table.scores(point)[index] for index, point in enumerate(held_out)])
    gain = bootstrap_interval((after - before).tolist(), SEED)
    assert gain is not None
    best = learned(table, np.arange(len(cases)))
    reason = verdict(gain, changed=best != default)
    return Best(
        default=table.named(default),
        parameters=table.named(default if reason else best),
        before=round(float(before.mean()), 4),
        after=round(float(after.mean()), 4),
        gain=gain,
        kept=bool(reason),
        reason=reason,
        held_out=tuple(map(table.named, held_out)),
    )


def verdict(gain: Interval, *, changed: bool) -> str:
    """Why the default stays; empty when it does not."""
    if not changed:
        return "Nothing that was tried is better than the default."
    if gain[0] <= 0:
        return f"The gain on held-out questions is within chance: {gain[0]:+.4f} to {gain[1]:+.4f}."
    return ""


def unchanged(table: Table[Case], reason: str) -> Best:
    mean = round(float(table.scores(table.default).mean()), 4) if table.cases else 0.0
    default = table.named(table.default)
    return Best(default, default, mean, mean, (0.0, 0.0), True, reason, (default,) * len(table.cases))


def drawn_from(space: Space) -> list[Point]:
    """Points anywhere in the grid, by a fixed seed: where parameters lean on each other, no single one of
    them leads to the top.
    """
    numbers = np.random.default_rng(SEED)
    return [tuple(float(numbers.choice(values)) for values in space.values()) for _ in range(DRAWS)]


def folds_of(count: int, folds: int) -> Iterator[np.ndarray]:
    """Indexes, shuffled by a fixed seed and dealt into ``folds`` parts."""
    order = np.random.default_rng(SEED).permutation(count)
    yield from np.array_split(order, min(folds, count))


def learned(table: Table[Case], chosen: np.ndarray) -> Point:
    """The best for the ``chosen`` cases, climbed to from the default and from the best point drawn."""
    drawn = max(table.drawn, key=lambda point: table.mean(point, chosen))
    found = [climbed(table, start, chosen) for start in (table.default, drawn)]
    return max(found, key=lambda point: table.mean(point, chosen))  # the first of equals


def climbed(table: Table[Case], start: Point, chosen: np.ndarray) -> Point:
    """One parameter after the other is set to its best value, until none moves."""
    at = start
    for _ in range(PASSES):
        before = at
        for position, values in enumerate(table.space.values()):
            points = (with_value(at, position, value) for value in values)
            at = max((at, *points), key=lambda point: table.mean(point, chosen))
        if at == before:
            break
    return at


def with_value(point: Point, position: int, value: float) -> Point:
    return (*point[:position], value, *point[position + 1 :])
