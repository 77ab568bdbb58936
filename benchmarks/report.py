"""What all parts measured, as one table: for the terminal, ``results/bench.json``, docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figures import RESULTS, Figure
from benchmarks.goals import GOALS
from benchmarks.portal import ROOT
from benchmarks.readings import READINGS

if TYPE_CHECKING:
    from benchmarks.pictures import Picture

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
HEADS = ("figure", "here", "goal", "published", "peer here", "met")
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class PartReport:
    """What one part left; ``failure`` when its last run went wrong, and then there are no figures."""

    part: str
    figures: Sequence[Figure] = ()
    failure: str = ""
    machine: str = ""
    at: str = ""
    command: str = ""
    #: The whole file, for the pictures.
    found: Mapping[str, Any] = field(default_factory=dict)


class NoMarkers(Exception):
    """The document has no place for the table."""


# --- Collected ------------------------------------------------------------------------------


def collect(parts: Sequence[str], failures: Mapping[str, str], folder: Path = RESULTS) -> list[PartReport]:
    """Of every part that failed in this run or left a file, in this run or before."""
    found = []
    for part in parts:
        file = folder / f"{part}.json"
        if part in failures:
            found.append(PartReport(part, failure=failures[part]))
        elif file.exists():
            found.append(read(part, file))
    return found


def read(part: str, file: Path) -> PartReport:
    try:
        found = json.loads(file.read_text())
        own_form = part in READINGS and not isinstance(found.get("figures"), list)
        figures = list((READINGS[part] if own_form else as_written)(found))
        at = found.get("at") or datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat()
        command = found.get("command") or f"python -m benchmarks.{part}"
        return PartReport(part, figures, "", found["machine"], at, command, found)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return PartReport(part, failure=f"{file.name} is not what a part writes: {error!r}")


def as_written(found: Mapping[str, Any]) -> Iterator[Figure]:
    """By ``figures.write``."""
    return (Figure(**given) for given in found["figures"])


def lines(reports: Sequence[PartReport]) -> list[Figure]:
    """Every line of the table: what was measured, what failed, and goals that nothing was measured for."""
    found = [figure for report in reports for figure in of_part(report)]
    named = {figure.name for figure in found}
    missing = [
        Figure(name, None, goal.unit, goal.bound, goal.published, met=False)
        for name, goal in GOALS.items()
        if goal.bound and name not in named
    ]
    return found + missing


def of_part(report: PartReport) -> Sequence[Figure]:
    if report.failure:
        return [Figure(f"{report.part} (whole part)", None, met=False, note=f"failed: {report.failure}")]
    return report.figures


def save(reports: Sequence[PartReport], seconds: Mapping[str, float], folder: Path = RESULTS) -> None:
    """``results/bench.json``: the table, and which run each part's figures are of."""
    parts = {
        report.part: {
            "at": report.at,
            "machine": report.machine,
            "command": report.command,
            "failure": report.failure,
            "seconds": seconds.get(report.part),
        }
        for report in reports
    }
    whole = {"parts": parts, "figures": [asdict(figure) for figure in lines(reports)]}
    (folder / "bench.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


# --- Shown ----------------------------------------------------------------------------------


def cells(figure: Figure) -> tuple[str, ...]:
    here = f"{shown(figure.value)} {figure.unit}".strip()
    met = {True: "yes", False: "no", None: "–"}[figure.met]
    if figure.value is None:
        here, met = "–", "failed" if figure.note.startswith("failed") else NOT_MEASURED
    return (figure.name, here, figure.goal or "–", figure.published or "–", figure.peer or "–", met)


def shown(value: float | None) -> str:
    """Three digits that count, and no more than the reader needs."""
    if value is None:
        return "–"
    if float(value).is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 1:
        return f"{value:.3g}"
    return f"{value:.3f}"


def plain(figures: Sequence[Figure]) -> Iterator[str]:
    """For a terminal: columns of one width."""
    rows = [HEADS, *map(cells, figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, note in zip(rows, ("", *(figure.note for figure in figures)), strict=True):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{line}  {note}".rstrip()


def markdown(figures: Sequence[Figure]) -> Iterator[str]:
    yield f"| {' | '.join(HEADS)} | how |"
    yield "|---" * (len(HEADS) + 1) + "|"
    for figure in figures:
        row = (*cells(figure), figure.note)
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def into_document(reports: Sequence[PartReport], drawn: Sequence[Picture], document: Path = DOCUMENT) -> None:
    """Put table and pictures between the markers; the prose around them stays."""
    text = document.read_text()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise NoMarkers(str(document.name))
    made = "\n".join(generated(reports, drawn))
    document.write_text(f"{head}{BEGIN}\n{made}\n{END}{tail}")


def generated(reports: Sequence[PartReport], drawn: Sequence[Picture]) -> Iterator[str]:
    yield from ("", *markdown(lines(reports)), "")
    for machine in dict.fromkeys(report.machine for report in reports if report.machine):
        runs = [f"`{one.command}` ({one.at[:10]})" for one in reports if one.machine == machine]
        yield f"Measured on {machine}, by {', '.join(runs)}."
        yield ""
    for report in reports:
        if table := report.found.get("markdown"):
            yield from (f"### `benchmarks.{report.part}`", "", *table, "")
    for picture in drawn:
        yield from (f"![{picture.caption}](images/{picture.file.name})", "", f"*{picture.caption}*", "")
