"""The sockets: ask, resume, stop; news of documents."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User

from documents import progress
from documents.consumers import DocumentConsumer
from documents.models import Collection, Document
from search import pipeline
from search.consumers import AnswerConsumer
from search.generation.fake import FakeGenerator
from search.log import in_database
from search.models import Answer
from tests.search.examples import HERONS
from tests.search.sockets import WebsocketCommunicator

#: The same in every process that collects the tests.
NOBODYS = UUID("9b1fb36c-6f0c-4b7e-8a52-0d9bd0c3b6c1")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, HERONS, title="Herons")


async def opened(consumer: Any, user: Any) -> WebsocketCommunicator:
    socket = WebsocketCommunicator(consumer.as_asgi(), user)
    await socket.connect()
    return socket


async def until_end(socket: WebsocketCommunicator) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] not in ("done", "error"):
        events.append(await socket.receive_json_from(timeout=20))
    return events


async def test_ask_and_take_up_again(herons: Document, alice: User) -> None:
    socket = await opened(AnswerConsumer, alice)
    await socket.send_json_to({"type": "ask", "question": "Who founded the observatory at Lake Ormund?"})
    events = await until_end(socket)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["answer"] == events[-1]["id"] == events[0]["answer"]
    assert events[-1]["text"] == "Anders Lindqvist founded the observatory in 1923."
    pk = events[0]["answer"]
    await socket.send_json_to({"type": "resume", "answer": pk, "seq": 2})
    assert await until_end(socket) == events[2:]
    await socket.disconnect()


async def test_stop(herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "get_generator", lambda: FakeGenerator(pause=0.1))
    socket = await opened(AnswerConsumer, alice)
    await socket.send_json_to({"type": "ask", "question": "Herons?"})
    started = await socket.receive_json_from(timeout=10)
    await socket.send_json_to({"type": "stop", "answer": started["answer"]})
    assert (await until_end(socket))[-1]["state"] == "stopped"
    await socket.disconnect()


async def test_who_hangs_up_in_mid_answer_leaves_no_error(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As uvicorn has it: what is sent to a closed socket raises an ``OSError`` of its own."""

    class ClientDisconnected(OSError):
        pass

    async def closed(self: AnswerConsumer, content: Any) -> None:
        raise ClientDisconnected

    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    monkeypatch.setattr(pipeline, "get_generator", lambda: FakeGenerator(pause=0.02))
    socket = await opened(AnswerConsumer, alice)
    monkeypatch.setattr(AnswerConsumer, "send_json", closed)
    await socket.send_json_to({"type": "ask", "question": "Herons?"})
    await socket.send_to(text_data="no json")
    while not await in_database(Answer.objects.filter(events__type="done").exists):
        await asyncio.sleep(0.05)
    await socket.disconnect()
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_anonymous_is_refused() -> None:
    for consumer in (AnswerConsumer, DocumentConsumer):
        for user in (AnonymousUser(), None):
            socket = await opened(consumer, user)
            closed = await socket.receive_output(timeout=5)
            assert (closed["type"], closed["code"]) == ("websocket.close", 4401)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("no json", "bad-request"),
        ("[1]", "bad-request"),
        ('{"type": "dance"}', "bad-request"),
        ('{"type": "ask"}', "bad-request"),
        ('{"type": "ask", "question": " "}', "bad-request"),
        ('{"type": "ask", "question": "q", "collections": "x"}', "bad-request"),
        ('{"type": "ask", "question": "q", "collections": ["unknown"]}', "not-found"),
        ('{"type": "ask", "question": "q", "documents": ["7"]}', "not-found"),
        ('{"type": "resume", "answer": 7}', "not-found"),
        (f'{{"type": "stop", "answer": "{NOBODYS}"}}', "not-found"),
    ],
)
async def test_bad_input_is_answered_with_a_problem(alice: User, sent: str, code: str) -> None:
    socket = await opened(AnswerConsumer, alice)
    await socket.send_to(text_data=sent)
    problem = await socket.receive_json_from(timeout=5)
    assert (problem["type"], problem["code"], problem["seq"]) == ("error", code, 0)
    await socket.disconnect()


async def test_other_peoples_answers_do_not_exist(herons: Document, alice: User, bob: User) -> None:
    hers = await opened(AnswerConsumer, alice)
    await hers.send_json_to({"type": "ask", "question": "Who founded the observatory?"})
    pk = (await until_end(hers))[0]["answer"]
    his = await opened(AnswerConsumer, bob)
    for action in ("resume", "stop"):
        await his.send_json_to({"type": action, "answer": pk, "seq": 0})
        assert (await his.receive_json_from(timeout=5))["code"] == "not-found"
    await hers.disconnect()
    await his.disconnect()


async def test_news_of_documents_reach_members_only(herons: Document, bob: User, charlie: User) -> None:
    member, stranger = await opened(DocumentConsumer, bob), await opened(DocumentConsumer, charlie)
    await asyncio.sleep(0.3)  # until the groups are joined
    await sync_to_async(progress.announce)(herons)
    news = await member.receive_json_from(timeout=5)
    assert (news["type"], news["id"], news["status"]) == ("document", str(herons.pk), "ready")
    assert await stranger.receive_nothing(timeout=0.2)
    await member.disconnect()
    await stranger.disconnect()


async def test_without_redis_the_page_is_told_to_poll(
    herons: Document, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*args: Any) -> None:
        raise ConnectionError

    socket = WebsocketCommunicator(DocumentConsumer.as_asgi(), bob)
    monkeypatch.setattr("channels_redis.pubsub.RedisPubSubChannelLayer.group_add", gone, raising=False)
    monkeypatch.setattr("channels_redis.pubsub.RedisPubSubLoopLayer.group_add", gone, raising=False)
    await socket.connect()
    closed = await socket.receive_output(timeout=5)
    assert closed["code"] == 1013
