"""What is being read, what waits and what failed: counted for a curator's dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, F, Func, Max, Min, Q, TextField, Value
from django.utils import timezone

from documents.models import Stage, Status
from documents.querysets import DocumentQuerySet
from documents.sweep import STALLED_SECONDS

#: Reasons are listed down to the tenth.
REASONS = 10
#: What is called lately.
LATELY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StageCount:
    label: str
    documents: int


@dataclass(frozen=True, slots=True)
class Workload:
    """``ready`` and ``failed``: ended within the last day. ``since``: when the oldest that waits came."""

    queued: int
    processing: int
    since: datetime | None
    stages: tuple[StageCount, ...]
    ready: int
    failed: int
    workers: int

    @property
    def stands_still(self) -> bool:
        """Documents wait, and nobody works."""
        return bool(self.queued or self.processing) and not self.workers


@dataclass(frozen=True, slots=True)
class FailureReason:
    """Failed documents that say the same, their numbers left out."""

    reason: str
    documents: int
    last: datetime


def workload(documents: DocumentQuerySet) -> Workload:
    """Three queries."""
    lately = timezone.now() - LATELY
    counts = documents.order_by().aggregate(
        queued=Count("pk", filter=Q(status=Status.QUEUED)),
        processing=Count("pk", filter=Q(status=Status.PROCESSING)),
        since=Min("updated_at", filter=Q(status=Status.QUEUED)),
        ready=Count("pk", filter=Q(status=Status.READY, indexed_at__gte=lately)),
        failed=Count("pk", filter=Q(status=Status.FAILED, updated_at__gte=lately)),
    )
    return Workload(**counts, stages=stages(documents), workers=workers_alive())


def stages(documents: DocumentQuerySet) -> tuple[StageCount, ...]:
    at_work = documents.filter(status=Status.PROCESSING).exclude(stage=Stage.NONE).order_by()
    found = dict(at_work.values_list("stage").annotate(n=Count("pk")))
    return tuple(StageCount(str(stage.label), found[stage]) for stage in Stage if stage in found)


def workers_alive() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - %s * interval '1 s'",
            [STALLED_SECONDS],
        )
        return int(cursor.fetchone()[0])


def failure_reasons(documents: DocumentQuerySet) -> list[FailureReason]:
    """The most frequent reasons of failure, first the one that most documents have."""
    alike = Func(
        F("reason"),
        Value(r"\d+"),
        Value("…"),
        Value("g"),
        function="regexp_replace",
        output_field=TextField(),
    )
    rows = documents.to_retry().order_by().annotate(alike=alike).values("alike")
    rows = rows.annotate(documents=Count("pk"), last=Max("updated_at")).order_by("-documents", "alike")
    return [FailureReason(row["alike"], row["documents"], row["last"]) for row in rows[:REASONS]]
