"""``make bench``, or ``python -m benchmarks.bench [--only PART …]``: every figure of docs/performance.md.

Each part is a module of its own with a portal of its own, run one after the other as a child process; it
leaves ``benchmarks/results/PART.json``. Then one table of all that was measured, in this run or, by parts
that were left out, in an earlier one; ``results/bench.json``, pictures, the table in ``docs/performance.md``.

A part that fails stands in the table, the others go on, and the exit status is 1. A goal that was missed is a
finding: the table says so, the exit status does not.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import pictures, report
from benchmarks.figures import RESULTS
from benchmarks.portal import MODELS, ROOT

#: After Ctrl-C a part has so long to end its portal.
STOP_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Part:
    """A module of the benchmark, what it measures, and when it is given up."""

    name: str
    about: str
    limit_seconds: float = 20 * 60


PARTS = (
    Part("load", "cached search by ab, beside a bare ASGI application"),
    Part("uncached", "searches of which nothing is kept, over 100,000 passages", 40 * 60),
    Part("mix", "a hundred people by locust"),
    Part("servers", "web servers beside each other"),
    Part("start", "cold start and its memory"),
    Part("embedding", "ONNX Runtime beside torch", 60 * 60),
    Part("uploads", "uploads, probes, from upload to searchable", 40 * 60),
    Part("replay", "20,000 queries against the cache", 60 * 60),
    Part("growth", "from 1,000 to 1,000,000 passages", 4 * 3600),
    Part("sizes", "installed sizes", 40 * 60),
    Part("profiles", "where the time goes", 40 * 60),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a part ended; ``failure`` is empty when it did what it should."""

    part: str
    seconds: float
    failure: str = ""


def main() -> None:
    options = arguments()
    chosen = [part for part in PARTS if part.name in options.only and part.name not in options.without]
    if chosen:
        prepare_models()
    sys.exit(tell([carry_out(part) for part in chosen]))


def prepare_models() -> None:
    """Every portal of the benchmark has the model that the image has; made once."""
    surroundings = {**os.environ, "DATA_DIR": str(MODELS), "MODELS_DIR": str(MODELS)}
    subprocess.run([sys.executable, "manage.py", "prepare_models"], cwd=ROOT, env=surroundings, check=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [part.name for part in PARTS]
    some: dict[str, Any] = {"nargs": "*", "choices": names, "metavar": "PART"}
    parser.add_argument("--only", **some, default=names, help=f"of {', '.join(names)}; none: the table alone")
    parser.add_argument("--without", **some, default=[], help="leave these out")
    return parser.parse_args()


def carry_out(part: Part, results: Path = RESULTS) -> Outcome:
    """Run one part; whatever happens to it, there is an outcome."""
    print(f"\n{time.strftime('%H:%M:%S')} {part.name}: {part.about} …", file=sys.stderr, flush=True)
    begun, written = time.monotonic(), results / f"{part.name}.json"
    before = written.stat().st_mtime_ns if written.exists() else 0
    failure = run([sys.executable, "-m", f"benchmarks.{part.name}"], part.limit_seconds)
    if not failure and (not written.exists() or written.stat().st_mtime_ns == before):
        failure = f"wrote no {written.name}"
    seconds = round(time.monotonic() - begun, 1)
    print(f"{part.name}: {failure or 'done'} after {seconds:.0f} s", file=sys.stderr, flush=True)
    return Outcome(part.name, seconds, failure)


def run(command: Sequence[str], limit_seconds: float) -> str:
    """What went wrong: the last line that the command complained with, or nothing."""
    last: deque[str] = deque(maxlen=1)
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        given_up = threading.Event()
        late = threading.Timer(limit_seconds, stop, [process, given_up])
        late.start()
        for line in process.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            last.extend([line.strip()] if line.strip() else [])
        status = process.wait()
        late.cancel()
    if given_up.is_set():
        return f"not done within {limit_seconds:.0f} s"
    return f"exit {status}: {''.join(last)[:200]}" if status else ""


def stop(process: subprocess.Popen[str], given_up: threading.Event) -> None:
    """As by Ctrl-C, so that a part ends its portal; by force when that takes too long."""
    given_up.set()
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def tell(outcomes: Sequence[Outcome]) -> int:
    """Table, files and pictures; the exit status."""
    failures = {outcome.part: outcome.failure for outcome in outcomes if outcome.failure}
    reports = report.collect([part.name for part in PARTS], failures)
    report.save(reports, {outcome.part: outcome.seconds for outcome in outcomes})
    report.into_document(reports, pictures.draw(reports))
    print("\n".join(report.plain(report.lines(reports))))
    return 1 if failures else 0


if __name__ == "__main__":
    main()
