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
def _nothing_called() -> None:
    CALLED.clear()


def call(name: str) -> bool:
    return sweep.call_if_due(f"{HERE}.{name}", 3600)


def test_each_is_called_once_in_its_time() -> None:
    assert call("first")
    assert not call("first")
    cache.delete(f"periodic:{HERE}.first")
    assert call("first")
    assert CALLED == ["first", "first"]


def test_what_raises_is_told_and_has_had_its_turn(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="documents.sweep"):
        assert call("failing")
    assert f"{HERE}.failing failed" in caplog.text
    assert not call("failing")


def test_nothing_is_called_while_another_process_is_at_it() -> None:
    name = f"periodic:{HERE}.first"
    with psycopg.connect(**other_session()) as other:
        other.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        assert not call("first")
        assert call("failing"), "each has a lock of its own: one may take long"
        other.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])
    assert call("first")


def test_without_redis_nothing_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "add", lambda *args, **kwargs: False)
    assert not call("first")


def other_session() -> dict[str, Any]:
    given = connection.get_connection_params()
    return {name: given[name] for name in ("dbname", "user", "password", "host", "port") if name in given}
