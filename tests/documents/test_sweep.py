"""What the worker calls now and then: at most so often, one at a time, whatever the others do."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
import pytest
from django.core.cache import cache
from django.db import connection

from documents import sweep

pytestmark = pytest.mark.django_db

CALLED: list[str] = []
HERE = "tests.documents.test_sweep"


def first() -> None:
    CALLED.append("first")


def failing() -> None:
    CALLED.append("failing")
    raise RuntimeError("out of luck")


@pytest.fixture(autouse=True)
def _periodic(settings: Any) -> None:
    CALLED.clear()
    settings.PERIODIC = {f"{HERE}.failing": 3600, f"{HERE}.first": 3600}


def test_each_is_called_once_in_its_time(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="documents.sweep"):
        assert sweep.run_periodic() == [f"{HERE}.failing", f"{HERE}.first"]
    assert CALLED == ["failing", "first"], "what raises does not keep the others from running"
    assert f"{HERE}.failing failed" in caplog.text
    assert sweep.run_periodic() == []
    cache.delete(f"periodic:{HERE}.first")
    assert sweep.run_periodic() == [f"{HERE}.first"]


def test_nothing_is_called_while_another_process_is_at_it() -> None:
    with psycopg.connect(**other_session()) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('documents.periodic'))")
        assert sweep.run_periodic() == []
        other.execute("SELECT pg_advisory_unlock(hashtext('documents.periodic'))")
    assert len(sweep.run_periodic()) == 2


def test_without_redis_nothing_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "add", lambda *args, **kwargs: False)
    assert sweep.run_periodic() == []


def other_session() -> dict[str, Any]:
    given = connection.get_connection_params()
    return {name: given[name] for name in ("dbname", "user", "password", "host", "port") if name in given}
