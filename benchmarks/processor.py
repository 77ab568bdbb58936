"""Who uses the processor while a portal serves: its processes by what they do, and the client."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.portal import Portal, Process, processes

#: It only holds the embedded servers, and is nobody's.
OWNER = "portal.embedded.owner"
WATCHER = "py-spy"
TICK = os.sysconf("SC_CLK_TCK")


def groups(portal: Portal) -> dict[str, list[int]]:
    """Process ids of the web server, the worker, Postgres and Redis, each with all that it started behind."""
    assert portal.process is not None
    every = processes()
    worker, postmaster, redis = portal.child("manage.py worker"), portal.postmaster(), portal.redis()
    found = {
        "worker": descendants(every, worker),
        "Postgres": descendants(every, postmaster),
        "Redis": descendants(every, redis),
    }
    taken = {pid for pids in found.values() for pid in pids} | {portal.process.pid, portal.child(OWNER)}
    rest = descendants(every, portal.process.pid)
    return {"web": [pid for pid in rest if pid not in taken], **found}


def descendants(every: list[Process], root: int | None) -> list[int]:
    """``root`` and all below it; nothing when there is none."""
    if root is None:
        return []
    below = [child for one in every if one.parent == root for child in descendants(every, one.pid)]
    return [root, *below]


def clients(portal: Portal) -> list[int]:
    """This process and the tools that it runs, without the portal and who looks at it."""
    assert portal.process is not None
    every = [one for one in processes() if WATCHER not in one.command]
    served = descendants(every, portal.process.pid)
    return [pid for pid in descendants(every, os.getpid()) if pid not in served]


def seconds(pid: int, *, waited_for: bool = True) -> float:
    """Processor time of a process and of the children that it has waited for; 0 when it has ended."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11 : 15 if waited_for else 13])) / TICK
    return 0.0


def usage(portal: Portal) -> dict[str, float]:
    """Seconds so far, by group."""
    found = {name: sum(map(seconds, pids)) for name, pids in groups(portal).items()}
    return {**found, "client": sum(seconds(pid, waited_for=False) for pid in clients(portal))}


@contextmanager
def measured_usage(portal: Portal) -> Iterator[dict[str, float]]:
    """Cores that each group used on average, ``wall`` seconds long; there when it is over."""
    found: dict[str, float] = {}
    before, began = usage(portal), time.monotonic()
    yield found
    wall, after = time.monotonic() - began, usage(portal)
    found |= {name: round(max(0.0, after[name] - before.get(name, 0.0)) / wall, 3) for name in after}
    found["wall"] = round(wall, 1)


def shares(cores: Mapping[str, float]) -> dict[str, int]:
    """Percent of all that was used."""
    used = {name: value for name, value in cores.items() if name != "wall"}
    total = sum(used.values()) or 1.0
    return {name: round(100 * value / total) for name, value in used.items()}
