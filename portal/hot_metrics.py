"""Counts what the hot door answers where Django's middleware counts what it answers."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django_prometheus.middleware import Metrics

from portal.metrics import request_latency_seconds
from search.metrics import cache_total

VIEW = "api-search"


def count(status: int, size: int, seconds: float) -> None:
    """A response of so many bytes, after so many seconds."""
    for counter in counters(status):
        counter.inc()
    for histogram in latencies():
        histogram.observe(seconds)
    sizes().observe(size)


def missed() -> None:
    cache_total.labels("responses", "miss").inc()


@cache
def counters(status: int) -> tuple[Any, ...]:
    counted, transport = Metrics.get_instance(), "https" if settings.HTTPS_ONLY else "http"
    return (
        cache_total.labels("responses", "hit"),
        counted.requests_total,
        counted.responses_total,
        counted.requests_by_method.labels(method="GET"),
        counted.requests_by_transport.labels(transport=transport),
        counted.requests_by_view_transport_method.labels(view=VIEW, transport=transport, method="GET"),
        counted.responses_by_status.labels(status=str(status)),
        counted.responses_by_status_view_method.labels(status=str(status), view=VIEW, method="GET"),
    )


@cache
def latencies() -> tuple[Any, ...]:
    counted = Metrics.get_instance()
    return (
        request_latency_seconds.labels("GET", VIEW),
        counted.requests_latency_before,
        counted.requests_latency_by_view_method.labels(view=VIEW, method="GET"),
    )


@cache
def sizes() -> Any:
    return Metrics.get_instance().responses_body_bytes
