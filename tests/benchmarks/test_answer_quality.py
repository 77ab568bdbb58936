"""The tables and the picture of what is answered and refused."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.answer_quality import BOTTOM, LEFT, RIGHT, TOP, picture, told, x, y

SCORES: dict[str, Any] = {
    "answered": 3,
    "abstained": 1,
    "refusal_precision": 1.0,
    "refusal_recall": None,
    "citation_precision": 0.75,
    "right_page": 0.5,
    "supported_sentences": 1.0,
    "token_f1": 0.4,
    "exact_match": 0.25,
    "text_f1": 0.2,
    "risk_coverage": [(0.25, 0.0), (0.5, 0.0), (1.0, 0.5)],
}
SET: dict[str, Any] = {
    "folder": "pumps",
    "report": {"answers": SCORES, "latency_ms": {"answer_p50": 41.6}},
    "near": {"answered": 1, "abstained": 9},
    "near_kinds": {"name": 6, "number": 4},
}


def test_the_tables_say_what_was_measured() -> None:
    text = told({"machine": "a machine", "sets": [SET, {**SET, "folder": "trams", "near": None}]})
    assert "| pumps | 3 | 1 | 1.000 | – | .750 | .500 | 1.000 | .400 | .250 | .200 | 42 ms |" in text
    assert "| pumps | 10 (6 by name, 4 by number) | .900 |" in text
    assert text.count("trams") == 1


def test_the_picture_has_a_curve_for_each_set_and_a_tick_where_it_was_answered() -> None:
    root = ElementTree.fromstring(picture([SET, {**SET, "folder": "trams"}]))
    curves = [each.get("points") for each in root if each.tag.endswith("polyline")]
    assert len(curves) == 2
    assert curves[0] == f"{x(0.25)},{BOTTOM} {x(0.5)},{BOTTOM} {RIGHT},{y(0.5)}"
    ticks = [each.get("x1") for each in root if each.tag.endswith("line") and each.get("stroke-width") == "3"]
    assert ticks == [str(x(0.75))] * 2


@pytest.mark.parametrize(("share", "across", "up"), [(0.0, LEFT, BOTTOM), (1.0, RIGHT, TOP)])
def test_the_axes_span_the_plot(share: float, across: int, up: int) -> None:
    assert (x(share), y(share)) == (across, up)
