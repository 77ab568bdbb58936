"""Stacks that py-spy saw, folded by what a Python process was doing: its stage, its module.

A line of ``py-spy record --format raw`` is a stack, the outermost frame first, and how often it was seen:
``serve (uvicorn/main.py:9);search (search/pipeline.py:99) 17``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

#: A stage, and how the paths of its files begin. The innermost frame that has one says what is being done, so
#: the standard library's work counts for whoever called it; the portal's own modules come by their names.
STAGES = (
    ("model", ("onnxruntime/", "tokenizers/", "documents/embedding/", "search/reranking/", "torch/")),
    ("psycopg", ("psycopg/", "psycopg_pool/", "psycopg_binary/", "django/db/backends/")),
    ("ORM", ("django/db/",)),
    ("Redis", ("redis/", "django_redis/", "hiredis/", "django/core/cache/")),
    ("JSON", ("json/", "orjson/", "rest_framework/renderers.py", "rest_framework/utils/encoders.py")),
    ("serializers", ("rest_framework/serializers.py", "rest_framework/fields.py", "rest_framework/utils/")),
    ("REST framework", ("rest_framework/", "drf_spectacular/")),
    ("middleware", ("portal/middleware.py", "django/middleware/", "django/contrib/", "servestatic/")),
    ("metrics", ("prometheus_client/", "portal/metrics.py", "search/metrics.py", "documents/metrics.py")),
    ("Django", ("django/",)),
    ("threads", ("asgiref/", "concurrent/", "threading.py", "queue.py")),
    (
        "server",
        ("uvicorn/", "granian/", "uvloop/", "asyncio/", "httptools/", "h11/", "channels/", "selectors.py"),
    ),
    ("parsing", ("documents/parsing/",)),
    ("cutting", ("documents/chunking.py", "documents/packing.py", "documents/sentences.py")),
)
OWN = ("search/", "documents/", "portal/")
OTHER = "other"
#: Innermost frames of threads that wait for something to do: they are left out of all shares.
IDLE = re.compile(
    r"(wait|_wait_for_tstate_lock) \(threading\.py|_worker \(concurrent/futures/thread\.py"
    r"|select \(selectors\.py|get \(queue\.py|_beat \(search/runner\.py"
)
FRAME = re.compile(r"^(?P<name>.*) \((?P<path>[^()]*?)(?::\d+)?\)$")

Stack = tuple[Sequence[str], int]


def read(text: str) -> Iterator[Stack]:
    """(paths of the frames, the outermost first; how often seen) of threads that were at work."""
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        if frames and count.isdigit() and not IDLE.search(frames.rpartition(";")[2]):
            yield [path for frame in frames.split(";") if (path := path_of(frame))], int(count)


def path_of(frame: str) -> str:
    """Of its file, from its package on; empty for what is no frame of Python's, as a thread's name."""
    found = FRAME.match(frame)
    if not found:
        return ""
    path = found["path"].replace("\\", "/")
    for mark in ("site-packages/", "python3.11/"):
        path = path.rpartition(mark)[2]
    return path


def stage_of(path: str) -> str:
    for stage, starts in STAGES:
        if path.startswith(starts):
            return stage
    return "own code" if path.startswith(OWN) else ""


def by_stage(stacks: Sequence[Stack]) -> dict[str, float]:
    """Percent of the samples, most first; what has no stage is ``other``."""
    counts: Counter[str] = Counter()
    for paths, count in stacks:
        counts[next((stage for path in reversed(paths) if (stage := stage_of(path))), OTHER)] += count
    return in_percent(counts)


def by_module(stacks: Sequence[Stack], most: int = 12) -> dict[str, float]:
    """Percent of the samples in which the innermost frame of the portal's own code is in a module.

    So a statement counts for the module that sent it.
    """
    counts: Counter[str] = Counter()
    for paths, count in stacks:
        counts[next((path for path in reversed(paths) if path.startswith(OWN)), OTHER)] += count
    return dict(list(in_percent(counts).items())[:most])


def in_percent(counts: Counter[str]) -> dict[str, float]:
    total = sum(counts.values()) or 1
    return {name: round(100 * count / total, 1) for name, count in counts.most_common()}
