"""The pictures of docs/performance.md, drawn from what the parts left in ``benchmarks/results``.

SVG on white, which reads on dark pages, too; the same figures give the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.portal import ROOT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.report import PartReport

FOLDER = ROOT / "docs" / "images"
SIZE = (7.2, 3.6)
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "performance",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e3e6ea",
    "axes.edgecolor": "#7a828c",
    "legend.frameon": False,
}
OURS, PEER, THIRD, GOAL = "#1f6f8b", "#c07a2c", "#7a828c", "#a33a3a"
PUBLISHED_PER_SECOND, PUBLISHED_MS = 523, {"mean": (50, 191), "p99": (99, 600), "longest": (100, 1200)}

Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """A file in docs/images and what it shows."""

    file: Path
    caption: str


def draw(reports: Sequence[PartReport], folder: Path = FOLDER) -> list[Picture]:
    """Every picture whose part left what it needs."""
    found = {report.part: report.found for report in reports if not report.failure}
    tried = [attempt(sketch, found[sketch.part], folder) for sketch in SKETCHES if sketch.part in found]
    theirs = [Picture(folder / name, caption) for part, name, caption in DRAWN_BY_PARTS if part in found]
    made = [picture for picture in tried if picture]
    return [*made, *(picture for picture in theirs if picture.file.exists())]


@dataclass(frozen=True, slots=True)
class Sketch:
    name: str
    part: str
    caption: str
    onto: Callable[[Axes, Found], None]


def attempt(sketch: Sketch, found: Found, folder: Path) -> Picture | None:
    """Without a picture, as of an older file that lacks its points, there are still the figures."""
    try:
        return drawn(sketch, found, folder)
    except (ImportError, KeyError) as error:
        print(f"no picture “{sketch.name}”: {error!r}", file=sys.stderr)
        return None


def drawn(sketch: Sketch, found: Found, folder: Path) -> Picture:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    file = folder / f"performance-{sketch.name}.svg"
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(figsize=SIZE, layout="constrained")
        sketch.onto(axes, found)
        figure.savefig(file, facecolor="white", metadata={"Date": None})
        pyplot.close(figure)
    return Picture(file, sketch.caption)


# --- Each ------------------------------------------------------------------------------------


def rates(axes: Axes, found: Found) -> None:
    runs = found["runs"]
    rows = [("published", PUBLISHED_PER_SECOND, THIRD)]
    for name, color in (("cached search", OURS), ("bare ASGI", PEER), ("health", THIRD)):
        for way in ("", ", -k"):
            rows.append((f"{name}{way}", median(runs[f"{name}{way}"]["per_second"]), color))
    rows.reverse()
    axes.barh([name for name, *_ in rows], [rate for _, rate, _ in rows], color=[row[2] for row in rows])
    for place, (_, rate, _) in enumerate(rows):
        axes.annotate(f" {rate:,.0f}", (rate, place), va="center")
    axes.axvline(4000, color=GOAL, linestyle="--", linewidth=1, label="goal of the cached search")
    axes.set_xlabel("requests per second, 100 at once (-k: connections kept)")
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.12)
    axes.legend(loc="lower right")


def waits(axes: Axes, found: Found) -> None:
    for name, color in (("cached search", OURS), ("bare ASGI", PEER)):
        curve(axes, found["runs"][name]["percentiles_ms"], name, color)
    places = list(PUBLISHED_MS.values())
    axes.plot(*zip(*places, strict=True), "x", color=THIRD, label="published: mean, p99, longest")
    axes.plot([99], [60], "v", color=GOAL, label="goal: p99")
    axes.set_xlabel("percent of the requests")
    milliseconds(axes)
    axes.legend()


def uncached(axes: Axes, found: Found) -> None:
    for rerank, color in (("off", OURS), ("on", PEER)):
        curve(axes, found[f"rerank_{rerank}"]["percentiles_ms"], f"rerank {rerank}", color)
    axes.plot([95], [250], "v", color=GOAL, label="goal: p95, rerank off")
    axes.set_xlabel("percent of the requests")
    milliseconds(axes)
    axes.legend()


def curve(axes: Axes, percentiles: Mapping[str, float], name: str, color: str) -> None:
    axes.plot([int(percent) for percent in percentiles], list(percentiles.values()), color=color, label=name)


def milliseconds(axes: Axes) -> None:
    """A log axis with numbers that are read at once."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set(yscale="log", ylabel="answered within, ms")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def kinds(axes: Axes, found: Found) -> None:
    rows = [row for row in found["rows"] if row["name"] in ("browse", "search", "ask", "upload")]
    for shift, (share, color) in enumerate((("p50", OURS), ("p95", PEER), ("p99", THIRD))):
        places = [place + (shift - 1) * 0.27 for place in range(len(rows))]
        axes.bar(places, [row[share] for row in rows], 0.25, color=color, label=share)
    axes.set_xticks(range(len(rows)), [row["name"] for row in rows])
    milliseconds(axes)
    axes.grid(axis="x", visible=False)
    axes.legend()


SKETCHES = (
    Sketch("rates", "load", "Requests per second: cached search, bare ASGI application, probe", rates),
    Sketch("waits", "load", "How long a cached search takes at 100 at once", waits),
    Sketch("uncached", "uncached", "How long a search takes of which nothing is kept, 24 at once", uncached),
    Sketch("mix", "mix", "A hundred people at once: how long they wait, by what they do", kinds),
)
#: Part, file, caption: pictures that a part draws itself.
DRAWN_BY_PARTS = (
    ("growth", "performance-growth.svg", "Latency and memory from 1,000 to 1,000,000 passages, log axes"),
)
