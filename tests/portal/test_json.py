"""JSON by orjson says what Django REST framework's own renderer says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils.translation import gettext_lazy
from rest_framework.renderers import JSONRenderer

from portal.json_renderer import FastJSONRenderer

DATA: list[Any] = [
    {"text": "Ä – “quoted” \\ \u2028 \u2029 \x00 😀", "none": None, "flags": [True, False]},
    {"score": 0.123456, "small": 1e-7, "whole": 3.0, "large": 2**53},
    {
        "when": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "exact": Decimal("1.50"),
    },
    {"id": UUID(int=7), "lazy": gettext_lazy("Search"), "rows": (1, 2), 5: "a number for a key"},
    {"beyond": 2**70},
    [],
]


@pytest.mark.parametrize("data", DATA)
def test_it_says_the_same(data: Any) -> None:
    ours, theirs = FastJSONRenderer().render(data), JSONRenderer().render(data)
    assert json.loads(ours) == json.loads(theirs)
    assert b"\xe2\x80\xa8" not in ours


def test_nothing_is_nothing() -> None:
    assert FastJSONRenderer().render(None) == b""


def test_who_wants_to_read_it_gets_an_indent() -> None:
    assert FastJSONRenderer().render({"a": 1}, "application/json; indent=2") == b'{\n  "a": 1\n}'
