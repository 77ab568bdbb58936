"""Every write to answers and their logs while they run and when they end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max
from django.db.models.functions import Now
from django.utils import timezone

from documents.models import Document
from search.events import EventType
from search.exceptions import Interrupted, SearchError
from search.metrics import answers_total
from search.models import Answer, AnswerEvent, Citation
from search.receipts import documents_in, emptied, sealed
from search.representation import (
    fresh_sentence,
    problem,
    quote_boxes,
    refusal_row,
    sources_json,
    wording,
)
from search.types import Evidence, Outcome, Sources

#: Without a sign of life for this long, the process that wrote an answer is taken to be gone.
LAPSE = timedelta(seconds=20)

#: In the place of an event whose text is withdrawn while the answer is still being written: the log
#: keeps its numbers, for those who follow it.
WITHDRAWN = {"text": "", "citations": [], "supported": False, "withdrawn": True}

State = Answer.State


#: As a foreign key does it: it stands in the way of a deletion, and of nothing else.
LOCK_DOCUMENTS = "SELECT id FROM documents_document WHERE id = ANY(%s::uuid[]) ORDER BY id FOR KEY SHARE"


class Superseded(Exception):
    """Somebody else ended this answer: whoever writes it stops."""


def event_append(*, answer: UUID, seq: int, type: EventType, payload: Mapping[str, Any]) -> None:
    """One more entry of the log. ``IntegrityError`` when the number is taken."""
    AnswerEvent.objects.create(answer_id=answer, seq=seq, type=type, payload=payload)


@transaction.atomic
def sources_append(*, answer: UUID, seq: int, sources: Sources) -> None:
    """The ``sources`` event, together with the note of every document whose text is in it."""
    seen = {each.hit.document_id for each in sources.evidence}
    kept = still_there(seen)
    seen |= seen_by(answer)
    Answer.objects.filter(pk=answer).update(seen=sorted(seen))
    event_append(answer=answer, seq=seq, type="sources", payload=sources_json(sources, kept))


@transaction.atomic
def answer_finish(*, answer: UUID, seq: int, outcome: Outcome) -> None:
    """Keep the outcome, its citations and the ``done`` event, all or nothing."""
    cited = {each.hit.document_id for each in outcome.evidence}
    seen = seen_by(answer) | cited | documents_in(outcome.receipt)
    kept = still_there(seen)
    row = claimed(answer)
    row.state = State.STOPPED if outcome.stopped else State.DONE
    row.text, row.abstained = outcome.text, outcome.abstained
    row.sentences = [fresh_sentence(sentence) for sentence in outcome.sentences]
    row.timings, row.settings = outcome.timings, outcome.settings
    row.refusal = refusal_row(outcome.refusal)
    row.receipt = sealed(row.question, outcome)
    row.finished_at = timezone.now()
    row.seen = sorted(seen)
    row.save()
    Citation.objects.bulk_create(citation(row, e, e.hit.document_id in kept) for e in outcome.evidence)
    event_append(answer=answer, seq=seq, type="done", payload={})
    if seen - kept:
        wipe(answer, gone={e.n for e in outcome.evidence if e.hit.document_id not in kept})
    answers_total.labels("abstained" if outcome.abstained else row.state).inc()


@transaction.atomic
def answer_fail(*, answer: UUID, seq: int, error: SearchError, state: str = State.FAILED) -> None:
    """Keep the error and the ``error`` event."""
    seen = seen_by(answer)
    kept = still_there(seen)
    row = claimed(answer)
    row.state, row.error, row.finished_at = state, problem(error), timezone.now()
    row.save()
    event_append(answer=answer, seq=seq, type="error", payload=row.error)
    if seen - kept:
        wipe(answer)
    answers_total.labels(state).inc()


@transaction.atomic
def answer_interrupt(*, answer: UUID) -> bool:
    """End a running answer whose heartbeat lapsed. Only one of many callers does it."""
    lapsed = Answer.objects.filter(pk=answer, state=State.RUNNING, heartbeat_at__lt=Now() - LAPSE)
    if not lapsed.exists():
        return False
    still_there(seen_by(answer))
    if not lapsed.select_for_update(skip_locked=True).exists():
        return False
    last = AnswerEvent.objects.filter(answer=answer).aggregate(last=Max("seq"))["last"] or 0
    answer_fail(answer=answer, seq=last + 1, error=Interrupted(), state=State.INTERRUPTED)
    return True


def claimed(answer: UUID) -> Answer:
    """The row, locked. Raises ``Superseded`` when the answer has ended already or is gone."""
    row = Answer.objects.select_for_update().filter(pk=answer, state=State.RUNNING).first()
    if row is None:
        raise Superseded
    return row


def seen_by(answer: UUID) -> set[UUID]:
    return set(Answer.objects.filter(pk=answer).values_list("seen", flat=True).first() or ())


def still_there(documents: Collection[UUID]) -> set[UUID]:
    """Those that were not deleted so far; they stay until the transaction ends.

    Always before the answer's row is locked: who deletes a document locks in this order too.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK_DOCUMENTS, [sorted(documents)])
        return {pk for (pk,) in cursor.fetchall()}


