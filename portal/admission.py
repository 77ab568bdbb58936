"""How much is in Django at a time. Beyond it requests wait, and beyond that they are refused at once.

By itself Django takes a thread and a connection for each request, however many there are, and a hundred of
them fail together. Here a request gets a *place*, and with it a thread that is kept; it waits for one, in
order, when its body has come. What goes on for long (a stream, a download, a wait for an answer) moves to a
room of its own, so that it keeps nobody from being served.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from io import BytesIO
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from documents.exceptions import room_lacking
from portal.limits import (
    DRAIN_FACTOR,
    DRAIN_SECONDS,
    UPLOAD_PATHS,
    Application,
    Message,
    Receive,
    Scope,
    Send,
    drain,
    header,
    limit_for,
)
from portal.metrics import requests_in_flight, requests_refused_total, requests_waiting
from portal.middleware import with_policy
from portal.problems import crowded, no_room
from portal.reader import language_of
from search.aside import step_aside

#: Connections of a process that are not for requests, but for answers and sockets. The others are places.
KEPT_BACK = 2
#: Requests that wait for a place, and how long: a hundred searches at once on a slow machine are to fit.
WAITING = 256
PATIENCE_SECONDS = 20.0
#: Streams, downloads and waits for answers; sockets; files that are being received.
LONG = 512
SOCKETS = 512
UPLOADS = 64
#: Asked by machines that have to know how it stands, and files that need no place.
FREE = ("/static/", "/healthz/", "/metrics", "/favicon.ico")


class Crowded(Exception):
    """No place, and none in time."""


class Room:
    """A number of places, and a queue for them. Used by one event loop at a time."""

    def __init__(self, kind: str, places: int, waiting: int = 0, patience: float = 0.0) -> None:
        self.free = places
        self.waiting = waiting
        self.patience = patience
        self.queue: deque[asyncio.Future[None]] = deque()
        self._inside = requests_in_flight.labels(kind)
        self._waiting = requests_waiting.labels(kind)
        self._refused = requests_refused_total.labels(kind)

    async def enter(self) -> None:
        """Raises ``Crowded`` when there is no room to wait, or the wait was too long."""
        if self.free or len(self.queue) >= self.waiting:
            return self.enter_now()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.queue.append(turn)
        self._waiting.inc()
        try:
            async with asyncio.timeout(self.patience):
                await turn
        except TimeoutError:
            self._give_up(turn)
            self._refused.inc()
            raise Crowded from None
        except BaseException:
            self._give_up(turn)
            raise
        finally:
            self._waiting.dec()

    def enter_now(self) -> None:
        if not self.free:
            self._refused.inc()
            raise Crowded
        self.free -= 1
        self._inside.inc()

    def leave(self) -> None:
        """The place is the next one's who waits; it never seems free in between."""
        while self.queue:
            turn = self.queue.popleft()
            if not turn.done():
                return turn.set_result(None)
        self.free += 1
        self._inside.dec()
        return None

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self.leave()  # it was given in this very moment
        elif turn in self.queue:
            self.queue.remove(turn)


class Threads:
    """Threads for requests, made when they are needed and kept; each serves one request at a time."""

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self._idle: list[ThreadPoolExecutor] = []

    def take(self) -> ThreadPoolExecutor:
        return self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")

    def give_back(self, thread: ThreadPoolExecutor) -> None:
        self._idle.append(thread)
        while len(self._idle) > self.kept:
            self._idle.pop(0).shutdown(wait=False)


class Visit(Executor):
    """One request: the room that it is in, and the thread on which Django runs its synchronous parts."""

    def __init__(self, short: Room, long: Room, threads: Threads) -> None:
        self.short, self.long, self.threads = short, long, threads
        self.loop = asyncio.get_running_loop()
        self.room: Room | None = None
        self.thread: ThreadPoolExecutor | None = None
        self.gone = self.refused = False

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.thread is None:
            self.thread = self.threads.take()
        return self.thread.submit(call, *args, **kwargs)

    async def enter(self) -> None:
        if self.room is None:
            await self.short.enter()
            self.room = self.short

    def linger(self) -> None:
        """Into the other room. Raises ``Crowded`` when that is full."""
        if self.room is self.short:
            self.long.enter_now()
            self.short.leave()
            self.room = self.long

    def try_to_linger(self) -> None:
        """For what cannot be refused any more: it stays where it is when there is no room."""
        if self.long.free and not self.gone:
            self.linger()

    def step_aside(self) -> None:
        """``try_to_linger``, from the thread of a view."""
        self.loop.call_soon_threadsafe(self.try_to_linger)

    def leave(self, *, idle: bool) -> None:
        """``idle``: nothing runs on the thread any more; else the place is given back when that is so."""
        if self.thread is None or idle:
            return self._left()
        last = self.thread.submit(lambda: None)
        last.add_done_callback(lambda _: self.loop.call_soon_threadsafe(self._left))
        return None

    def _left(self) -> None:
        self.gone = True
        if self.thread is not None:
            self.threads.give_back(self.thread)
        if self.room is not None:
            self.room.leave()


