"""Readers of variables say which one is wrong."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal import environment as env


@pytest.mark.parametrize(("value", "expected"), [("", 0.0), ("0", 0.0), ("0.97", 0.97), ("1", 1.0)])
def test_a_share_is_from_0_to_1(monkeypatch: pytest.MonkeyPatch, value: str, expected: float) -> None:
    monkeypatch.setenv("SHARE", value)
    assert env.share("SHARE", 0.0) == expected


@pytest.mark.parametrize("value", ["much", "1.5", "-0.1", "nan"])
def test_what_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SHARE", value)
    with pytest.raises(ImproperlyConfigured, match="SHARE"):
        env.share("SHARE", 0.0)
