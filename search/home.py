"""The first page: one box, what came last, what is being read, and where to begin when there is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from documents import samples
from documents.models import Document, Status
from documents.partial import render_part
from documents.querysets import CANCELLED
from documents.views import signed_in
from search.models import Conversation

if TYPE_CHECKING:
    from django.contrib.auth.models import User

RECENT = 6
WAITING = Q(status__in=[Status.QUEUED, Status.PROCESSING])
FAILED = Q(status=Status.FAILED) & ~Q(reason=CANCELLED)


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    return render_part(request, "home.html", "_home.html", shown(signed_in(request)))


def shown(user: User) -> dict[str, Any]:
    """Five queries, however much there is."""
    documents = Document.objects.visible_to(user)
    rows = documents.defer("metadata", "error_detail")
    given = dict(documents.samples_of(user).values_list("sha256", "status"))
    return {
        "total": documents.aggregate(
            all=Count("pk"),
            waiting=Count("pk", filter=WAITING),
            failed=Count("pk", filter=FAILED),
        ),
        "recent": rows[:RECENT],
        "on_the_way": rows.filter(WAITING)[:RECENT],
        "conversations": Conversation.objects.visible_to(user)[:RECENT],
        "samples": bool(given),
        "questions": samples.questions(sha for sha, status in given.items() if status == Status.READY),
    }
