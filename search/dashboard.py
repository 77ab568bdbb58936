"""The curator's overview: what is read, what failed, what was asked, how well it is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from documents.models import Collection, Document
from documents.workload import FailureReason, Workload, failure_reasons, workload
from search.asked import AskedQuestion, Outcomes, most_asked, outcomes, without_answer
from search.audit import Audit, CollectionRecall, last_audit
from search.golden_chart import Chart, charts_of
from search.models import GoldenRun

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Of the audit's collections, the worst are listed.
RECALLS = 8


@dataclass(frozen=True, slots=True)
class Questions:
    """What everybody asked."""

    outcomes: Outcomes
    most: Sequence[AskedQuestion]
    unanswered: Sequence[AskedQuestion]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """``questions`` are None for curators: what somebody asked is theirs."""

    workload: Workload
    failures: Sequence[FailureReason]
    questions: Questions | None
    audit: Audit | None
    recalls: Sequence[CollectionRecall]
    charts: Sequence[Chart]


def dashboard_for(user: User) -> Dashboard:
    """Of the collections that ``user`` manages; of all for a superuser."""
    everything = Collection.objects.but_bins()
    collections = everything if user.is_superuser else everything.manageable_by(user)
    documents = Document.objects.filter(collection__in=collections.values("pk"))
    audit = last_audit()
    return Dashboard(
        workload=workload(documents),
        failures=failure_reasons(documents),
        questions=asked() if user.is_superuser else None,
        audit=audit,
        recalls=worst(audit, set(collections.values_list("slug", flat=True))) if audit else (),
        charts=charts_of(GoldenRun.objects.filter(collection__in=collections.values("pk"))),
    )


def asked() -> Questions:
    return Questions(outcomes(), most_asked(), without_answer())


def worst(audit: Audit, slugs: set[str]) -> Sequence[CollectionRecall]:
    managed = [row for row in audit.collections if row.collection in slugs]
    return sorted(managed, key=lambda row: (row.recall, row.collection))[:RECALLS]
