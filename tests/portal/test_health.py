"""Health answers are fast, honest, and never a 500."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
import pytest
from django.test import Client
from redis.exceptions import ConnectionError as RedisConnectionError

from portal import health


def broken(error: Exception) -> Any:
    def fail() -> bool:
        raise error

    return fail


def test_live_asks_nobody(client: Client) -> None:
    """Without the ``db`` fixture any query would fail."""
    started = time.perf_counter()
    assert client.get("/healthz/live").json() == {"status": "ok"}
    assert time.perf_counter() - started < 1


def test_ready(client: Client, db: None) -> None:
    response = client.get("/healthz/ready")
    assert response.status_code == 200
    assert response.json()["checks"]["database"] == response.json()["checks"]["migrations"] == "ok"


def test_without_redis_it_serves(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "redis_answers", broken(RedisConnectionError("gone")))
    response = client.get("/healthz/ready")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["checks"]["redis"] == "unavailable"


def test_without_the_database_it_does_not(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "database_answers", broken(psycopg.OperationalError("password=x")))
    response = client.get("/healthz/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["migrations"] == "unknown"
    assert b"password" not in response.content


def test_a_database_that_is_not_there_is_noticed_fast(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {**health.probe_parameters(), "host": "/nowhere"}
    monkeypatch.setattr(health, "probe_parameters", lambda: elsewhere)
    started = time.perf_counter()
    assert client.get("/healthz/ready").status_code == 503
    assert time.perf_counter() - started < 3


def test_the_probe_keeps_its_connection_and_outlives_a_restart(client: Client, db: None) -> None:
    def backend() -> int:
        assert client.get("/healthz/ready").status_code == 200
        assert health._kept is not None
        return health._kept[1].info.backend_pid

    first = backend()
    assert backend() == first
    with psycopg.connect(**health.probe_parameters(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [first])
    assert backend() != first


def test_a_database_that_hangs_is_unavailable(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(health, "HANGS_AFTER_SECONDS", 0.2)
    monkeypatch.setattr(health, "probed", lambda: released.wait(30))
    for _ in range(2):
        assert client.get("/healthz/ready").json()["checks"]["database"] == "unavailable"
    released.set()
    monkeypatch.undo()
    assert health.PROBE.submit(lambda: "free").result(5) == "free"
