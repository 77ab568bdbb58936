"""How much memory there is, and what of it the embedded Postgres takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

MB = 2**20
#: Where a container's limit stands, by version of control groups.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
#: An eighth of the memory is kept for pages: a vector index of a million passages is 1.1 GB, and a walk
#: through its graph that asks the system for each page takes several times as long. Untouched it is free.
SHARE = 8
LEAST, MOST = 128 * MB, 4096 * MB


def usable() -> int:
    """Bytes: the machine's memory, or what a container may have of it."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *limits()])


def limits() -> Iterator[int]:
    for file in LIMITS:
        written = file.read_text().strip() if file.exists() else ""
        if written.isdecimal():
            yield int(written)


def for_pages(memory: int) -> int:
    """Bytes of ``memory`` that Postgres keeps its pages in (``shared_buffers``)."""
    return min(max(memory // SHARE, LEAST), MOST)


def as_setting(size: int) -> str:
    return f"{size // MB}MB"
