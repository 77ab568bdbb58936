"""Streams that survive: followed by many, from another server process, after the death of the writer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from websockets.asyncio.client import connect

from portal.embedded.layout import DATABASE, ROLE, Layout
from tests.acceptance.conftest import ROOT, Portal, free_port, portal_of_its_own, wait_for
from tests.search.language_model import Model, serving

pytestmark = pytest.mark.acceptance

Events = list[dict[str, Any]]

STREAMS, ANSWERS = 200, 4
CONNECTIONS = 10
#: How often connections are counted while all streams wait.
LOOKS = 20
#: The state of a TCP connection that neither end has closed.
ESTABLISHED = 1
ENDS = ("done", "error")
TEXT = "The lighthouse of Regen was built in 1871. Its lamp is seen for twenty miles in clear nights."
QUESTION = {"question": "When was the lighthouse of Regen built?"}


class Words(list[str]):
    """What the model says, as long as it may speak."""

    def __init__(self) -> None:
        super().__init__([f"{word} " for word in TEXT.split()] * 3)
        self.may_speak = threading.Event()
        self.may_speak.set()

    def __iter__(self) -> Iterator[str]:
        for word in super().__iter__():
            self.may_speak.wait(240)
            yield word


@pytest.fixture(scope="module")
def words() -> Words:
    return Words()


@pytest.fixture(scope="module")
def model(words: Words) -> Iterator[Model]:
    with serving(Model(words, pause=0.02)) as served:
        yield served


@pytest.fixture(scope="module")
def streaming(model: Model, used_before: Portal) -> Iterator[Portal]:
    """A portal whose model speaks when it is told to, with one document."""
    given = {"LLM_BASE_URL": model.url, "LLM_MODEL": "small", "CACHE_TTL_SECONDS": "0"}
    with portal_of_its_own(used_before, **given) as running:
        client = running.client()
        pk = client.post("documents/", files={"file": ("regen.txt", TEXT.encode())}).json()["id"]
        wait_for(lambda: client.get(f"documents/{pk}/").json()["status"] == "ready")
        yield running


@pytest.fixture(scope="module")
def token(streaming: Portal) -> dict[str, str]:
    """What every reader sends along."""
    return streaming.bearer()


@pytest.fixture
def silence(words: Words) -> Iterator[threading.Event]:
    """The model says nothing; to ``set`` this ends it."""
    words.may_speak.clear()
    yield words.may_speak
    words.may_speak.set()


@pytest.fixture
def second(streaming: Portal) -> Iterator[str]:
    """The address of another server process on the same data."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port)]
    with (streaming.data_dir.parent / "second.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=streaming.environment, stdout=log, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_up(address))
        yield address
    finally:
        process.terminate()
        process.wait(30)


def is_up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz/live", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


# --- Readers --------------------------------------------------------------------------------


def ask(portal: Portal) -> str:
    """The id of an answer that has begun."""
    with portal.client().stream(
        "POST", "answers/", json=QUESTION, headers={"Accept": "text/event-stream"}
    ) as stream:
        first = next(line for line in stream.iter_lines() if line.startswith("data:"))
        return str(json.loads(first[5:])["answer"])


@asynccontextmanager
async def by_sse(address: str, token: dict[str, str], answer: str, seq: int = 0) -> AsyncIterator[Any]:
    headers = {**token, "Last-Event-ID": str(seq)}
    async with (
        httpx.AsyncClient(base_url=address, timeout=120) as client,
        client.stream("GET", f"/api/v1/answers/{answer}/events/", headers=headers) as stream,
    ):
        assert stream.status_code == 200
        yield (json.loads(line[5:]) async for line in stream.aiter_lines() if line.startswith("data:"))


@asynccontextmanager
async def by_socket(address: str, token: dict[str, str], answer: str, seq: int = 0) -> AsyncIterator[Any]:
    url = f"{address.replace('http', 'ws', 1)}/ws/answers/"
    async with connect(url, additional_headers=token, open_timeout=60) as socket:
        await socket.send(json.dumps({"type": "resume", "answer": answer, "seq": seq}))
        yield (json.loads(message) async for message in socket)


class Reader:
    """One stream from its opening to its end."""

    def __init__(self, opening: Any) -> None:
        self.opening = opening
        self.events: Events = []
        self.ended_at = 0.0

    async def read(self) -> None:
        async with self.opening as events:
            async for event in events:
                self.events.append(event)
                if event["type"] in ENDS:
                    break
        self.ended_at = time.monotonic()

    async def has(self, count: int) -> None:
        while len(self.events) < count:
            await asyncio.sleep(0.02)


def whole(opening: Any) -> Events:
    reader = Reader(opening)
    asyncio.run(asyncio.wait_for(reader.read(), 60))
    return reader.events


def connections(portal: Portal) -> int:
    """Those of the web process."""
    layout = Layout(portal.data_dir)
    password = layout.password_file.read_text()
    with psycopg.connect(host=str(layout.sockets), user=ROLE, dbname=DATABASE, password=password) as session:
        row = session.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'portal web'"
        ).fetchone()
    assert row
    return int(row[0])


# --- Many at once ---------------------------------------------------------------------------


