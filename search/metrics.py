"""What the read way counts and times, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

from search.types import Used

#: Bounds at what is promised: 60 ms for what is kept, 150, 200 and 250 ms for a search, 1.5 s for an answer.
BUCKETS = (
    *(0.002, 0.005, 0.01, 0.025, 0.06, 0.1, 0.15, 0.2, 0.25, 0.5),
    *(1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0),
)

stage_seconds = Histogram("search_stage_seconds", "Time of each stage.", ["stage"], buckets=BUCKETS)
search_seconds = Histogram(
    "search_seconds",
    "A search as a whole, by whether it was found among what is kept: yes or no.",
    ["cached"],
    buckets=BUCKETS,
)
searches_total = Counter(
    "searches_total", "Searches, by mode and what they had to do without.", ["mode", "degraded"]
)
rerank_skipped_total = Counter("search_rerank_skipped_total", "Searches whose first stage was sure.")
cache_total = Counter(
    "search_cache_total",
    "What was kept of results and answers: hit, miss, store, error, too_large.",
    ["kind", "outcome"],
)
answers_total = Counter("answers_total", "Answers, by how they ended.", ["outcome"])
first_token_seconds = Histogram("answer_first_token_seconds", "From question to first word.", buckets=BUCKETS)
answer_seconds = Histogram("answer_seconds", "From question to the end of the answer.", buckets=BUCKETS)
answers_running = Gauge("answers_running", "Answers being written.", multiprocess_mode="livesum")
answer_readers = Gauge("answer_readers", "Streams of answers that are followed.", multiprocess_mode="livesum")
llm_tokens_total = Counter("llm_tokens_total", "Tokens that the language model read and wrote.", ["kind"])
llm_circuit = Gauge(
    "llm_circuit",
    "The language model: 0 is asked, 1 is tried again, 2 is left alone after failures.",
    multiprocess_mode="livemax",
)


def count_tokens(used: Used) -> None:
    llm_tokens_total.labels("prompt").inc(used.prompt)
    llm_tokens_total.labels("completion").inc(used.completion)


class Stopwatch:
    """Milliseconds of each stage of one request; every one is observed for Prometheus as well."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.timings: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - started
            stage_seconds.labels(name).observe(seconds)
            self.timings[name] = round(self.timings.get(name, 0.0) + seconds * 1000, 2)

    def elapsed(self) -> float:
        """Milliseconds since the start."""
        return round((time.perf_counter() - self.started) * 1000, 2)


def usual_ms(stage: str) -> float:
    """Mean milliseconds of a stage in this process, so far."""
    count = total = 0.0
    for family in stage_seconds.collect():
        for sample in family.samples:
            if sample.labels.get("stage") == stage:
                total += sample.value if sample.name.endswith("_sum") else 0.0
                count += sample.value if sample.name.endswith("_count") else 0.0
    return round(total / count * 1000, 2) if count else 0.0
