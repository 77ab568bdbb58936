"""Golden questions and their runs: every write to them, and when a run is due by itself.

A run asks as the collection's owner, so it sees what a member would. One that was begun says every few
seconds that it lives; whoever finds one that was silent for too long (``dead_runs``) marks it failed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from documents.models import Chunk, Collection, Document
from documents.spaces import active_space
from search import evaluation
from search.exceptions import SearchError
from search.models import GoldenDocument, GoldenQuestion, GoldenRun, Tuning
from search.questions import Place, Question
from search.scores import percentile, retrieval_intervals, retrieval_scores
from search.types import Filters

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

Why, State = GoldenRun.Why, GoldenRun.State
#: A document that answers, and its page when that is known.
Expected = Sequence[tuple[Document, int | None]]

BEAT_SECONDS = 2.0
SILENT = timedelta(seconds=60)
#: The same while a worker has its job: it may be loading a model, or have much else to do.
HELD_SILENT = timedelta(minutes=10)
#: Two workers with different settings, during a deployment, must not ask in turns.
SETTLED = timedelta(minutes=15)
#: Documents come and go: asked again after so long.
SCHEDULE = timedelta(days=1)
#: So often a run that was started by itself is tried under the same settings.
TRIES = 3
ENDED_EARLY = "The worker stopped while it was asking."


class AlreadyAsked(SearchError):
    """The golden questions of this collection are being asked already."""

    code = "already-asked"
    status = 409


class NothingToAsk(SearchError):
    """This collection has no golden question with a document that is there."""

    code = "nothing-to-ask"
    status = 409


class Abandoned(Exception):
    """The run was given up or deleted meanwhile."""


# --- Questions ------------------------------------------------------------------------------


@transaction.atomic
def question_create(
    *,
    collection: Collection,
    question: str,
    answer: str = "",
    answerable: bool = True,
    expected: Expected = (),
    origin: str = "",
    user: User | None = None,
) -> GoldenQuestion:
    golden = GoldenQuestion(collection=collection, origin=origin, created_by=user)
    return question_update(
        golden=golden, question=question, answer=answer, answerable=answerable, expected=expected
    )


@transaction.atomic
def question_update(
    *,
    golden: GoldenQuestion,
    question: str | None = None,
    answer: str | None = None,
    answerable: bool | None = None,
    expected: Expected | None = None,
) -> GoldenQuestion:
    """Change what is given. ``expected`` takes the place of all that was expected before."""
    golden.question = " ".join((golden.question if question is None else question).split())
    golden.answer = (golden.answer if answer is None else answer).strip()
    golden.answerable = golden.answerable if answerable is None else answerable
    golden.full_clean()
    golden.save()
    if expected is not None:
        check_expected(golden.collection, golden.answerable, expected)
        golden.expected.all().delete()
        rows = (GoldenDocument(question=golden, document=each, page=page) for each, page in expected)
        GoldenDocument.objects.bulk_create(rows)
    return golden


def check_expected(collection: Collection, answerable: bool, expected: Expected) -> None:
    """Raises ``ValidationError`` when these cannot be what answers a question of this collection."""
    if expected and not answerable:
        raise ValidationError(_("A question that cannot be answered has no document that answers it."))
    if len(set(expected)) < len(expected):
        raise ValidationError(_("The same document and page stand here twice."))
    for document, page in expected:
        if document.collection_id != collection.pk:
            raise ValidationError(_("“%s” is in another collection.") % document)
        if page is not None and not 1 <= page <= (document.page_count or page):
            text = _("“%(document)s” has no page %(page)s: it has %(count)s.")
            values = {"document": document, "page": page, "count": document.page_count}
            raise ValidationError(text % values)


@transaction.atomic
def answers_withdraw(*, document: UUID) -> None:
    """Before a document goes: an answer that no other document backs may be its very words, and goes too."""
    meant = GoldenDocument.objects.filter(document=document).values("question")
    # One deletion after the other: each of the last two would take the other's document for the last.
    locked = GoldenQuestion.objects.select_for_update(no_key=True).filter(pk__in=meant).order_by("pk")
    others = GoldenDocument.objects.filter(question=OuterRef("pk")).exclude(document=document)
    alone = GoldenQuestion.objects.filter(pk__in=[each.pk for each in locked]).exclude(Exists(others))
    alone.exclude(answer="").update(answer="")


@transaction.atomic
def question_delete(*, golden: GoldenQuestion) -> None:
    golden.delete()


# --- What produced the figures ----------------------------------------------------------------


def settings_of(collection: Collection) -> dict[str, Any]:
    """What ranks in this collection now. Another value of any of it makes figures incomparable."""
    return {**shared_settings(), "tuning": Tuning.for_search([collection.slug])}


def shared_settings() -> dict[str, Any]:
    space = active_space()
    served = {"model": space.model, "revision": space.revision[:12]} if space else None
    return {"space": served, **evaluation.stages("auto")}


def settings_fingerprint(produced_by: dict[str, Any]) -> str:
    """SHA-256 of settings, whatever order their keys are in."""
    return hashlib.sha256(json.dumps(produced_by, sort_keys=True, default=str).encode()).hexdigest()


# --- Runs -----------------------------------------------------------------------------------


def run(*, collection: Collection, why: str, user: User | None = None) -> GoldenRun:
    """Ask now, in this process. Raises ``AlreadyAsked`` and ``NothingToAsk``; a run may also end failed."""
    begun = run_create(collection=collection, why=why, user=user)
    run_perform(pk=begun.pk)
    begun.refresh_from_db()
    return begun


@transaction.atomic
def run_enqueue(*, collection: Collection, why: str, user: User | None = None) -> GoldenRun:
    """Let a worker ask. Raises ``AlreadyAsked`` and ``NothingToAsk``."""
    from search import tasks

    queued = run_create(collection=collection, why=why, user=user)
    tasks.enqueue(queued.pk)
    return queued


def run_create(*, collection: Collection, why: str, user: User | None) -> GoldenRun:
    if not collection.golden_questions.askable().exists():
        raise NothingToAsk
    produced_by = settings_of(collection)
    try:
        with transaction.atomic():
            return GoldenRun.objects.create(
                collection=collection,
                why=why,
                created_by=user,
                settings=produced_by,
                fingerprint=settings_fingerprint(produced_by),
            )
    except IntegrityError as error:
        raise AlreadyAsked from error


def run_perform(*, pk: int) -> None:
    """Ask the questions of a queued run; nothing when it is not queued (any more)."""
    waiting = GoldenRun.objects.filter(pk=pk, state=State.QUEUED)
    if not waiting.update(state=State.RUNNING, heartbeat_at=Now()):
        return
    collection = GoldenRun.objects.select_related("collection__owner").get(pk=pk).collection
    try:
        run_finish(pk=pk, **outcome(collection, Heart(pk).beat))
    except Abandoned:
        logger.warning("golden run %s was given up meanwhile", pk)
    except Exception as error:
        logger.exception("golden run %s failed", pk)
        run_fail(pk=pk, error=f"{type(error).__name__}: {error}"[:1000])


def run_finish(*, pk: int, **found: Any) -> None:
    """Raises ``Abandoned`` for a run that is not running any more."""
    if not GoldenRun.objects.filter(pk=pk, state=State.RUNNING).update(state=State.DONE, **found):
        raise Abandoned


def run_fail(*, pk: int, error: str) -> None:
    unfinished = GoldenRun.objects.filter(pk=pk, state__in=[State.QUEUED, State.RUNNING])
    unfinished.update(state=State.FAILED, error=error)


class Heart:
    """Says now and then that a run goes on."""

    def __init__(self, pk: int) -> None:
        self.running = GoldenRun.objects.filter(pk=pk, state=State.RUNNING)
        self.last = time.monotonic()

    def beat(self) -> None:
        if time.monotonic() - self.last < BEAT_SECONDS:
            return
        self.last = time.monotonic()
        if not self.running.update(heartbeat_at=Now()):
            raise Abandoned


@dataclass(frozen=True, slots=True)
class Measurement:
    """Golden questions that were asked: how each went, and how many could not be."""

    tally: evaluation.Tally
    questions: int
    left_out: int


def outcome(collection: Collection, beat: Callable[[], None]) -> dict[str, Any]:
    """The fields of a run that is done."""
    started = time.perf_counter()
    produced_by = settings_of(collection)
    asked = ask(collection, beat)
    beat()
    return {
        "settings": produced_by,
        "fingerprint": settings_fingerprint(produced_by),
        "corpus_version": collection.corpus_version,
        "scores": scores_of(asked.tally),
        "questions": asked.questions,
        "left_out": asked.left_out,
        "seconds": round(time.perf_counter() - started, 2),
    }


def ask(collection: Collection, beat: Callable[[], None] = lambda: None) -> Measurement:
    """Every question whose document is there, asked as the owner would. Raises ``NothingToAsk``."""
    questions = questions_of(collection)
    if not questions:
        raise NothingToAsk
    filters, tally = Filters(collections=(collection.slug,)), evaluation.Tally()
    evaluation.warm_up(collection.owner, filters, "hybrid", "auto")
    beat()
    for question in questions:
        result = evaluation.explained(question.text, collection.owner, filters, "hybrid", "auto")
        tally.add_search(question, evaluation.places_in(result, located), result.took_ms)
        beat()
    return Measurement(tally, len(questions), collection.golden_questions.without_document().count())


def questions_of(collection: Collection) -> list[Question]:
    """Those that can be measured, with documents by their id: a name may be another's tomorrow."""
    rows = collection.golden_questions.askable().prefetch_related("expected__document")
    return [Question(row.question, relevant_of(row), row.answer) for row in rows]


