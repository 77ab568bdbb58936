"""Figures of the parts of the benchmark from what they measured; the picture of growth."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import growth, replay, uploads

LEG = {"p50_ms": 4.0, "p95_ms": 9.0}
POINT: dict[str, Any] = {
    "passages": 1000,
    "vector": LEG,
    "bm25": LEG,
    "hybrid": LEG,
    "tables_and_indexes_mb": 9.0,
    "hnsw_mb": 2.0,
    "bm25_mb": 1.0,
    "postgres_mb": 90.0,
    "web_mb": 250.0,
}
EARLIER = {"command": "python -m benchmarks.scale 1000000", "machine": "a machine", "at": "2024-05-01"}
MILLION = {
    "passages": 1_000_000,
    "vector": LEG,
    "bm25": LEG,
    "hybrid": LEG,
    "hnsw_mb": 1.0,
    "earlier": EARLIER,
}


def test_what_was_measured_earlier_is_marked(tmp_path: Path) -> None:
    figures = list(growth.figures_of([POINT, MILLION]))
    assert [figure.note for figure in figures if "1,000 p" in figure.name] == [""] * 6
    assert all("2024-05-01, a machine" in figure.note for figure in figures if "1,000,000" in figure.name)
    text = "\n".join(growth.markdown([POINT, MILLION]))
    assert "| 1,000,000 * |" in text
    assert "`python -m benchmarks.scale 1000000`, 2024-05-01, a machine" in text


def test_the_kept_million_has_its_date() -> None:
    point = growth.kept_at(growth.MILLION)
    assert point is not None
    assert point["earlier"]["at"]
    assert point["hnsw_mb"] > 1000
    assert growth.kept_at(7) is None


@pytest.mark.skipif(not find_spec("matplotlib"), reason="matplotlib is not installed (make bench)")
def test_the_picture_names_every_line(tmp_path: Path) -> None:
    target = tmp_path / "growth.svg"
    growth.draw([POINT, MILLION], target)
    text = target.read_text()
    ElementTree.fromstring(text)
    assert all(name in text for name in ("vector, p50", "BM25, p95", "Postgres, resident"))


def test_errors_are_a_share_of_all_requests() -> None:
    spread = {"count": 3, "p50": 3.0, "p95": 12.0}
    report = {
        "health": {"live": spread, "ready": spread},
        "health_while_indexing": {"live": spread, "ready": spread},
        "uploads": spread,
        "answers": {"whole": {"p50": 900.0, "p95": 1400.0}},
        "errors": ["503"],
        **{size: {"median": 1.0} for size, _, _ in uploads.SIZES},
        "hour": {"per_hour": 1200},
        "requests": 200,
    }
    found = {figure.name: figure for figure in uploads.figures_of(report)}
    assert found["uploads, health and answers, errors"].value == 0.5
    assert found["answer, p95"].met is True
    assert found["health, p95"].met is False


def test_the_hit_rate_stands_beside_that_of_a_perfect_cache() -> None:
    report = {"searches": 1000, "changes": 2, "hits": 495, "ideal_hits": 500, "wrong": [], "compared": 50}
    report |= {"compared_hits": 30, "hit_ms": {"count": 495, "p50": 1.0}, "miss_ms": {"count": 0}}
    found = {figure.name: figure for figure in replay.figures_of(report)}
    assert found["cache hit rate"].peer == "a perfect cache: 50.00 %"
    assert found["cache hit rate beside the ideal"].value == 0.99
    assert found["cache hit rate beside the ideal"].met is True
    assert found["wrong cache hits"].met is True
