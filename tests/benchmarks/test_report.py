"""The runner of the benchmark: every part, one table, whatever fails; the document around the table stays."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import bench, figures, report
from benchmarks.goals import GOALS, Goal


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One part that met a goal and missed one."""
    measured = [
        figures.measured("cached search", 4211.4, peer="bare ASGI: 8,000", note="ab -n 10000 -c 100"),
        figures.measured("cached search, p99", 61.2),
        figures.measured("something of its own", 0.25, unit="s"),
    ]
    figures.write("load", measured, folder=tmp_path, runs={"cached search": [1, 2]})
    return tmp_path


# --- Figures and goals -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "value", "met"),
    [
        ("≥ 4000", 4000, True),
        ("≥ 4000", 3999.9, False),
        ("≤ 60", 60, True),
        ("< 0.1", 0.1, False),
        ("> 80", 80.1, True),
        ("= 0", 0, True),
        ("= 0", 1, False),
        ("", 5, None),
        ("≤ 60", None, False),
    ],
)
def test_a_goal_is_met_or_not(bound: str, value: float | None, met: bool | None) -> None:
    assert Goal("ms", bound).met_by(value) is met


def test_every_goal_can_be_read() -> None:
    assert [name for name, goal in GOALS.items() if goal.met_by(1.0) not in (True, False, None)] == []


def test_a_figure_takes_unit_goal_and_published_figure_from_its_name() -> None:
    figure = figures.measured("cached search", 4211.4)
    assert (figure.unit, figure.goal, figure.published, figure.met) == ("requests/s", "≥ 4000", "523", True)


def test_a_file_says_machine_time_and_command_without_folders(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["load", "--data", "/some/where/kept"])
    found = json.loads(figures.write("load", [], folder=results).read_text())
    assert "cores" in found["machine"]
    assert found["at"].startswith("20")
    assert found["command"].endswith("--data kept")


# --- The table -------------------------------------------------------------------------------


def test_the_table_has_what_was_measured_and_which_goals_nothing_was_measured_for(results: Path) -> None:
    found = report.lines(report.collect(["load", "mix"], {}, results))
    text = list(report.plain(found))
    assert text[1].split() == [
        *("cached", "search", "4,211", "requests/s", "≥", "4000", "523", "bare", "ASGI:", "8,000", "yes"),
        *("ab", "-n", "10000", "-c", "100"),
    ]
    assert [line for line in text if line.startswith("cached search, p99")][0].rstrip().endswith("no")
    assert [line for line in text if line.startswith("wrong cache hits")][0].endswith("not measured")
    assert len(found) == len(text) - 1 == len({figure.name for figure in found})


def test_a_part_that_failed_stands_in_the_table_instead_of_what_it_left_before(results: Path) -> None:
    (failed, *missing) = report.lines(report.collect(["load"], {"load": "exit 1: no ab"}, results))
    assert report.cells(failed)[0] == "load (whole part)"
    assert report.cells(failed)[-1] == "failed"
    assert failed.note == "failed: exit 1: no ab"
    assert "cached search" in {figure.name for figure in missing}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"figures": [{"wrong": 1}]}', '{"figures": []}'])
def test_a_file_that_no_part_wrote_is_a_failure(results: Path, text: str) -> None:
    (results / "load.json").write_text(text)
    (found,) = report.collect(["load"], {}, results)
    assert "not what a part writes" in found.failure


def test_numbers_are_as_long_as_they_need_to_be() -> None:
    values = [None, 0.0, 0.5, 0.9953, 1.234, 61.24, 523.4, 20000, 12345.6]
    assert [report.shown(value) for value in values] == [
        *("–", "0", "0.500", "0.995", "1.23", "61.2", "523", "20,000", "12,346"),
    ]


def test_the_results_of_a_run_are_kept_in_one_file(results: Path) -> None:
    report.save(report.collect(["load", "mix"], {"mix": "exit 1"}, results), {"load": 12.5}, results)
    kept = json.loads((results / "bench.json").read_text())
    assert kept["parts"]["load"]["seconds"] == 12.5
    assert kept["parts"]["mix"]["failure"] == "exit 1"
    assert kept["figures"][0]["name"] == "cached search"


# --- Parts with files of their own ------------------------------------------------------------


