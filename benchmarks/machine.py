"""The machine a figure was taken on, to be printed beside it."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def describe() -> str:
    """Cores that may be used, memory, processor and whether it has VNNI (int8 products)."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    info = Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.+)", info)
    vnni = "VNNI" if "vnni" in info else "no VNNI"
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores ({name[1] if name else platform.machine()}, {vnni}), {memory:.0f} GiB, "
        f"Python {platform.python_version()}"
    )
