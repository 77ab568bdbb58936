"""The load generators, against a server that refuses and fails as it is told; pictures of what they left."""

from __future__ import annotations

import threading
from argparse import Namespace
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import mix, pictures
from benchmarks.report import PartReport

needs_locust = pytest.mark.skipif(not find_spec("locust"), reason="locust is not installed (make bench)")
needs_matplotlib = pytest.mark.skipif(not find_spec("matplotlib"), reason="matplotlib is not installed")


class Answering(BaseHTTPRequestHandler):
    """By the path: ``/refused``, ``/failed``, ``/degraded``, anything else is well."""

    protocol_version = "HTTP/1.1"
    everything_is_refused = False

    def do_GET(self) -> None:
        refused = self.everything_is_refused or self.path == "/refused"
        self.send_response(503 if refused else 500 if self.path == "/failed" else 200)
        body = b'{"degraded":["vector"]}' if self.path == "/degraded" else b'{"degraded":[]}'
        if refused:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *given: Any) -> None: ...


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@needs_locust
def test_every_answer_is_counted_as_what_it_was(address: str) -> None:
    from benchmarks.asking import ask

    paths = ["/"] * 20 + ["/refused"] * 2 + ["/failed", "/degraded", "/"]
    found = ask(address, paths, headers={}, at_once=4, seconds=30, wanted=b'"degraded":[]')
    assert (len(found.times), found.refused, found.total) == (21, 2, 25)
    assert sorted(error[:3] for error in found.errors) == ["200", "500"]
    assert found.error_share == pytest.approx(16)
    assert 0 < found.percentile(50) <= found.percentile(99)
    assert found.per_second == pytest.approx(21 / found.seconds)


@needs_locust
def test_nobody_there_is_an_error_for_each_request() -> None:
    from benchmarks.asking import ask

    found = ask("http://127.0.0.1:1", ["/"] * 3, headers={}, at_once=2, seconds=30)
    assert (found.total, len(found.errors)) == (3, 3)
    with pytest.raises(ValueError, match="too few"):
        found.percentile(95)


@needs_locust
def test_asking_ends_with_the_time(address: str) -> None:
    from benchmarks.asking import ask

    assert ask(address, ["/"] * 1000, headers={}, at_once=2, seconds=0).total == 0


@needs_locust
def test_a_refusal_has_a_line_of_its_own_and_is_no_failure(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answering, "everything_is_refused", True)
    people = [{"token": "t", "session": "s"}]
    material = {"people": people, "documents": ["d"], "questions": ["why", "when"]}
    (tmp_path / "mix.json").write_text(mix.json.dumps(material))
    portal: Any = SimpleNamespace(address=address)
    mix.run(portal, tmp_path, Namespace(people=10, seconds=4))
    rows = mix.read((tmp_path / "run.json").read_text())
    assert "browse, refused" in {row.name for row in rows}
    assert {row.name.removesuffix(mix.REFUSED) for row in rows} <= {*mix.KINDS, mix.TOGETHER}
    assert not {row.name for row in rows} & set(mix.KINDS)
    assert rows[-1].name == mix.TOGETHER
    assert rows[-1].failures == 0
    found = {figure.name: figure.value for figure in mix.figures(rows)}
    assert (found["mix, refused"], found["mix, errors"]) == (100.0, 0.0)


def test_percentiles_are_those_of_all_requests_together() -> None:
    def entry(name: str, times: dict[str, int], failures: int = 0) -> dict[str, Any]:
        count = sum(times.values())
        known = {"name": name, "num_requests": count, "num_failures": failures, "response_times": times}
        return {**known, "start_time": 100.0, "last_request_timestamp": 110.0}

    entries = [entry("ask", {"900": 1}, 1), entry("browse", {"20": 90, "100": 9}), entry("upload", {})]
    ask, browse, together = mix.read(mix.json.dumps(entries))
    assert (ask.p50, ask.p99, ask.failures) == (900, 900, 1)
    assert (browse.p50, browse.p95, browse.requests, browse.per_second) == (20, 100, 99, 9.9)
    assert (together.requests, together.failures, together.p95, together.p99) == (100, 1, 100, 100)


def test_failures_are_held_against_all_requests() -> None:
    rows = [
        mix.Row("ask", 10, 1, 1.0, 900.0, 1000.0, 1100.0),
        mix.Row("browse", 90, 0, 9.0, 20.0, 40.0, 50.0),
        mix.Row(mix.TOGETHER, 100, 1, 10.0, 20.0, 900.0, 1000.0),
    ]
    found = {figure.name: figure for figure in mix.figures(rows)}
    assert (found["mix, errors"].value, found["mix, errors"].met) == (1.0, False)
    assert (found["mix, answer p50"].value, found["mix, answer p50"].met) == (0.9, True)
    assert "mix, upload p50" not in found


@needs_matplotlib
def test_pictures_are_drawn_of_the_parts_that_there_are(tmp_path: Path) -> None:
    row = {"p50": 20.0, "p95": 90.0, "p99": 200.0}
    found = {"rows": [{"name": name, **row} for name in (*mix.KINDS, mix.TOGETHER)]}
    reports = [PartReport("mix", found=found), PartReport("load", failure="no ab")]
    (picture,) = pictures.draw(reports, tmp_path)
    first = picture.file.read_bytes()
    assert picture.file.name == "performance-mix.svg"
    assert ElementTree.fromstring(first).tag.endswith("svg")
    assert len(first) < 200_000
    pictures.draw(reports, tmp_path)
    assert picture.file.read_bytes() == first


@needs_matplotlib
def test_a_file_without_the_points_of_a_picture_is_no_reason_to_draw_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"name": "ask", "p50": 20.0, "p95": 90.0, "p99": 200.0}
    reports = [PartReport("load", found={"runs": {}}), PartReport("mix", found={"rows": [row]})]
    assert [picture.file.name for picture in pictures.draw(reports, tmp_path)] == ["performance-mix.svg"]
    assert "no picture “rates”" in capsys.readouterr().err