def test_files_in_a_form_of_their_own_are_read(results: Path) -> None:
    row = {"server": "uvicorn", "application": "live", "processes": 2, "kept": False}
    int8 = {"ratio_passages": 2.4, "ratio_queries": 3.0, "passages_per_second": 60.0}
    torch = {"ratio_passages": 1.0, "ratio_queries": 1.0, "passages_per_second": 25.0}
    ndcg = {"torch fp32": 0.8, "prepared int8": {"share": 0.991}}
    given: dict[str, dict[str, object]] = {
        "start": {"figures": {"web_ready_s": 2.5, "web_ready_mb": 130.0}},
        "sizes": {"environments": {"base": {"mb": 310, "largest": {"numpy": 60.2, "onnxruntime": 70.1}}}},
        "servers": {"rows": [{**row, "per_second": 900.0, "p99_ms": 150.0, "failed": 0.0}]},
        "embedding": {
            "avx512": False,
            "speed": {"prepared int8": int8, "torch fp32, 8 at once": torch},
            "ndcg": {"filings": ndcg, "xquad-en": {**ndcg, "prepared int8": {"share": 1.001}}},
        },
    }
    for part, found in given.items():
        (results / f"{part}.json").write_text(json.dumps({"machine": "2 cores", **found}))
    reports = report.collect(list(given), {}, results)
    assert [one.failure for one in reports] == [""] * 4
    assert [one.command for one in reports] == [f"python -m benchmarks.{part}" for part in given]
    found = {figure.name: (figure.value, figure.met) for one in reports for figure in one.figures}
    assert found == {
        "web process ready": (2.5, True),
        "web process memory": (130.0, False),
        "installed base": (310, None),
        "uvicorn, live, 2 processes, new connections": (900.0, None),
        "embedding beside torch fp32, prepared int8": (2.4, True),
        "embedding nDCG@10 beside torch fp32, prepared int8": (0.991, False),
    }
    assert reports[1].figures[0].note == "onnxruntime 70, numpy 60"


# --- The document ----------------------------------------------------------------------------


def test_the_prose_around_the_table_stays(results: Path, tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"# Fast\n\nBefore.\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter.\n")
    for _ in range(2):
        report.into_document(report.collect(["load"], {}, results), [], document)
    text = document.read_text()
    assert text.startswith("# Fast\n\nBefore.\n\n")
    assert text.endswith("\n\nAfter.\n")
    assert "old" not in text
    assert text.count("| cached search | 4,211 requests/s | ≥ 4000 | 523 | bare ASGI: 8,000 | yes |") == 1


def test_a_table_of_a_parts_own_comes_after_the_figures(results: Path) -> None:
    figures.write("sizes", [], folder=results, markdown=["| package | MB |", "|---|---|", "| numpy | 60 |"])
    made = list(report.generated(report.collect(["load", "sizes"], {}, results), []))
    assert made.index("### `benchmarks.sizes`") < made.index("| numpy | 60 |")


def test_a_document_without_markers_is_left_alone(results: Path, tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"# Fast\n\n{report.BEGIN}\n")
    with pytest.raises(report.NoMarkers):
        report.into_document([], [], document)
    assert document.read_text() == f"# Fast\n\n{report.BEGIN}\n"


def test_the_document_of_the_project_has_its_markers() -> None:
    text = report.DOCUMENT.read_text()
    assert text.index(report.BEGIN) < text.index(report.END)


# --- The runner ------------------------------------------------------------------------------


def test_every_part_is_a_module() -> None:
    folder = Path(bench.__file__).parent
    assert [part.name for part in bench.PARTS if not (folder / f"{part.name}.py").exists()] == []


def test_a_part_that_cannot_start_is_a_failure_and_no_exception(results: Path) -> None:
    outcome = bench.carry_out(bench.Part("nothing_of_this_name", "nothing"), results)
    assert "No module named benchmarks.nothing_of_this_name" in outcome.failure


def test_a_part_that_leaves_no_new_file_is_a_failure(results: Path) -> None:
    outcome = bench.carry_out(bench.Part("machine", "a module that does nothing"), results)
    assert outcome.failure == "wrote no machine.json"


def test_the_last_line_of_what_a_part_complained_with_is_kept() -> None:
    script = "import sys; print('first', file=sys.stderr); sys.exit('disk full')"
    assert bench.run([sys.executable, "-c", script], 60) == "exit 1: disk full"


def test_a_part_that_ends_well_has_no_failure() -> None:
    assert bench.run([sys.executable, "-c", "import sys; print('progress', file=sys.stderr)"], 60) == ""


def test_a_part_that_takes_too_long_is_ended_as_by_ctrl_c(tmp_path: Path) -> None:
    script = "import sys, time, pathlib\ntry: time.sleep(60)\nfinally: pathlib.Path(sys.argv[1]).touch()"
    assert bench.run([sys.executable, "-c", script, str(tmp_path / "ended")], 1.0) == "not done within 1 s"
    assert (tmp_path / "ended").exists()


def test_the_exit_status_says_that_a_part_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "save", lambda *given: None)
    monkeypatch.setattr(report, "into_document", lambda *given: None)
    monkeypatch.setattr(bench.pictures, "draw", lambda reports: [])
    assert bench.tell([bench.Outcome("load", 1.0)]) == 0
    assert bench.tell([bench.Outcome("load", 1.0), bench.Outcome("mix", 1.0, "exit 1: no locust")]) == 1
    assert "exit 1: no locust" in capsys.readouterr().out
