"""A light client for load: many requests at once over kept connections, each timed by itself.

Greenlets and a parser in C, in one process: what it takes of the processor is told beside what it measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from urllib.parse import urlsplit

from gevent.pool import Pool
from geventhttpclient import HTTPClient

TIMEOUT_SECONDS = 60.0


@dataclass
class Asked:
    """What came of a stretch of asking. ``times``: milliseconds of each request that was answered well."""

    times: list[float] = field(default_factory=list)
    #: Answered with 429 or 503 and told when to come back.
    refused: int = 0
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def total(self) -> int:
        return len(self.times) + self.refused + len(self.errors)

    @property
    def per_second(self) -> float:
        return len(self.times) / self.seconds

    @property
    def error_share(self) -> float:
        """In percent, refusals among them: whoever asked has no answer."""
        return 100 * (self.total - len(self.times)) / max(self.total, 1)

    @property
    def cpu_share(self) -> float:
        """Of one core, in percent."""
        return 100 * self.cpu_seconds / self.seconds

    def percentile(self, percent: int) -> float:
        if len(self.times) < 2:
            raise ValueError(f"{len(self.times)} answers are too few: {self.errors[:3]}")
        return quantiles(self.times, n=100, method="inclusive")[percent - 1]


def ask(
    address: str,
    paths: Sequence[str],
    *,
    headers: Mapping[str, str],
    at_once: int,
    seconds: float,
    wanted: bytes = b"",
) -> Asked:
    """GET each of ``paths`` once, ``at_once`` at a time, until they or the time are over.

    An answer that does not hold ``wanted`` counts as an error.
    """
    found, left = Asked(), iter(paths)
    parts = urlsplit(address)
    assert parts.hostname
    client = HTTPClient(
        parts.hostname,
        parts.port,
        headers=dict(headers),
        concurrency=at_once,
        connection_timeout=TIMEOUT_SECONDS,
        network_timeout=TIMEOUT_SECONDS,
    )
    begun, cpu = time.perf_counter(), time.process_time()
    pool = Pool(at_once)
    for _ in range(at_once):
        pool.spawn(one_after_another, client, left, begun + seconds, found, wanted)
    pool.join()
    client.close()
    found.seconds, found.cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu
    return found


def one_after_another(
    client: HTTPClient, left: Iterator[str], deadline: float, found: Asked, wanted: bytes
) -> None:
    for path in left:
        begun = time.perf_counter()
        if begun > deadline:
            return
        try:
            response = client.get(path)
            body = response.read()
        except OSError as error:
            found.errors.append(repr(error))
            continue
        taken = (time.perf_counter() - begun) * 1000
        if response.status_code == 200 and wanted in body:
            found.times.append(taken)
        elif response.status_code in (429, 503) and response.get("Retry-After"):
            found.refused += 1
        else:
            found.errors.append(f"{response.status_code}: {bytes(body[:200])!r}")
