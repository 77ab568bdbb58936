"""Every invariant of what is stored, checked and, as far as that can be done, mended."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count
from django.utils.module_loading import import_string

from documents.integrity.types import EXAMPLES, Check, Finding
from documents.models import Chunk, Collection, Document, Embedding, Status
from documents.services import corpora_touch

__all__ = ["Check", "Finding", "check_integrity", "counts", "repair"]


def checks() -> Iterator[Check]:
    """Those of every app that keeps something (setting ``INTEGRITY_CHECKS``)."""
    for path in settings.INTEGRITY_CHECKS:
        yield from import_string(path)


def check_integrity() -> list[Finding]:
    """Every invariant, those that hold as well."""
    return [finding(check) for check in checks()]


def finding(check: Check) -> Finding:
    broken = check.find()
    return Finding(check.invariant, len(broken), tuple(broken[:EXAMPLES]), check.mend is not None)


def repair() -> list[Finding]:
    """Mend what can be mended; what was broken before. Whatever was found in that is not found any more."""
    found = []
    for check in checks():
        broken = check.find()
        if broken and check.mend:
            check.mend(broken)
        found.append(Finding(check.invariant, len(broken), tuple(broken[:EXAMPLES]), check.mend is not None))
    if any(each.breaches for each in found):
        corpora_touch(Collection.objects.values_list("pk", flat=True))
    return found


def counts() -> dict[str, int]:
    """What there is. ``accepted`` is the sum of ready, failed and on their way."""
    by_status = dict(Document.objects.but_binned().order_by().values_list("status").annotate(Count("pk")))
    return {
        "accepted": sum(by_status.values()),
        "ready": by_status.get(Status.READY, 0),
        "failed": by_status.get(Status.FAILED, 0),
        "on_their_way": by_status.get(Status.QUEUED, 0) + by_status.get(Status.PROCESSING, 0),
        "passages": Chunk.objects.count(),
        "vectors": Embedding.objects.count(),
    }
