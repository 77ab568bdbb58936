"""The number of this process, for counts that several processes share, without asking the kernel each time.

prometheus_client asks with every count whether the process was forked: sixteen questions for each request,
a tenth of what an answer from Redis takes. Here a fork says so itself.
"""

from __future__ import annotations

import os

from prometheus_client import values

_number = os.getpid()


def number() -> int:
    return _number


def note_fork() -> None:
    global _number
    _number = os.getpid()


def begin() -> None:
    """Before the first metric is made, where ``PROMETHEUS_MULTIPROC_DIR`` is set."""
    os.register_at_fork(after_in_child=note_fork)
    values.ValueClass = values.MultiProcessValue(number)  # type: ignore[no-untyped-call]