def relevant_of(golden: GoldenQuestion) -> tuple[tuple[str, int | None], ...]:
    """What is expected and could be found; as ``querysets.expected_here``."""
    return tuple(
        (str(each.document_id), each.page)
        for each in golden.expected.all()
        if each.document.collection_id == golden.collection_id and each.document.chunk_count > 0
    )


def located(chunks: Iterable[int]) -> dict[int, Place]:
    """Document and page of each passage."""
    rows = Chunk.objects.filter(pk__in=list(chunks)).values_list("pk", "document_id", "page_start")
    return {pk: (str(document), page) for pk, document, page in rows}


def scores_of(tally: evaluation.Tally) -> dict[str, Any]:
    levels = tally.levels.items()
    return {
        **{level: retrieval_scores(rankings) for level, rankings in levels},
        "intervals": {level: retrieval_intervals(rankings) for level, rankings in levels},
        "asked": {level: len(rankings) for level, rankings in levels},
        "latency_ms": {"p50": percentile(tally.search_ms, 0.5), "p95": percentile(tally.search_ms, 0.95)},
    }


# --- By itself ------------------------------------------------------------------------------


def sweep() -> None:
    """What a worker does every few seconds: runs that died are failed, those that are due are queued."""
    for pk in dead_runs():
        give_up(pk)
    runs = list(GoldenRun.objects.latest_of_each().select_related("collection"))
    if not runs:
        return
    shared, tunings = shared_settings(), dict(Tuning.objects.values_list("collection", "parameters"))
    for last in runs:
        now = {**shared, "tuning": tunings.get(last.collection_id) or None}
        if (why := due(last, now)) is not None:
            begin(last.collection, why)