def citation(answer: Answer, evidence: Evidence, kept: bool) -> Citation:
    hit = evidence.hit
    return Citation(
        answer=answer,
        n=evidence.n,
        document_id=hit.document_id if kept else None,
        chunk_id=hit.chunk_id,
        content_hash=hit.content_hash,
        page=hit.page,
        quote=evidence.quote if kept else "",
        start=hit.start + evidence.start,
        end=hit.start + evidence.end,
        boxes=[list(box) for box in quote_boxes(evidence)] if kept else [],
        withdrawn=not kept,
    )


# --- When a document is deleted ---------------------------------------------------------------


@transaction.atomic
def quotes_withdraw(*, document: UUID) -> None:
    """Wipe what answers say of a document that is being deleted, from citations, text and logs."""
    # An answer that is being stored holds the row: wait for it, then what it saw is known here.
    list(Document.objects.select_for_update(of=("self",)).filter(pk=document).values_list("pk"))
    rows = Citation.objects.filter(document_id=document)
    saw = Answer.objects.filter(seen__contains=[document]).order_by("pk").values_list("pk", flat=True)
    touched: dict[UUID, set[int]] = {pk: set() for pk in saw}
    for answer, n in rows.values_list("answer_id", "n"):
        touched.setdefault(answer, set()).add(n)
    rows.update(quote="", boxes=[], withdrawn=True)
    for answer, numbers in sorted(touched.items()):
        wipe(answer, gone=numbers)


@transaction.atomic
def answers_wipe(*, answers: Iterable[UUID | str]) -> None:
    """Wipe what these answers still say of documents that are gone."""
    gone = Citation.objects.filter(answer__in=list(answers), document__isnull=True)
    gone.update(quote="", boxes=[], withdrawn=True)
    for pk in Answer.objects.filter(pk__in=list(answers)).order_by("pk").values_list("pk", flat=True):
        wipe(pk)


def wipe(pk: UUID, gone: Collection[int] = ()) -> None:
    """Blank the sentences that rest on withdrawn citations alone, and the texts of the receipt; leave nothing
    of the log but its end.
    """
    answer = Answer.objects.select_for_update().filter(pk=pk).first()
    if answer is None:
        return
    withdrawn = {*gone, *answer.citations.filter(withdrawn=True).values_list("n", flat=True)}
    answer.sentences = [blanked(sentence, withdrawn) for sentence in answer.sentences]
    answer.text = wording(answer.sentences)
    answer.receipt = emptied(answer.receipt)
    answer.save(update_fields=["sentences", "text", "receipt"])
    said = answer.events.exclude(type__in=["started", "done", "error"])
    if answer.state == State.RUNNING:
        said.update(payload=WITHDRAWN)
    else:
        answer.events.exclude(type__in=["done", "error"]).delete()


def blanked(sentence: dict[str, Any], withdrawn: set[int]) -> dict[str, Any]:
    cited = sentence["citations"]
    if cited and withdrawn.issuperset(cited):
        return {**sentence, "text": "", "withdrawn": True}
    return sentence
