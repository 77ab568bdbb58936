"""How a document's way ends early, and how it begins again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from documents import metrics, progress, vocabulary
from documents.models import Document, DocumentIdentity, EventKind, Stage, Status
from documents.querysets import CANCELLED, DocumentQuerySet
from documents.services.collections import touch_corpus
from documents.services.documents import document_reindex
from documents.services.events import event_record
from documents.uploads import discard_former_file

if TYPE_CHECKING:
    from django.contrib.auth.models import User

STILL_SERVES = "What was read before is still found."
#: Of a reason as the history keeps it.
REASON_LENGTH = 300


def document_fail(
    *,
    document_id: UUID,
    reason: str,
    detail: str = "",
    version: int | None = None,
    user: User | None = None,
) -> None:
    """End a document that is on its way: ``failed``, with a sentence for people.

    What was indexed of a former file goes too: a failed document answers nothing. But when the same
    bytes were read before and were only to be read again, they stay ``ready``, with a notice. One that
    has ended stays so, and so does one whose content is another by now than the ``version`` at fault.
    """
    with transaction.atomic():
        document = Document.objects.select_for_update().filter(pk=document_id).first()
        if document is None or document.status not in (Status.QUEUED, Status.PROCESSING):
            return
        if version is not None and document.content_version != version:
            return
        document.stage, document.stage_done, document.stage_total = Stage.NONE, 0, 0
        document.error_detail = detail
        if document.chunk_count and document.indexed_file == document.file.name:
            serve_on(document, reason)
        else:
            fail(document, reason)
        document.save()
        record_end(document, reason, user)
        touch_corpus(document.collection_id)
    metrics.documents_processed_total.labels(document.status).inc()
    progress.announce(document)


def record_end(document: Document, reason: str, user: User | None) -> None:
    if reason == CANCELLED:
        event_record(document=document, kind=EventKind.CANCELLED, user=user)
    else:
        serves = document.status == Status.READY
        event_record(document=document, kind=EventKind.FAILED, reason=reason[:REASON_LENGTH], serves=serves)


def serve_on(document: Document, reason: str) -> None:
    why = "was cancelled." if reason == CANCELLED else f"did not work: {reason}"
    document.status, document.percent = Status.READY, 100
    document.notice = f"Reading this document again {why} {STILL_SERVES}"
    document.page_count = document.pages.count()


def fail(document: Document, reason: str) -> None:
    document.pages.all().delete()
    vocabulary.exchange(document.collection_id, vocabulary.words_of(document.pk))
    document.chunks.all().delete()
    DocumentIdentity.objects.filter(document=document).delete()
    discard_former_file(document)
    document.status, document.chunk_count = Status.FAILED, 0
    document.reason, document.notice = reason, ""


def document_cancel(*, document: Document, user: User | None = None) -> None:
    """Stop a document that is on its way: an upload ends failed with the reason ``cancelled``."""
    document_fail(document_id=document.pk, reason=CANCELLED, user=user)


def documents_retry(*, documents: DocumentQuerySet, user: User | None = None) -> int:
    """Queue each of ``documents`` again that failed and was not cancelled; how many these were."""
    with transaction.atomic():
        failed = list(documents.to_retry().select_for_update(of=("self",)))
        for document in failed:
            document_reindex(document=document, user=user)
    return len(failed)
