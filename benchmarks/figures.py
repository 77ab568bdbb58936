"""What a part of the benchmark measured, as the runner collects it.

A part is a module, run as ``python -m benchmarks.NAME``, that ends with::

    write("NAME", [measured("cached search", 4211.3, note="ab -n 10000 -c 100")], rounds=[…])

``measured`` takes unit, goal and published figure from ``benchmarks.goals``: each figure of a part has a
line there. One without has no goal and says its ``unit`` itself. ``peer``: what a peer made in the same run.
What else is worth keeping, as the rounds behind a median or the points of a picture, goes beside by name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.goals import GOALS, Goal
from benchmarks.machine import describe

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. ``met`` is None without a goal, ``value`` where it could not be measured."""

    name: str
    value: float | None
    unit: str = ""
    goal: str = ""
    published: str = ""
    peer: str = ""
    met: bool | None = None
    note: str = ""


def measured(name: str, value: float | None, *, unit: str = "", peer: str = "", note: str = "") -> Figure:
    """The figure beside its goal."""
    goal = GOALS.get(name, Goal(unit))
    met = goal.met_by(value)
    return Figure(name, value, goal.unit, goal.bound, goal.published, peer, met, note)


def write(part: str, figures: Sequence[Figure], *, folder: Path = RESULTS, **details: Any) -> Path:
    """``results/PART.json``."""
    report = {
        "machine": describe(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command(),
        "figures": [asdict(figure) for figure in figures],
        **details,
    }
    target = folder / f"{part}.json"
    target.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return target


def command() -> str:
    """What was run, without the paths of this machine before the module's name."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    name = spec.name if spec else Path(sys.argv[0]).name
    return " ".join(["python -m", name, *sys.argv[1:]])
