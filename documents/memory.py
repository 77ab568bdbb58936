"""Memory that was freed, given back to the system."""

from __future__ import annotations

import contextlib
import ctypes


def give_back() -> None:
    """glibc keeps what was freed for what may come. Another libc has no such call, and nothing happens."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
