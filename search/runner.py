"""Answers being written in this process: each in a thread, one heartbeat for all of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import ExitStack
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import DatabaseError, IntegrityError, connection
from django.db.models.functions import Now

from search import answer_cache, recording
from search.events import Event, EventType
from search.exceptions import SearchError, TooManyAnswers
from search.log import hub
from search.metrics import answer_seconds, answers_running, first_token_seconds
from search.models import Answer
from search.representation import fresh_sentence
from search.types import Filters, Outcome, Sentence, Sources, Step, Token, Turn, Waiting

if TYPE_CHECKING:
    from documents.querysets import User

logger = logging.getLogger(__name__)

#: Answers of one process; one more is refused. Each has a thread: most of its time it waits for a model.
ROOM = 128
#: Answers that look for their sources at a time: more would only wait for processor and connections.
TURNS = 4
HEARTBEAT_SECONDS = 5.0
STOP_CHECK_SECONDS = 0.5
#: Tokens are written to the log at most this often; with many answers less often, so that all of them
#: together are about a hundred writes a second.
COALESCE_SECONDS = 0.04
SECONDS_PER_ANSWER = 0.01


class Log:
    """The writing end of one answer's log. Holds no connection between two entries."""

    def __init__(self, answer: UUID, seq: int, pause: Callable[[], float] = lambda: COALESCE_SECONDS) -> None:
        self.answer = answer
        self.seq = seq
        self.pause = pause
        self.started = time.monotonic()
        self._words: list[str] = []
        self._flushed = 0.0

    def take(self, step: Step) -> None:
        match step:
            case Token(text):
                self._word(text)
            case Waiting():
                self.flush()
            case Sources():
                self._sources(step)
            case Sentence():
                self.write("sentence", fresh_sentence(step))
            case Outcome():
                self._end(step)

    def write(self, type: EventType, payload: dict[str, object]) -> None:
        self.flush()
        self._append(type, payload)

    def flush(self) -> None:
        if self._words:
            text, self._words = "".join(self._words), []
            self._flushed = time.monotonic()
            self._append("token", {"text": text})

    def fail(self, error: SearchError) -> None:
        self.flush()
        recording.answer_fail(answer=self.answer, seq=self._next(), error=error)
        self._told()

    def _word(self, text: str) -> None:
        if not self._flushed:
            first_token_seconds.observe(time.monotonic() - self.started)
        self._words.append(text)
        if time.monotonic() - self._flushed >= self.pause():
            self.flush()

    def _sources(self, sources: Sources) -> None:
        self.flush()
        recording.sources_append(answer=self.answer, seq=self._next(), sources=sources)
        self._told()

    def _end(self, outcome: Outcome) -> None:
        self.flush()
        recording.answer_finish(answer=self.answer, seq=self._next(), outcome=outcome)
        answer_seconds.observe(time.monotonic() - self.started)
        self._told()

    def _append(self, type: EventType, payload: dict[str, object]) -> None:
        event = Event(self.answer, self._next(), type, payload)
        recording.event_append(answer=self.answer, seq=event.seq, type=type, payload=payload)
        connection.close()
        hub.tell(event)

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def _told(self) -> None:
        connection.close()
        hub.kick(self.answer)


class Runner:
    """Starts answers, keeps their hearts beating, passes on who asked to stop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(ROOM, thread_name_prefix="answer")
        self._turns = threading.BoundedSemaphore(TURNS)
        self._lock = threading.Lock()
        self._stops: dict[UUID, threading.Event] = {}
        self._futures: dict[UUID, Future[None]] = {}
        self._beating = False

    def check_room(self) -> None:
        """Raises ``TooManyAnswers`` when no other answer can be begun here."""
        if len(self._stops) >= ROOM:
            raise TooManyAnswers

    def start(self, answer: Answer, user: User, filters: Filters, history: Sequence[Turn]) -> None:
        """Begin in the background; the log has its first entry already."""
        with self._lock:
            self._stops[answer.pk] = stop = threading.Event()
            self._futures[answer.pk] = self._pool.submit(self._run, answer, user, filters, history, stop)
            if not self._beating:
                self._beating = True
                threading.Thread(target=self._beat, name="answer-heartbeat", daemon=True).start()
        answers_running.inc()

    def stop(self, answer: UUID) -> None:
        if stop := self._stops.get(answer):
            stop.set()

    def wait(self, answer: UUID, timeout: float) -> None:
        """Until the answer ends or the time is up, when it is written here; else it returns at once."""
        if future := self._futures.get(answer):
            wait_for([future], timeout)

    def pause(self) -> float:
        """Seconds between two writes of one answer's words."""
        return max(COALESCE_SECONDS, SECONDS_PER_ANSWER * len(self._stops))

    def in_turn(self, steps: Iterator[Step]) -> Iterator[Step]:
        """The steps, of a few answers at a time until their sources are known: so far this machine works."""
        with ExitStack() as turn:
            turn.enter_context(self._turns)
            for step in steps:
                if isinstance(step, Sources):
                    turn.close()
                yield step

    def _run(
        self,
        answer: Answer,
        user: User,
        filters: Filters,
        history: Sequence[Turn],
        stop: threading.Event,
    ) -> None:
        pk, log = answer.pk, Log(answer.pk, seq=1, pause=self.pause)
        try:
            steps = answer_cache.steps(
                row=pk,
                question=answer.question,
                user=user,
                filters=filters,
                history=history,
                should_stop=stop.is_set,
                # Who asks again wants another answer.
                fresh=answer.replaces_id is not None,
            )
            for step in self.in_turn(steps):
                log.take(step)
        except (recording.Superseded, IntegrityError):
            logger.warning("answer %s was ended by somebody else", pk)
        except Exception as error:
            logger.exception("answer %s failed", pk)
            failed(log, error)
        finally:
            connection.close()
            self._forget(pk)

    def _forget(self, pk: UUID) -> None:
        with self._lock:
            self._stops.pop(pk, None)
            self._futures.pop(pk, None)
        answers_running.dec()
        hub.kick(pk)

    def _beat(self) -> None:
        """One thread for all answers of this process; ends when none is left."""
        beaten = 0.0
        while True:
            with self._lock:
                running = list(self._stops)
                if not running:
                    self._beating = False
                    return
            try:
                beaten = self._signs(running, beaten)
            except DatabaseError as error:
                logger.warning("no heartbeat: %s", error)
            finally:
                connection.close()
            time.sleep(STOP_CHECK_SECONDS)

    def _signs(self, running: list[UUID], beaten: float) -> float:
        """Look for stop requests of other processes; give a sign of life when it is time."""
        rows = Answer.objects.filter(pk__in=running)
        for pk in rows.filter(stop_requested=True).values_list("pk", flat=True):
            self.stop(pk)
        if time.monotonic() - beaten < HEARTBEAT_SECONDS:
            return beaten
        rows.filter(state=Answer.State.RUNNING).update(heartbeat_at=Now())
        return time.monotonic()


def failed(log: Log, error: Exception) -> None:
    """Record the end. Details of an unforeseen error are for the log of the server, not for readers."""
    known = error if isinstance(error, SearchError) else SearchError("The answer could not be written.")
    try:
        log.fail(known)
    except (recording.Superseded, DatabaseError) as second:
        logger.warning("answer %s could not be marked failed: %s", log.answer, second)


runner = Runner()
