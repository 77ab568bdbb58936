"""Readers of environment variables that fail loudly. Used by ``settings`` alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def boolean(name: str, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")


def integer(name: str, default: int, minimum: int = 0) -> int:
    value = text(name)
    try:
        number = int(value) if value else default
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None
    if number < minimum:
        raise ImproperlyConfigured(f"{name} must be at least {minimum}, not {number}.")
    return number


def share(name: str, default: float) -> float:
    """A number from 0 to 1."""
    value = text(name)
    try:
        number = float(value) if value else default
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number, not {value!r}.") from None
    if not 0 <= number <= 1:
        raise ImproperlyConfigured(f"{name} must be from 0 to 1, not {number}.")
    return number


def words(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def database(url: str, name: str) -> dict[str, Any]:
    """``postgres://user:password@host:port/database?sslmode=require`` as Django's dictionary."""
    parts = urlsplit(url)
    if not url:
        raise ImproperlyConfigured(f"{name} is missing: set both DATABASE_URL and REDIS_URL, or neither.")
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{name} must begin with postgres:// or postgresql://.")
    if not parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} names no database.")
    return {
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": dict(parse_qsl(parts.query, strict_parsing=bool(parts.query))),
    }


def kept_secret(path: Path) -> str:
    """The secret kept in ``path``; made up at first need, readable by the owner only."""
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(secrets.token_urlsafe(50))
    try:
        os.link(fresh, path)  # whoever comes first wins, and all read the same
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text()
