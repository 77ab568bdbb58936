"""Whoever is going to wait long says so, and what let the request in lets another one in meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar


def stay() -> None:
    """Where nobody counts: in commands, in sockets."""


#: What ``portal.admission`` sets for each request. May be called from any thread, more than once.
step_aside: ContextVar[Callable[[], None]] = ContextVar("step_aside", default=stay)
