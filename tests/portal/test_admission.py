"""A few are in Django, some wait, the others are told so at once; and every place comes back."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from portal import admission
from portal.admission import Admission, SocketAdmission
from search.aside import step_aside

PLACES, WAITING = 2, 3


class Gate:
    """What slow views wait for, and how many of them are inside."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = self.most = 0
        self.lock = threading.Lock()
        self.threads: set[str] = set()

    def __enter__(self) -> None:
        with self.lock:
            self.threads.add(threading.current_thread().name)
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1


gate = Gate()


def slow(request: HttpRequest | None) -> HttpResponse:
    with gate:
        gate.open.wait(20)
    return HttpResponse("done")


async def slow_async(request: HttpRequest) -> HttpResponse:
    with gate:
        while not gate.open.is_set():
            await asyncio.sleep(0.01)
    return HttpResponse("done")


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("out of luck")


def aside(request: HttpRequest) -> HttpResponse:
    step_aside.get()()
    return slow(request)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(words(), content_type="text/event-stream")


def download(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(words(), headers={"Content-Length": "6"})


async def words() -> AsyncIterator[bytes]:
    yield b"one"
    while not gate.open.is_set():
        await asyncio.sleep(0.01)
    yield b"two"


def quick(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


urlpatterns = [
    path("api/v1/slow/", slow),
    path("slow/", slow),
    path("slow-async/", slow_async),
    path("broken/", broken),
    path("aside/", aside),
    path("stream/", stream),
    path("download/", download),
    path("quick/", quick),
    path("documents/", quick),
    path("healthz/live", quick),
]
handler500 = "portal.problems.server_error"


@pytest.fixture(autouse=True)
def _small(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
    settings.DATABASE_POOL_SIZE = PLACES + admission.KEPT_BACK
    for name, value in (("WAITING", WAITING), ("LONG", 2), ("SOCKETS", 1)):
        monkeypatch.setattr(admission, name, value)
    monkeypatch.setattr(admission, "UPLOADS", 1)
    gate.__init__()  # type: ignore[misc]
    yield
    gate.open.set()


class Client:
    """One request, as a server would put it; ``hang_up`` is what the other end may do."""

    def __init__(self, door: Any, path: str, *pieces: bytes, method: str = "GET", **headers: str) -> None:
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"testserver"), *lines],
        }
        self.arriving: asyncio.Queue[Any] = asyncio.Queue()
        for number, piece in enumerate(pieces or (b"",), 1):
            self.piece(piece, more=bool(pieces) and number < len(pieces))
        self.sent: list[Any] = []
        self.task = asyncio.ensure_future(door(self.scope, self.arriving.get, self.send))

    def piece(self, body: bytes, *, more: bool) -> None:
        self.arriving.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def hang_up(self) -> None:
        self.arriving.put_nowait({"type": "http.disconnect"})

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    def header(self, name: str) -> str:
        lines = {key.decode().lower(): value.decode() for key, value in self.sent[0]["headers"]}
        return lines.get(name, "")

    async def ended(self) -> int | None:
        await asyncio.wait_for(self.task, 20)
        return self.status


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def door() -> Admission:
    return Admission(ASGIHandler())


def all_free(door: Admission) -> bool:
    return (door.short.free, door.long.free, len(door.short.queue)) == (PLACES, 2, 0)


@pytest.mark.parametrize("path", ["/slow/", "/slow-async/"])
async def test_one_too_many_is_refused_and_the_others_are_served(door: Admission, path: str) -> None:
    clients = [Client(door, path) for _ in range(PLACES + WAITING)]
    await until(lambda: gate.inside == PLACES and len(door.short.queue) == WAITING)
    refused = Client(door, path)
    assert await refused.ended() == 503
    assert refused.header("retry-after") == "5"
    gate.open.set()
    assert [await client.ended() for client in clients] == [200] * (PLACES + WAITING)
    assert gate.most == PLACES
    assert all_free(door)


async def test_programs_get_a_problem_and_people_a_page(door: Admission) -> None:
    clients = [Client(door, "/slow/") for _ in range(PLACES + WAITING)]
    await until(lambda: len(door.short.queue) == WAITING)
    program, person = Client(door, "/api/v1/slow/"), Client(door, "/slow/", accept="text/html")
    await program.ended()
    problem = json.loads(program.sent[1]["body"])
    assert (problem["type"], problem["status"]) == ("urn:portal:problem:crowded", 503)
    assert program.header("content-type") == "application/problem+json"
    await person.ended()
    assert b"busy with itself" in person.sent[1]["body"]
    assert b"database" not in person.sent[1]["body"]
    assert "default-src 'none'" in person.header("content-security-policy")
    gate.open.set()
    for client in clients:
        await client.ended()


async def test_who_waits_too_long_is_refused(door: Admission) -> None:
    door.short.patience = 0.05
    clients = [Client(door, "/slow/") for _ in range(PLACES)]
    await until(lambda: gate.inside == PLACES)
    assert await Client(door, "/slow/").ended() == 503
    gate.open.set()
    for client in clients:
        assert await client.ended() == 200
    assert all_free(door)


async def test_places_come_back_after_exceptions(door: Admission) -> None:
    for _ in range(PLACES + WAITING + 1):
        assert await Client(door, "/broken/").ended() == 500
    assert all_free(door)


