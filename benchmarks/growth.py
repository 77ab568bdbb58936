"""``python -m benchmarks.growth``: how latency and memory grow with the number of passages.

Fills a portal with 1,000, 10,000 and 100,000 passages (``benchmarks.scale``'s: real ones first, then made up
ones; ``--sizes`` chooses others), each in a process of its own, and asks 200 questions of each leg and of the
hybrid search, one client, reranking off. Sizes that are not measured now come from an earlier run of
``python -m benchmarks.scale N`` (``results/scale-N.json``), marked with its date and machine. With
``--data FOLDER`` what was built stays there, and ``--reuse`` asks it again.

Writes ``benchmarks/results/growth.json`` and draws ``docs/images/performance-growth.svg``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import RESULTS, Figure, measured, write
from benchmarks.grown import index_megabytes
from benchmarks.ingest import say
from benchmarks.portal import ROOT, STOP_SECONDS, wait_for

SIZES = (1_000, 10_000, 100_000)
MILLION = 1_000_000
PICTURE = ROOT / "docs" / "images" / "performance-growth.svg"
LEGS = {"vector": "#1f5fbf", "bm25": "#b35900", "hybrid": "#1a7f37"}
MEMORY = {
    "tables_and_indexes_mb": ("tables and indexes", "#6b6b6b"),
    "hnsw_mb": ("vector index", LEGS["vector"]),
    "bm25_mb": ("word index", LEGS["bm25"]),
    "postgres_mb": ("Postgres, resident", "#8250df"),
    "web_mb": ("web process, resident", "#cf222e"),
}

Point = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--data", type=Path, help="where what is built stays, a folder for each size")
    parser.add_argument("--reuse", action="store_true", help="ask what lies there, where it does")
    options = parser.parse_args()
    report = measure(options.sizes, options.data, reuse=options.reuse)
    write("growth", list(figures_of(report["points"])), markdown=list(markdown(report["points"])), **report)
    draw(report["points"], PICTURE)
    print("\n".join(markdown(report["points"])))


def measure(
    sizes: Sequence[int] = SIZES, data: Path | None = None, *, reuse: bool = False
) -> dict[str, list[Point]]:
    with place(data) as folder:
        points = [measured_at(size, folder, reuse=reuse) for size in sorted(sizes)]
    kept = [kept_at(MILLION)] if MILLION not in sizes else []
    return {"points": [*points, *(point for point in kept if point)]}


@contextmanager
def place(data: Path | None) -> Iterator[Path]:
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        yield data.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="portal-growth-") as name:
        yield Path(name)


def measured_at(size: int, data: Path, *, reuse: bool) -> Point:
    say(f"{size:,} passages")
    folder = data / str(size)
    command = [sys.executable, "-m", "benchmarks.grown", str(size), str(folder), str(data / "real.npz")]
    command += ["--reuse"] if reuse and (folder / "build.json").exists() else []
    try:
        told = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    finally:
        wait_for(lambda: not (folder / "postgres" / "postmaster.pid").exists(), STOP_SECONDS)
    point: Point = json.loads(told.stdout.splitlines()[-1])
    return point


def kept_at(size: int) -> Point | None:
    """What ``benchmarks.scale`` wrote of that size; it looked at no process' memory."""
    file = RESULTS / f"scale-{size}.json"
    if not file.exists():
        return None
    report = json.loads(file.read_text())
    return {
        "passages": size,
        **{name: report["unfiltered"][name] for name in LEGS},
        "build_seconds": round(sum(report["build"]["seconds"].values()), 1),
        **index_megabytes(report["build"]["bytes"]),
        "earlier": {"command": f"python -m benchmarks.scale {size}", "machine": report["machine"]}
        | {"at": report.get("at") or day_of(file)},
    }


def day_of(file: Path) -> str:
    """When it was last committed; empty where there is no git."""
    try:
        command = ["git", "log", "-1", "--format=%cs", "--", str(file)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


# --- Telling --------------------------------------------------------------------------------


def figures_of(points: Sequence[Point]) -> Iterator[Figure]:
    for point in points:
        earlier = point.get("earlier")
        note = (
            f"an earlier run: {earlier['command']}, {earlier['at']}, {earlier['machine']}" if earlier else ""
        )
        for name in LEGS:
            told = "BM25" if name == "bm25" else name
            for which in ("p50", "p95"):
                title = f"{told} search, {point['passages']:,} passages, {which}"
                yield measured(title, point[name][f"{which}_ms"], unit="ms", note=note)


def markdown(points: Sequence[Point]) -> Iterator[str]:
    heads = ["passages", *(f"{'BM25' if leg == 'bm25' else leg} p50 / p95" for leg in LEGS)]
    heads += [name for name, _ in MEMORY.values()]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for point in points:
        cells = [f"{point['passages']:,}{' *' if 'earlier' in point else ''}"]
        cells += [f"{point[leg]['p50_ms']} / {point[leg]['p95_ms']} ms" for leg in LEGS]
        cells += [f"{point[key]:,.0f} MB" if key in point else "–" for key in MEMORY]
        yield f"| {' | '.join(cells)} |"
    for point in points:
        if earlier := point.get("earlier"):
            yield f"\n\\* `{earlier['command']}`, {earlier['at']}, {earlier['machine']}"


def draw(points: Sequence[Point], target: Path) -> None:
    """Latency and memory side by side, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams |= {"svg.hashsalt": "growth", "svg.fonttype": "none", "font.family": "sans-serif"}
    from matplotlib import pyplot

    figure, (latency, memory) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for leg, colour in LEGS.items():
        name = "BM25" if leg == "bm25" else leg
        plot(latency, points, lambda point, leg=leg: point[leg]["p50_ms"], f"{name}, p50", colour, "-")
        plot(latency, points, lambda point, leg=leg: point[leg]["p95_ms"], f"{name}, p95", colour, "--")
    for key, (name, colour) in MEMORY.items():
        plot(memory, points, lambda point, key=key: point.get(key), name, colour, "-")
    for axes, title in ((latency, "Latency, ms"), (memory, "Memory and storage, MB")):
        axes.set(xscale="log", yscale="log", title=title, xlabel="passages; hollow: an earlier run")
        axes.grid(visible=True, which="major", color="#dddddd")
        axes.legend(fontsize=8)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, metadata={"Date": None, "Title": "Latency and memory by number of passages"})
    pyplot.close(figure)


def plot(
    axes: Any, points: Sequence[Point], value: Callable[[Point], Any], name: str, colour: str, line: str
) -> None:
    """Hollow and on no line: what another run measured."""
    now = [point for point in points if "earlier" not in point and value(point)]
    style = {"color": colour, "marker": "o", "markersize": 4}
    axes.plot([p["passages"] for p in now], [value(p) for p in now], line, label=name, **style)
    before = [point for point in points if "earlier" in point and value(point)]
    places = [p["passages"] for p in before], [value(p) for p in before]
    axes.plot(*places, linestyle="none", fillstyle="none" if line == "-" else "right", **style)


if __name__ == "__main__":
    main()
