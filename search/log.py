"""Following answers: every reader, in any process, reads the persisted log.

One thread per process reads the news of all followed answers in one query, however many readers
there are. It is woken by answers that are written in this process, and looks by itself for those
that are written elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from django.db import Error, connection
from django.db.models import Q
from django.utils import timezone

from search import recording
from search.events import Event, EventType
from search.metrics import answer_readers
from search.models import Answer, AnswerEvent
from search.representation import answer_json, is_withheld

if TYPE_CHECKING:
    from documents.querysets import User

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.15
LAPSE_CHECK_SECONDS = 2.0
ENDS = ("done", "error")

Result = TypeVar("Result")

#: Database work of followers: bounded, so that many readers cannot take every connection.
DATABASE = ThreadPoolExecutor(2, thread_name_prefix="follow")


class Tail:
    """The log of one followed answer, as far as it was read, and those who wait for more."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.gone = False
        self.readers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    @property
    def seq(self) -> int:
        return self.events[-1].seq if self.events else 0

    @property
    def ended(self) -> bool:
        return self.gone or bool(self.events and self.events[-1].type in ENDS)

    def add(self, event: Event) -> bool:
        """Whether it was not there yet. Called under the hub's lock: two threads bring news."""
        if event.seq <= self.seq:
            return False
        self.events.append(event)
        return True

    def since(self, seq: int) -> list[Event]:
        return [event for event in self.events if event.seq > seq]

    def wake(self) -> None:
        for news, loop in list(self.readers.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(news.set)


class Hub:
    """The followed answers of this process and the one thread that reads for all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tails: dict[UUID, Tail] = {}
        self._kicked = threading.Event()
        self._reading = False

    @contextmanager
    def following(self, answer: UUID) -> Iterator[tuple[Tail, asyncio.Event]]:
        """The answer's tail and an event that is set when there is more of it."""
        news = asyncio.Event()
        with self._lock:
            tail = self._tails.setdefault(answer, Tail())
            tail.readers[news] = asyncio.get_running_loop()
            if not self._reading:
                self._reading = True
                threading.Thread(target=self._read, name="answer-log", daemon=True).start()
        self._kicked.set()
        try:
            yield tail, news
        finally:
            with self._lock:
                del tail.readers[news]
                if not tail.readers:
                    self._tails.pop(answer, None)

    def kick(self, answer: UUID) -> None:
        """There is news of ``answer``, written in this process."""
        if answer in self._tails:
            self._kicked.set()

    def tell(self, event: Event) -> None:
        """``event`` was stored by this process just now: its readers need no other look into the log."""
        with self._lock:
            tail = self._tails.get(event.answer)
            if tail is not None and event.seq == tail.seq + 1:
                tail.add(event)
                return tail.wake()
        return self.kick(event.answer)

    def _read(self) -> None:
        """Until nobody follows anything here."""
        checked = 0.0
        while True:
            with self._lock:
                tails = {pk: tail for pk, tail in self._tails.items() if not tail.ended}
                if not self._tails:
                    self._reading = False
                    return
            self._kicked.clear()
            try:
                if tails and time.monotonic() - checked > LAPSE_CHECK_SECONDS:
                    self._check(tails)
                    checked = time.monotonic()
                self._fetch(tails)
            except Error as error:
                logger.warning("the logs could not be read: %s", error)
                time.sleep(1)
            finally:
                connection.close()
            self._kicked.wait(POLL_SECONDS)

    def _fetch(self, tails: dict[UUID, Tail]) -> None:
        """What is new of all of them, in one query."""
        if not tails:
            return
        news = reduce(or_, (Q(answer_id=pk, seq__gt=tail.seq) for pk, tail in tails.items()))
        rows = AnswerEvent.objects.filter(news).order_by("answer_id", "seq")
        woken: dict[UUID, Tail] = {}
        found = list(rows.values_list("answer_id", "seq", "type", "payload"))
        with self._lock:
            for answer, seq, type_, payload in found:
                if tails[answer].add(Event(answer, seq, cast("EventType", type_), payload)):
                    woken[answer] = tails[answer]
        for tail in woken.values():
            tail.wake()

    def _check(self, tails: dict[UUID, Tail]) -> None:
        """End those whose writer is gone, and release the readers of those that were deleted."""
        rows = Answer.objects.filter(pk__in=list(tails)).values_list("pk", "state", "heartbeat_at")
        known = {pk: (state, beat) for pk, state, beat in rows}
        oldest = timezone.now() - recording.LAPSE
        for pk, tail in tails.items():
            if pk not in known:
                tail.gone = True
                tail.wake()
            elif known[pk][0] == Answer.State.RUNNING and known[pk][1] < oldest:
                recording.answer_interrupt(answer=pk)


hub = Hub()


async def follow(answer: UUID, after_seq: int, reader: User) -> AsyncIterator[Event]:
    """Every event after ``after_seq``, in order, none twice; ends behind ``done`` or ``error``.

    ``done`` carries the answer as ``reader`` may see it now. When they may not see every document
    that it was written from, the log is withheld but for its end.
    """
    seq = after_seq
    only_end = await in_database(lambda: log_withheld(answer, reader))
    with answer_readers.track_inprogress(), hub.following(answer) as (tail, news):
        while True:
            news.clear()
            for event in tail.since(seq):
                seq = event.seq
                if event.type in ENDS or not only_end:
                    yield await complete(event, reader)
            if tail.ended and seq >= tail.seq:
                return
            await news.wait()


async def complete(event: Event, reader: User) -> Event:
    """The event with what is not stored twice: ``done`` carries the answer itself."""
    if event.type != "done":
        return event
    return replace(event, payload=await in_database(lambda: stored_answer(event.answer, reader)))


def stored_answer(pk: UUID, reader: User) -> dict[str, Any]:
    """The answer for ``reader``; nothing when it was deleted in this moment."""
    row = Answer.objects.filter(pk=pk).first()
    return answer_json(row, reader) if row else {}


def log_withheld(answer: UUID, reader: User) -> bool:
    row = Answer.objects.filter(pk=answer).first()
    return row is not None and is_withheld(row, reader)


async def in_database(call: Callable[[], Result]) -> Result:
    """Run ``call`` on one of the followers' threads; its connection goes back at once."""

    def called() -> Result:
        try:
            return call()
        finally:
            connection.close()

    return await asyncio.get_running_loop().run_in_executor(DATABASE, called)
