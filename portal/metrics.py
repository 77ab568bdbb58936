"""What the portal counts about its doors, and the page where Prometheus reads everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as Total
from prometheus_client.registry import Collector

from documents.exposition import counted
from portal.accounts.authentication import bearer_secret, user_for_token
from portal.problems import problem

request_latency_seconds = Histogram(
    "request_latency_seconds",
    "Time from a request's arrival to the start of its answer.",
    ["method", "endpoint"],
    buckets=settings.PROMETHEUS_LATENCY_BUCKETS,
)

sockets_open = Gauge("sockets_open", "WebSockets that are open.", multiprocess_mode="livesum")
# ``kind``: short and long requests, sockets, files that are being received (``portal.admission``).
requests_in_flight = Gauge(
    "requests_in_flight", "Requests that have a place.", ["kind"], multiprocess_mode="livesum"
)
requests_waiting = Gauge(
    "requests_waiting", "Requests that wait for a place.", ["kind"], multiprocess_mode="livesum"
)
requests_refused_total = Total("requests_refused_total", "Requests refused for want of a place.", ["kind"])

#: Kinds of what is kept, in words.
KINDS = {
    "responses": _("whole responses to searches"),
    "facets": _("facets of searches"),
    "results": _("results of searches"),
    "answers": _("answers"),
    "semantic": _("answers to other wordings"),
}


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Everything counted, over all processes when there are several."""
    if not may_read(request):
        return problem(request, 403, "Metrics are for this machine and for staff.")
    return HttpResponse(generate_latest(registry()), content_type=CONTENT_TYPE_LATEST)


def registry() -> CollectorRegistry:
    """What was counted here, and what is asked of database and Redis for the portal as a whole."""
    gathered = counted()
    for collector in at_scrape():
        gathered.register(collector)
    return gathered


def at_scrape() -> tuple[Collector, ...]:
    """What is of the portal and not of a process, so that it is asked once for each scrape."""
    from documents.backlog import Backlog
    from search.audit import LastAudit

    return Backlog(), LastAudit()


@dataclass(frozen=True, slots=True)
class CacheShare:
    """Of one kind of what is kept: how often it was asked for, and which share of it was there (0 to 1)."""

    kind: str
    asked: int
    share: float

    @property
    def label(self) -> str:
        return str(KINDS.get(self.kind, self.kind))


def cache_shares() -> list[CacheShare]:
    """Since the processes started."""
    hits: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for kind, outcome, count in cache_counts():
        asked[kind] += count if outcome in ("hit", "miss") else 0
        hits[kind] += count if outcome == "hit" else 0
    return [CacheShare(kind, asked[kind], hits[kind] / asked[kind]) for kind in sorted(asked) if asked[kind]]


def cache_counts() -> Iterator[tuple[str, str, int]]:
    for family in counted().collect():
        if family.name == "search_cache":
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    yield sample.labels["kind"], sample.labels["outcome"], int(sample.value)


def may_read(request: HttpRequest) -> bool:
    return is_local(request) or is_scraper(request) or is_staff(request)


def is_scraper(request: HttpRequest) -> bool:
    """Who knows the setting ``METRICS_TOKEN``, which opens nothing else."""
    known, secret = settings.METRICS_TOKEN, bearer_secret(request.headers.get("Authorization", ""))
    return bool(known and secret and constant_time_compare(secret, known))


def is_local(request: HttpRequest) -> bool:
    """A peer on this machine, and not a proxy on it that speaks for somebody else."""
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    peer = request.META.get("REMOTE_ADDR", "")
    try:
        return not forwarded and ip_address(peer).is_loopback
    except ValueError:
        return False


def is_staff(request: HttpRequest) -> bool:
    secret = bearer_secret(request.headers.get("Authorization", ""))
    user = request.user if secret is None else user_for_token(secret)
    return bool(user and user.is_active and user.is_staff)