def test_many_open_streams_hold_few_connections_and_miss_nothing(
    streaming: Portal, token: dict[str, str], silence: threading.Event
) -> None:
    answers = [ask(streaming) for _ in range(ANSWERS)]
    openings = [
        (by_sse if number % 2 else by_socket)(streaming.address, token, answers[number // 2 % ANSWERS])
        for number in range(STREAMS)
    ]
    readers = [Reader(opening) for opening in openings]
    counted = asyncio.run(asyncio.wait_for(counted_meanwhile(streaming, readers, silence), 200))
    assert max(counted) <= CONNECTIONS
    logs = {events[0]["answer"]: events for events in (reader.events for reader in readers)}
    assert set(logs) == set(answers)
    for reader in readers:
        assert [event["seq"] for event in reader.events] == list(range(1, len(reader.events) + 1))
        assert reader.events == logs[reader.events[0]["answer"]]
        assert reader.events[-1]["type"] == "done"
    for answer, events in logs.items():
        stored = streaming.client().get(f"answers/{answer}/").json()
        assert (stored["state"], stored["answer"]) == ("done", events[-1]["text"])


async def counted_meanwhile(portal: Portal, readers: Sequence[Reader], silence: threading.Event) -> list[int]:
    """Connections while streams are opened and wait, until the model speaks and all are read to the end."""
    reading = [asyncio.create_task(reader.read()) for reader in readers]
    counted = []
    waited = 0
    while waited < LOOKS:
        await asyncio.sleep(0.1)
        counted.append(connections(portal))
        assert not any(task.done() for task in reading)
        waited += all(len(reader.events) >= 2 for reader in readers)
    silence.set()
    await asyncio.gather(*reading)
    return counted


LONG_LOG = """
from django.contrib.auth.models import User
from django.utils.timezone import now
from search.models import Answer, AnswerEvent, Conversation
user = User.objects.get(username="admin")
asked = Conversation.objects.create(owner=user, title="Long")
answer = Answer(conversation=asked, asked_by=user, question="?", state="done", finished_at=now())
answer.save()
said = [("token", dict(text="word " * 8000))] * {events} + [("done", dict())]
AnswerEvent.objects.bulk_create(
    AnswerEvent(answer=answer, seq=seq, type=kind, payload=payload)
    for seq, (kind, payload) in enumerate(said, 1)
)
print(answer.pk)
"""


def test_who_never_reads_holds_up_nobody(streaming: Portal, token: dict[str, str]) -> None:
    """12 MB for a reader that takes none of them are more than all buffers on the way hold."""
    events = 300
    answer = streaming.manage("shell", "-v", "0", "-c", LONG_LOG.format(events=events)).stdout.strip()
    with silent_reader(streaming, token, answer) as silent:
        assert len(whole(by_sse(streaming.address, token, answer))) == events + 1
        fresh = streaming.client().post("answers/", json=QUESTION).json()
        assert fresh["state"] == "done"
        assert not ended(silent), "it has taken nothing, and is still being sent to"
        received = b"".join(iter(lambda: silent.recv(1 << 20), b""))
    numbers = [int(line[4:]) for line in received.splitlines() if line.startswith(b"id: ")]
    assert numbers == list(range(1, events + 2))


@contextmanager
def silent_reader(portal: Portal, token: dict[str, str], answer: str) -> Iterator[socket.socket]:
    host, _, port = portal.address.removeprefix("http://").partition(":")
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.connect((host, int(port)))
        silent.settimeout(60)
        lines = [f"GET /api/v1/answers/{answer}/events/ HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in token.items()]
        silent.sendall("\r\n".join([*lines, "", ""]).encode())
        yield silent


def ended(connection: socket.socket) -> bool:
    """Whether the other end has sent all and closed, as far as can be seen without reading on."""
    state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state != ESTABLISHED


# --- In another process ---------------------------------------------------------------------


@pytest.mark.parametrize("opened", [by_sse, by_socket], ids=["SSE", "WebSocket"])
def test_a_stream_is_taken_up_again_in_another_process(
    streaming: Portal, token: dict[str, str], second: str, silence: threading.Event, opened: Any
) -> None:
    answer = ask(streaming)

    async def read_in_parts() -> tuple[Reader, Reader]:
        first = Reader(opened(streaming.address, token, answer))
        reading = asyncio.create_task(first.read())
        await first.has(2)
        silence.set()
        await first.has(4)
        reading.cancel()
        rest = Reader(opened(second, token, answer, first.events[-1]["seq"]))
        await rest.read()
        return first, rest

    first, rest = asyncio.run(asyncio.wait_for(read_in_parts(), 60))
    assert first.events[-1]["type"] not in ENDS
    assert first.events + rest.events == whole(opened(streaming.address, token, answer))
    assert rest.events[-1]["type"] == "done"


def test_who_follows_a_writer_that_is_killed_is_told_so(
    streaming: Portal, token: dict[str, str], second: str, silence: threading.Event
) -> None:
    answer = ask(streaming)
    (writer,) = streaming.children("uvicorn")

    async def follow() -> tuple[list[Reader], float]:
        readers = [Reader(opened(second, token, answer)) for opened in (by_sse, by_socket)]
        reading = [asyncio.create_task(reader.read()) for reader in readers]
        await asyncio.gather(*(reader.has(2) for reader in readers))
        os.kill(writer, signal.SIGKILL)
        killed = time.monotonic()
        await asyncio.gather(*reading)
        return readers, killed

    readers, killed = asyncio.run(asyncio.wait_for(follow(), 60))
    for reader in readers:
        end = reader.events[-1]
        assert (end["type"], end["code"]) == ("error", "interrupted")
        assert [event["seq"] for event in reader.events] == list(range(1, len(reader.events) + 1))
        assert reader.ended_at - killed < 25
    wait_for(lambda: is_up(streaming.address))
    assert whole(by_sse(streaming.address, token, answer)) == readers[0].events
