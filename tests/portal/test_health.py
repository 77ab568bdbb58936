"""Health answers are fast, honest, and never a 500."""

from __future__ import annotations

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