class Admission:
    """ASGI application in front of ``inner``, for HTTP."""

    def __init__(self, inner: Application) -> None:
        self.inner = inner
        places = max(1, settings.DATABASE_POOL_SIZE - KEPT_BACK)
        self.short = Room("short", places, WAITING, PATIENCE_SECONDS)
        self.long = Room("long", LONG)
        self.uploads = Room("upload", UPLOADS)
        self.threads = Threads(places)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(FREE):
            return await self.inner(scope, receive, send)
        try:
            if scope["method"] in ("POST", "PUT") and scope["path"].startswith(UPLOAD_PATHS):
                await self.received(scope, receive, send)
            else:
                await self.admitted(scope, receive, send)
        except Crowded:
            await answer(scope, send, crowded)

    async def received(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A file: how many come at a time is bounded as well, for the sake of the disk."""
        try:
            self.uploads.enter_now()
        except Crowded:
            await read_away(scope, receive)
            raise
        try:
            await self.admitted(scope, receive, send)
        except OSError as error:
            # Django spools a body before it looks at it, and what fails there reaches no view.
            if not room_lacking(error):
                raise
            await answer(scope, send, no_room)
        finally:
            self.uploads.leave()

    async def admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit, idle = Visit(self.short, self.long, self.threads), False
        step_aside.set(visit.step_aside)
        try:
            async with ThreadSensitiveContext(executor=visit):
                await self.inner(scope, entering(receive, visit), lingering(send, visit))
            # Django's last act is on the thread (``request_finished``), also when the client went away.
            idle = True
        except asyncio.CancelledError:
            if not visit.refused:
                raise
        finally:
            visit.leave(idle=idle)
        if visit.refused:
            raise Crowded


def entering(receive: Receive, visit: Visit) -> Receive:
    """``receive`` that waits for a place before it hands on the end of the body: slow senders hold none.

    To whoever gets none it looks as if the client had gone: so Django puts everything away.
    """

    async def receive_entering() -> Message:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            try:
                await visit.enter()
            except Crowded:
                visit.refused = True
                return {"type": "http.disconnect"}
        return message

    return receive_entering


def lingering(send: Send, visit: Visit) -> Send:
    """``send`` that moves what streams into the other room: what has no length, and what comes in parts."""

    async def send_lingering(message: Message) -> None:
        if message["type"] == "http.response.start":
            if not any(name.lower() == b"content-length" for name, _ in message.get("headers", ())):
                try:
                    visit.linger()
                except Crowded:
                    # As if the client had gone, which Django takes for no error.
                    visit.refused = True
                    raise asyncio.CancelledError from None
        elif message.get("more_body", False):
            visit.try_to_linger()
        if not visit.refused:
            await send(message)

    return send_lingering


async def read_away(scope: Scope, receive: Receive) -> None:
    """Most clients read the answer only when they have sent everything (``portal.limits``)."""
    if header(scope, b"expect").lower() != b"100-continue":
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await drain(receive, limit_for(scope["path"]) * DRAIN_FACTOR)
        except TimeoutError:
            pass


async def answer(scope: Scope, send: Send, made: Callable[[HttpRequest], HttpResponse]) -> None:
    """What is ``made`` for the request, in the language of its reader."""
    request = ASGIRequest(scope, BytesIO())
    with translation.override(language_of(request)):
        response = made(request)
    with_policy(response)
    lines = [(name.encode(), value.encode()) for name, value in response.items()]
    lines.append((b"content-length", str(len(response.content)).encode()))
    await send({"type": "http.response.start", "status": response.status_code, "headers": lines})
    await send({"type": "http.response.body", "body": response.content})


class SocketAdmission:
    """ASGI application in front of ``inner``, for WebSockets: each has a place for as long as it is open."""

    def __init__(self, inner: Application) -> None:
        self.inner = inner
        self.room = Room("socket", SOCKETS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self.room.enter_now()
        except Crowded:
            return await refuse_socket(scope, receive, send)
        try:
            await self.inner(scope, receive, send)
        finally:
            self.room.leave()


async def refuse_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Before it is open; with a status where the server can send one, else with its own 403."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1013})
        return
    lines = [(b"retry-after", b"5"), (b"content-length", b"0")]
    await send({"type": "websocket.http.response.start", "status": 503, "headers": lines})
    await send({"type": "websocket.http.response.body", "body": b""})
