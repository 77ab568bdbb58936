"""What ab prints and writes, read; the files are of real runs."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from benchmarks import ab

FILES = Path(__file__).parent / "ab"


def run_of(name: str) -> ab.Run:
    return ab.read((FILES / f"{name}.txt").read_text(), (FILES / f"{name}.csv").read_text())


def test_times_come_from_the_csv_and_rates_from_what_is_printed() -> None:
    run = run_of("variable")
    assert f"{run.per_second:.2f} [#/sec]" in (FILES / "variable.txt").read_text()
    assert f"{run.mean:.3f} [ms] (mean)\n" in (FILES / "variable.txt").read_text()
    assert run.complete == 200
    assert run.times == tuple(sorted(run.times))
    assert run.percentile(50) < run.percentile(99) <= run.longest


def test_answers_that_are_not_2xx_are_errors() -> None:
    run = run_of("variable")
    assert run.errors == 4
    assert run.error_share == 2.0


def test_failed_requests_are_errors_too() -> None:
    """Without ``-l`` ab counts another length as a failure."""
    assert run_of("failing").errors == 100 + 4


def test_an_unfinished_output_is_refused() -> None:
    times = (FILES / "variable.csv").read_text()
    with pytest.raises(ab.Unreadable, match="Requests per second"):
        ab.read("This is ApacheBench", times)
    with pytest.raises(ab.Unreadable, match="2 percentiles"):
        ab.read((FILES / "variable.txt").read_text(), "".join(times.splitlines(keepends=True)[:3]))


def test_several_runs_are_their_median_and_all_their_errors() -> None:
    slow = ab.Run(100, 1000, 50, 1, tuple(map(float, range(101))))
    fast = ab.Run(300, 300, 50, 0, tuple(float(n) / 10 for n in range(101)))
    usual = ab.Run(200, 500, 50, 2, tuple(float(n) / 2 for n in range(101)))
    middle = ab.middle([fast, slow, usual])
    assert (middle.per_second, middle.mean, middle.percentile(50)) == (200, 500, 25.0)
    assert (middle.complete, middle.errors, middle.error_share) == (150, 3, 2.0)


@pytest.mark.skipif(not shutil.which("ab"), reason=ab.MISSING)
def test_nobody_there_is_said_so() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ab.Unreadable, match="Connection refused"):
        ab.run(f"http://127.0.0.1:{port}/", requests=10, at_once=1)


def test_without_ab_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ab.Unreadable, match="apache2-utils"):
        ab.run("http://127.0.0.1:1/")
