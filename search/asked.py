"""What people asked lately, told together: most asked, without an answer, how it was liked.

Whoever reads this reads other people's questions: it is for superusers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, OrderBy, Q, QuerySet, Window
from django.db.models.functions import FirstValue, Lower, RowNumber, Trim
from django.utils import timezone

from search.models import Answer

#: What is called lately.
LATELY = timedelta(days=30)
#: Lines of each list.
SHOWN = 10
LATEST = (F("created_at").desc(), F("pk").desc())


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """One wording, in large or small letters. ``latest``: its newest answer; ``refused`` found nothing."""

    latest: UUID
    question: str
    times: int
    refused: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many answers of late there are, and of these: refused, failed, and called helpful or not."""

    answers: int
    refused: int
    failed: int
    helpful: int
    unhelpful: int


def most_asked() -> list[AskedQuestion]:
    """Asked more than once, most often first."""
    return told(newest_of_each().filter(times__gt=1))


def without_answer() -> list[AskedQuestion]:
    """Those whose newest answer says that nothing was found."""
    return told(newest_of_each().filter(without=True))


def outcomes() -> Outcomes:
    counts = lately().aggregate(
        answers=Count("pk"),
        refused=Count("pk", filter=Q(abstained=True)),
        failed=Count("pk", filter=Q(state__in=[Answer.State.FAILED, Answer.State.INTERRUPTED])),
        helpful=Count("pk", filter=Q(feedback__rating=1)),
        unhelpful=Count("pk", filter=Q(feedback__rating=-1)),
    )
    return Outcomes(**counts)


def lately() -> QuerySet[Answer]:
    return Answer.objects.filter(created_at__gte=timezone.now() - LATELY).order_by()


def newest_of_each() -> QuerySet[Any]:
    """The newest finished answer to each wording, with ``times`` and ``refused`` of all of them."""
    rows = lately().filter(state=Answer.State.DONE).annotate(wording=Lower(Trim("question")))
    rows = rows.annotate(
        times=of_the_same(Count("pk")),
        refused=of_the_same(Count("pk", filter=Q(abstained=True))),
        # A plain condition on the column would leave rows out before they are counted.
        without=of_the_same(FirstValue("abstained"), *LATEST),
        newest=of_the_same(RowNumber(), *LATEST),
    )
    return rows.filter(newest=1)


def of_the_same(expression: Any, *order: OrderBy) -> Window:
    return Window(expression, partition_by=[F("wording")], order_by=list(order) or None)


def told(rows: QuerySet[Any]) -> list[AskedQuestion]:
    columns = ("pk", "question", "times", "refused", "created_at")
    ordered = rows.order_by("-times", "-created_at").values_list(*columns)
    return [AskedQuestion(*row) for row in ordered[:SHOWN]]