async def test_places_come_back_when_what_is_behind_raises() -> None:
    async def raising(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await sync_to_async(int)("1")
        raise RuntimeError("out of luck")

    door = Admission(raising)
    for _ in range(PLACES + 1):
        with pytest.raises(RuntimeError):
            await Client(door, "/").ended()
        await until(lambda: all_free(door))


async def test_who_hangs_up_while_waiting_or_inside_gives_the_place_back(door: Admission) -> None:
    inside = [Client(door, "/slow/") for _ in range(PLACES)]
    await until(lambda: gate.inside == PLACES)
    waiting = Client(door, "/slow/")
    await until(lambda: len(door.short.queue) == 1)
    for client in (*inside, waiting):
        client.hang_up()
    await asyncio.sleep(0.1)
    assert door.short.free == 0, "their threads still run: nobody may come in their place"
    gate.open.set()
    for client in (*inside, waiting):
        await client.ended()
    assert all_free(door)
    assert gate.most == PLACES


async def test_cancelled_ones_give_their_places_back() -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await sync_to_async(slow)(None)

    door = Admission(inner)
    clients = [Client(door, "/") for _ in range(PLACES + 1)]
    await until(lambda: gate.inside == PLACES and len(door.short.queue) == 1)
    for client in reversed(clients):
        client.task.cancel()
    await asyncio.sleep(0.05)
    assert door.short.free == 0, "their threads still run"
    gate.open.set()
    for client in clients:
        with suppress(asyncio.CancelledError):
            await client.ended()
    await until(lambda: all_free(door))


async def test_threads_are_kept(door: Admission) -> None:
    gate.open.set()
    for _ in range(5):
        assert await Client(door, "/slow/").ended() == 200
    assert len(gate.threads) == 1


async def test_who_sends_slowly_holds_no_place(door: Admission) -> None:
    slow_ones = []
    for _ in range(PLACES + 1):
        client = Client(door, "/quick/", b"a", b"", method="POST")
        client.arriving.get_nowait(), client.arriving.get_nowait()
        client.piece(b"a", more=True)
        slow_ones.append(client)
    await asyncio.sleep(0.05)
    assert door.short.free == PLACES
    assert await Client(door, "/quick/").ended() == 200
    for client in slow_ones:
        client.piece(b"b", more=False)
        assert await client.ended() == 200


@pytest.mark.parametrize("path", ["/stream/", "/download/", "/aside/"])
async def test_long_ones_do_not_keep_the_short_from_being_served(door: Admission, path: str) -> None:
    clients = [Client(door, path) for _ in range(PLACES)]
    await until(lambda: door.long.free == 0)
    assert door.short.free == PLACES
    assert await Client(door, "/quick/").ended() == 200
    gate.open.set()
    assert [await client.ended() for client in clients] == [200, 200]
    assert all_free(door)


async def test_one_stream_too_many_is_refused_before_it_begins(door: Admission) -> None:
    clients = [Client(door, "/stream/") for _ in range(2)]
    await until(lambda: door.long.free == 0)
    refused = Client(door, "/stream/")
    assert await refused.ended() == 503
    assert [message["type"] for message in refused.sent] == ["http.response.start", "http.response.body"]
    clients[0].hang_up()
    await clients[0].ended()
    await until(lambda: door.long.free == 1)
    gate.open.set()
    assert await Client(door, "/stream/").ended() == 200
    await clients[1].ended()
    await until(lambda: all_free(door))


async def test_one_file_too_many_is_read_away_and_refused(door: Admission) -> None:
    first = Client(door, "/documents/", b"a", b"b", method="POST")
    first.arriving.get_nowait(), first.arriving.get_nowait()
    await asyncio.sleep(0)
    second = Client(door, "/documents/", b"c", b"d", method="POST")
    assert await second.ended() == 503
    assert second.arriving.empty()
    first.piece(b"ab", more=False)
    assert await first.ended() == 200
    assert await Client(door, "/documents/", b"c", method="POST").ended() == 200


async def test_health_needs_no_place(door: Admission) -> None:
    clients = [Client(door, "/slow/") for _ in range(PLACES + WAITING)]
    await until(lambda: len(door.short.queue) == WAITING)
    assert await Client(door, "/healthz/live").ended() == 200
    gate.open.set()
    for client in clients:
        await client.ended()


@asynccontextmanager
async def socket(door: Any, **extensions: Any) -> AsyncIterator[list[Any]]:
    sent: list[Any] = []
    leaving = asyncio.Event()
    connects = iter([{"type": "websocket.connect"}])

    async def receive() -> Any:
        if first := next(connects, None):
            return first
        await leaving.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/ws/", "headers": [], "extensions": extensions}
    task = asyncio.ensure_future(door(scope, receive, send))
    await until(lambda: sent)
    yield sent
    leaving.set()
    await task


async def echo(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})


async def test_sockets_have_a_bound_of_their_own() -> None:
    door = SocketAdmission(echo)
    async with socket(door) as first:
        assert first[0]["type"] == "websocket.accept"
        async with socket(door, **{"websocket.http.response": {}}) as second:
            assert second[0]["status"] == 503
            assert (b"retry-after", b"5") in second[0]["headers"]
        async with socket(door) as third:
            assert third == [{"type": "websocket.close", "code": 1013}]
    async with socket(door) as fourth:
        assert fourth[0]["type"] == "websocket.accept"
