"""A collection's golden runs as a drawing: geometry only, which a template writes as SVG.

Every number is a whole one, so that no locale writes it in another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from search.models import GoldenRun

#: The plot within the template's 600 × 260.
LEFT, RIGHT, TOP, BOTTOM = 60, 584, 30, 220
#: The latest runs that are drawn.
RUNS = 40
#: Collections that are drawn.
CHARTS = 4
#: Of the latest runs.
CHARTED = 200
MEASURES = ("recall@10", "mrr@10")
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Changes nearer than this to the one before have no room for their word.
WORD_WIDTH = 84


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int
    label: str


@dataclass(frozen=True, slots=True)
class Series:
    """One measure: a line through its points, and the band of its 95 % intervals."""

    name: str
    key: str
    points: tuple[Point, ...]
    line: str
    band: str
    last: str


@dataclass(frozen=True, slots=True)
class Mark:
    """From here on another model or setting; without room, without a word."""

    x: int
    word: str


@dataclass(frozen=True, slots=True)
class Tick:
    y: int
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    summary: str
    series: tuple[Series, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    first: str
    last: str


def charts_of(runs: QuerySet[GoldenRun]) -> list[Chart]:
    """One for each of the collections that were asked last, of their ``runs``."""
    done = runs.filter(state=GoldenRun.State.DONE).order_by("-created_at", "-id")
    by_collection: dict[int, list[GoldenRun]] = {}
    for run in reversed(list(done.select_related("collection")[:CHARTED])):
        by_collection.setdefault(run.collection_id, []).append(run)
    latest = sorted(by_collection.values(), key=lambda runs: runs[-1].created_at, reverse=True)
    charts = (chart_of(runs[-1].collection.name, runs) for runs in latest[:CHARTS])
    return [chart for chart in charts if chart]


def chart_of(title: str, runs: Sequence[GoldenRun]) -> Chart | None:
    """``runs``: of one collection, done, oldest first. None when there is nothing to draw."""
    shown = list(runs)[-RUNS:]
    if not shown:
        return None
    level = "page" if shown[-1].scores["asked"]["page"] else "document"
    shown = [each for each in shown if each.scores["asked"][level]]
    xs = columns(len(shown))
    series = tuple(series_of(measure, level, shown, xs) for measure in MEASURES)
    return Chart(
        title=title,
        summary=summary_of(level, series, shown),
        series=series,
        marks=marks_of(shown, xs),
        ticks=tuple(Tick(height(value), f"{value:.2f}") for value in TICKS),
        first=day(shown[0]),
        last=day(shown[-1]) if len(shown) > 1 else "",
    )


def columns(count: int) -> list[int]:
    """Run after run in equal steps; a single one in the middle."""
    if count == 1:
        return [(LEFT + RIGHT) // 2]
    inset = 16
    step = (RIGHT - LEFT - 2 * inset) / (count - 1)
    return [round(LEFT + inset + n * step) for n in range(count)]


def height(value: float) -> int:
    return round(BOTTOM - value * (BOTTOM - TOP))


def series_of(measure: str, level: str, runs: Sequence[GoldenRun], xs: Sequence[int]) -> Series:
    values = [run.scores[level][measure] for run in runs]
    bounds = [run.scores["intervals"][level][measure] for run in runs]
    points = tuple(
        Point(x, height(value), told(run, measure, value, bound))
        for x, run, value, bound in zip(xs, runs, values, bounds, strict=True)
    )
    ceiling = [(x, height(high)) for x, (_low, high) in zip(xs, bounds, strict=True)]
    floor = [(x, height(low)) for x, (low, _high) in zip(xs, bounds, strict=True)]
    return Series(
        name=measure,
        key=measure.partition("@")[0],
        points=points,
        line=path((point.x, point.y) for point in points),
        band=path([*ceiling, *reversed(floor)]),
        last=f"{values[-1]:.3f}",
    )


def path(corners: Any) -> str:
    return " ".join(f"{x},{y}" for x, y in corners)


def told(run: GoldenRun, measure: str, value: float, bound: Sequence[float]) -> str:
    low, high = bound
    return f"{day(run)}: {measure} {value:.3f} ({low:.3f} – {high:.3f}), {run.get_why_display()}"


def marks_of(runs: Sequence[GoldenRun], xs: Sequence[int]) -> tuple[Mark, ...]:
    """Where the settings are others than those of the run before."""
    marks: list[Mark] = []
    written = -WORD_WIDTH
    for x, before, run in zip(xs[1:], runs, runs[1:], strict=False):
        if run.fingerprint != before.fingerprint:
            other_model = run.settings.get("space") != before.settings.get("space")
            word = _("model") if other_model else _("setting")
            marks.append(Mark(x, word if x - written >= WORD_WIDTH else ""))
            written = x if x - written >= WORD_WIDTH else written
    return tuple(marks)


def day(run: GoldenRun) -> str:
    return date_format(timezone.localtime(run.created_at), "SHORT_DATE_FORMAT")


def summary_of(level: str, series: Sequence[Series], runs: Sequence[GoldenRun]) -> str:
    """What the picture shows, for those who do not see it."""
    names = {"page": _("by page"), "document": _("by document")}
    figures = ", ".join(f"{each.name} {each.last}" for each in series)
    text = _("Last run %(level)s: %(figures)s. Questions: %(questions)s. Runs drawn: %(runs)s.")
    values = {"questions": runs[-1].scores["asked"][level], "runs": len(runs)}
    return text % {"level": names[level], "figures": figures, **values}
