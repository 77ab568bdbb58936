"""MCP with the SDK's own client over HTTP: as the owner, as a stranger, without a token, and giving up."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest
from channels.db import database_sync_to_async as in_thread
from django.contrib.auth.models import User
from django.test import override_settings
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError

from documents.models import Collection, Document, Page
from portal.accounts.models import ApiToken
from portal.accounts.services import token_create, token_revoke
from portal.mcp_door import is_ours
from search import answers, mcp_tools, pipeline
from search.exceptions import SearchError
from search.generation.fake import FakeGenerator
from search.models import Answer, Conversation
from search.types import DraftSentence, GenerationRequest, Piece, Token
from tests.live import serving

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "The tide tables of Brest were computed in 1839 by Rémi Chazallon. He founded the French tide service."
QUESTION = "Who computed the tide tables of Brest?"
MODES = ("legacy", "auto")


@pytest.fixture
def document(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, TEXT, title="Tides")


@pytest.fixture
def address(document: Document) -> Iterator[str]:
    with serving() as found:
        yield found


def token_of(user: User) -> str:
    return token_create(user=user, name="mcp")[1]


@asynccontextmanager
async def client(address: str, secret: str, mode: str = "auto") -> AsyncIterator[Client]:
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {secret}"}) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http), mode=mode) as connected,
    ):
        yield connected


def text_of(result: Any) -> str:
    return "\n".join(part.text for part in result.content)


async def call(address: str, user: User, tool: str, mode: str = "auto", **arguments: Any) -> Any:
    secret = await in_thread(token_of)(user)
    async with client(address, secret, mode) as connected:
        return await connected.call_tool(tool, arguments)


@pytest.mark.parametrize("mode", MODES)
async def test_tools_are_listed_and_search_finds(
    address: str, alice: User, document: Document, mode: str
) -> None:
    async with client(address, await in_thread(token_of)(alice), mode) as connected:
        tools = {tool.name: tool for tool in (await connected.list_tools()).tools}
        assert set(tools) == {"search", "ask", "read_document"}
        assert tools["search"].input_schema["required"] == ["query"]
        found = await connected.call_tool("search", {"query": "tide tables", "limit": 3})
    assert not found.is_error
    first = found.structured_content["results"][0]
    assert first["document"] == {"id": str(document.pk), "title": "Tides"}
    assert "Chazallon" in text_of(found)
    assert str(document.pk) in text_of(found)


@pytest.mark.parametrize("mode", MODES)
async def test_ask_answers_with_citations(address: str, alice: User, document: Document, mode: str) -> None:
    asked = await call(address, alice, "ask", mode, question=QUESTION, documents=[str(document.pk)])
    assert not asked.is_error
    stored = asked.structured_content
    assert stored["citations"][0]["document"]["id"] == str(document.pk)
    assert "Chazallon" in text_of(asked)
    assert "[1] Tides" in text_of(asked)
    follow_up = await call(address, alice, "ask", mode, question="Who?", conversation=stored["conversation"])
    assert follow_up.structured_content["conversation"] == stored["conversation"]


async def test_an_answer_that_is_none_says_so(address: str, alice: User) -> None:
    asked = await call(address, alice, "ask", question="How heavy is the anchor of the Vasa?")
    assert not asked.is_error
    assert asked.structured_content["abstained"]
    assert text_of(asked)


async def test_a_document_is_read_in_stretches(
    address: str, alice: User, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await call(address, alice, "read_document", document=str(document.pk))
    assert whole.structured_content["pages"][0]["text"] == TEXT
    assert whole.structured_content["next"] is None
    monkeypatch.setattr(mcp_tools, "CHARACTERS", 40)
    first = await call(address, alice, "read_document", document=str(document.pk))
    assert first.structured_content["next"] == {"first_page": 1, "offset": 40}
    assert "offset 40" in text_of(first)
    rest = await call(address, alice, "read_document", document=str(document.pk), first_page=1, offset=40)
    assert (
        first.structured_content["pages"][0]["text"] + rest.structured_content["pages"][0]["text"]
        == TEXT[:80]
    )


def test_pages_fit_until_one_does_not() -> None:
    pages = [Page(number=n, text=str(n) * 9_000) for n in range(1, 5)]
    kept, following = mcp_tools.fitting(pages, 0)
    assert [page["number"] for page in kept] == [1, 2]
    assert following == {"first_page": 3, "offset": 0}
    kept, following = mcp_tools.fitting(pages[2:], 8_999)
    assert [len(page["text"]) for page in kept] == [1, 9_000]
    assert following is None


async def test_a_stranger_sees_nothing(address: str, charlie: User, bob: User, document: Document) -> None:
    found = await call(address, charlie, "search", query="tide tables")
    assert found.structured_content["results"] == []
    theirs = await call(address, charlie, "read_document", document=str(document.pk))
    nobodys = await call(address, charlie, "read_document", document=str(uuid4()))
    assert theirs.is_error
    assert text_of(theirs) == text_of(nobodys) == "There is nothing here, or nothing that you may see."
    asked = await call(address, charlie, "ask", question=QUESTION, documents=[str(document.pk)])
    assert asked.is_error
    assert "no such document" in text_of(asked)
    # A member of the collection reads it.
    assert not (await call(address, bob, "read_document", document=str(document.pk))).is_error


async def test_somebody_elses_conversation_is_none(address: str, alice: User, charlie: User) -> None:
    theirs = await in_thread(Conversation.objects.create)(owner=alice, title="x")
    asked = await call(address, charlie, "ask", question=QUESTION, conversation=str(theirs.pk))
    assert asked.is_error
    assert "no such conversation" in text_of(asked)


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("search", {}, "query: Field required"),
        ("search", {"query": "x", "limit": 1000}, "limit: "),
        ("search", {"query": "x", "type": "pdf"}, "type: "),
        ("search", {"query": "x", "before": "soon"}, "is no date"),
        ("search", {"query": "x", "documents": ["one"]}, "documents.0: "),
        ("search", {"query": "a\x00b", "collections": ["a\x00"], "tags": ["\x00"]}, ""),
        ("ask", {"question": "  "}, "The question is empty"),
        ("ask", {"question": "x" * 5000}, "longer than 4000"),
        ("ask", {"question": "x", "collections": ["nowhere"]}, "no such collection"),
        ("read_document", {"document": "../etc/passwd"}, "document: "),
        ("read_document", {"document": "THE_DOCUMENT", "first_page": 9}, "This document has 1 pages"),
        ("read_document", {"document": "THE_DOCUMENT", "first_page": 0}, "first_page: "),
        ("delete_document", {"document": "THE_DOCUMENT"}, "There is no tool 'delete_document'"),
    ],
)
async def test_bad_input_is_told_in_words(
    address: str, alice: User, document: Document, tool: str, arguments: dict[str, Any], words: str
) -> None:
    given = {
        name: str(document.pk) if value == "THE_DOCUMENT" else value for name, value in arguments.items()
    }
    result = await call(address, alice, tool, **given)
    assert bool(result.is_error) is bool(words)
    assert words in text_of(result)
    assert "Traceback" not in text_of(result)
    assert "pydantic" not in text_of(result)


async def test_details_of_what_nobody_foresaw_stay_here(
    address: str, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**given: Any) -> None:
        raise RuntimeError("secret path")

    monkeypatch.setattr(pipeline, "search", broken)
    result = await call(address, alice, "search", query="x")
    assert result.is_error
    assert "secret" not in text_of(result)


async def test_an_answer_that_fails_is_an_error(
    address: str, alice: User, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**given: Any) -> None:
        raise SearchError("The sources are on fire.")

    monkeypatch.setattr(pipeline, "answer_pieces", broken)
    result = await call(address, alice, "ask", question=QUESTION)
    assert result.is_error
    assert text_of(result) == "The sources are on fire."


class Endless(FakeGenerator):
    """Speaks until somebody stops it."""

    begun = threading.Event()

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        yield DraftSentence("The tide tables of Brest were computed in 1839.", cited=(1,))
        for _ in range(600):
            self.begun.set()
            time.sleep(0.05)
            yield Token("on ")


@pytest.mark.parametrize("mode", MODES)
async def test_who_gives_up_asking_stops_the_answer(
    address: str, alice: User, document: Document, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(pipeline, "get_generator", Endless)
    Endless.begun.clear()
    secret = await in_thread(token_of)(alice)

    async def ask() -> None:
        async with client(address, secret, mode) as connected:
            await connected.call_tool("ask", {"question": QUESTION})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        assert await anyio.to_thread.run_sync(Endless.begun.wait, 30)
        tasks.cancel_scope.cancel()
    answer = await in_thread(Answer.objects.get)()
    ended = await in_thread(answers.wait, thread_sensitive=False)(answer, timeout=10)
    assert ended.state == Answer.State.STOPPED
    assert "1839" in ended.text


async def test_a_wait_that_is_too_long_ends_with_what_there_is(
    address: str, alice: User, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "get_generator", Endless)
    monkeypatch.setattr(answers, "WAIT_SECONDS", 1.0)
    result = await call(address, alice, "ask", question=QUESTION)
    assert not result.is_error
    assert "not whole" in text_of(result)
    answer = await in_thread(Answer.objects.get)()
    ended = await in_thread(answers.wait, thread_sensitive=False)(answer, timeout=10)
    assert ended.state == Answer.State.STOPPED


# --- The gate -------------------------------------------------------------------------------

PING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def test_who_has_no_valid_token_stays_outside(address: str, alice: User) -> None:
    token, secret = token_create(user=alice)
    with httpx.Client(base_url=address, headers=ACCEPT) as http:
        assert http.post("/mcp", json=PING, headers={"Authorization": f"Bearer {secret}"}).status_code == 200
        token_revoke(token=token)
        for given in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": f"Bearer {secret}"},
            {"Authorization": "Basic x"},
        ):
            refused = http.post("/mcp", json=PING, headers=given)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert refused.headers["content-type"] == "application/problem+json"
    assert not ApiToken.objects.exists()


async def test_the_sdks_client_gets_nowhere_without_one(address: str) -> None:
    with pytest.raises((BaseExceptionGroup, MCPError)):
        async with client(address, "dp_wrong") as connected:
            await connected.list_tools()


def test_people_who_left_stay_outside(address: str, alice: User) -> None:
    secret = token_of(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    given = {**ACCEPT, "Authorization": f"Bearer {secret}"}
    assert httpx.post(f"{address}/mcp", json=PING, headers=given).status_code == 401


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"Host": "evil.test"}, 400),
        ("POST", {"Origin": "http://evil.test"}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("GET", {}, 405),
        ("DELETE", {}, 405),
        ("POST", {"Content-Type": "text/plain"}, 400),
    ],
)
def test_what_does_not_belong_is_refused(
    address: str, alice: User, method: str, headers: dict[str, str], status: int
) -> None:
    given = {
        **ACCEPT,
        "Content-Type": "application/json",
        "Authorization": f"Bearer {token_of(alice)}",
        **headers,
    }
    answer = httpx.request(method, f"{address}/mcp", headers=given, content=b"{}")
    assert answer.status_code == status


def test_a_body_that_is_no_call_is_an_error_of_the_protocol(address: str, alice: User) -> None:
    given = {**ACCEPT, "Authorization": f"Bearer {token_of(alice)}", "Content-Type": "application/json"}
    for body in (b"{", b"[]", b'{"jsonrpc": "2.0"}', b"[" * 50_000):
        assert httpx.post(f"{address}/mcp", headers=given, content=body).status_code == 400


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("portal.test", True),
        ("portal.test:8443", True),
        ("a.example.com", True),
        ("example.org", False),
        ("", False),
    ],
)
def test_hosts_are_judged_as_django_does(host: str, ours: bool) -> None:
    with override_settings(ALLOWED_HOSTS=["portal.test", ".example.com"]):
        assert is_ours(host) is ours
    with override_settings(ALLOWED_HOSTS=["*"]):
        assert is_ours("anything.at.all")
