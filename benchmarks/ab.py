"""ApacheBench: the published test, run and read. Times come from its CSV, which it does not round."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

REQUESTS, AT_ONCE = 10_000, 100
#: A run of the slowest server that is still measured: 100 requests a second.
LIMIT_SECONDS = 100.0
MISSING = "ab is not installed (Debian: apt-get install apache2-utils)"


class Unreadable(Exception):
    """ab did not run to its end, or printed something else than it should."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``times``: milliseconds by percentile, 0 to 100; ``errors``: failed, or not 2xx."""

    per_second: float
    mean: float
    complete: int
    errors: int
    times: Sequence[float]

    def percentile(self, percent: int) -> float:
        return self.times[percent]

    @property
    def longest(self) -> float:
        return self.times[-1]

    @property
    def error_share(self) -> float:
        return 100 * self.errors / max(self.complete, 1)


def run(
    address: str,
    *,
    headers: Sequence[str] = (),
    keep_alive: bool = False,
    requests: int = REQUESTS,
    at_once: int = AT_ONCE,
) -> Run:
    """``ab -n REQUESTS -c AT_ONCE``; ``-l``, as an answer that names its milliseconds may vary in length."""
    if not shutil.which("ab"):
        raise Unreadable(MISSING)
    given = [part for header in headers for part in ("-H", header)]
    with tempfile.NamedTemporaryFile(suffix=".csv") as times:
        command = ["ab", "-q", "-l", "-n", str(requests), "-c", str(at_once), *["-k"] * keep_alive]
        command += ["-e", times.name, *given, address]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise Unreadable(f"ab did not end within {LIMIT_SECONDS:.0f} s") from None
        if done.returncode:
            raise Unreadable(f"ab ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return read(done.stdout, Path(times.name).read_text())


def read(printed: str, times: str) -> Run:
    """What ab printed, and its CSV."""
    rows = list(csv.reader(times.splitlines()))[1:]
    if len(rows) != 101:
        raise Unreadable(f"ab wrote {len(rows)} percentiles instead of 101")
    return Run(
        per_second=number(printed, r"Requests per second:\s+([\d.]+)"),
        mean=number(printed, r"Time per request:\s+([\d.]+) \[ms\] \(mean\)"),
        complete=int(number(printed, r"Complete requests:\s+(\d+)")),
        errors=int(
            number(printed, r"Failed requests:\s+(\d+)")
            + number(printed, r"Non-2xx responses:\s+(\d+)", otherwise=0)
        ),
        times=tuple(float(value) for _, value in rows),
    )


def number(printed: str, pattern: str, otherwise: float | None = None) -> float:
    found = re.search(pattern, printed)
    if found:
        return float(found[1])
    if otherwise is None:
        raise Unreadable(f"ab printed nothing like {pattern}: {printed[-300:]}")
    return otherwise


def middle(runs: Sequence[Run]) -> Run:
    """The median of several runs, figure by figure; errors are counted together."""
    return Run(
        per_second=median(one.per_second for one in runs),
        mean=median(one.mean for one in runs),
        complete=sum(one.complete for one in runs),
        errors=sum(one.errors for one in runs),
        times=tuple(median(column) for column in zip(*(one.times for one in runs), strict=True)),
    )