def give_up(pk: int) -> None:
    from search import tasks

    logger.warning("golden run %s was silent for too long", pk)
    run_fail(pk=pk, error=ENDED_EARLY)
    tasks.close(pk)


def begin(collection: Collection, why: str) -> None:
    try:
        run_enqueue(collection=collection, why=why)
    except (AlreadyAsked, NothingToAsk) as error:
        logger.debug("no golden run of %s: %s", collection.slug, error)


def dead_runs() -> list[int]:
    """Silent ones that no job will end: there is none, or a worker took it along when it died.

    What waits is not dead however long the queue, and neither is what a worker took or told of lately.
    """
    from search import tasks

    now = timezone.now()
    unfinished = GoldenRun.objects.filter(state__in=[State.QUEUED, State.RUNNING])
    silent = unfinished.filter(heartbeat_at__lt=now - SILENT).exclude(pk__in=tasks.waiting())
    taken = tasks.taken()
    return [
        run.pk
        for run in silent
        if run.pk not in taken or max(taken[run.pk], run.heartbeat_at) < now - HELD_SILENT
    ]


def due(last: GoldenRun, now: dict[str, Any]) -> str | None:
    """Why a collection whose last run is ``last`` is to be asked again under the settings ``now``, or None.

    The first run is asked for by somebody: questions are written one after the other.
    """
    if last.state in (State.QUEUED, State.RUNNING):
        return None
    fingerprint = settings_fingerprint(now)
    alike = GoldenRun.objects.filter(collection=last.collection_id, fingerprint=fingerprint)
    if last.fingerprint != fingerprint:
        lately = alike.filter(created_at__gt=timezone.now() - SETTLED).exists()
        return None if lately else changed(last.settings, now)
    if last.state == State.FAILED and last.why not in (Why.DEMAND, Why.COMMAND):
        done = alike.filter(state=State.DONE).order_by("-id").values_list("id", flat=True).first() or 0
        return last.why if alike.filter(id__gt=done).count() < TRIES else None
    grown = last.corpus_version != last.collection.corpus_version
    old = last.created_at < timezone.now() - SCHEDULE
    return Why.SCHEDULED if grown and old else None


def changed(before: dict[str, Any], now: dict[str, Any]) -> str:
    return Why.MODEL if before.get("space") != now.get("space") else Why.SETTING
