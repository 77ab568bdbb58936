"""Answers as events, and the portal as a chat model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient
from rest_framework.test import APIClient

from documents.models import Collection, Document
from portal.accounts.services import token_create
from search import answers, pipeline
from search.events import Event
from search.exceptions import GenerationFailed
from search.generation.fake import FakeGenerator
from search.log import in_database
from search.models import Answer
from search.openai_api import Told
from search.types import DraftSentence, GenerationRequest, Piece, Token

Api = Callable[[User | None], APIClient]
TEXT = "The tide tables of Brest were computed in 1839 by Rémi Chazallon. He founded the French tide service."
QUESTION = "Who computed the tide tables of Brest?"
CHAT = "/v1/chat/completions"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def document(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, TEXT, title="Tides")


class Program:
    """An asynchronous client with a token."""

    def __init__(self, user: User) -> None:
        self.client = AsyncClient()
        self.user = user

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        _, secret = await sync_to_async(token_create)(user=self.user)
        given = {"Authorization": f"Bearer {secret}", **headers}
        return await self.client.generic(
            method, path, json.dumps(body), content_type="application/json", headers=given
        )


async def text_of(response: Any) -> str:
    return b"".join([piece async for piece in response.streaming_content]).decode()


def events(text: str) -> list[dict[str, Any]]:
    lines = [line for line in text.splitlines() if line.startswith("data:")]
    return [json.loads(line.removeprefix("data:")) for line in lines if "[DONE]" not in line]


async def test_who_accepts_events_gets_them(alice: User, document: Document) -> None:
    program = Program(alice)
    response = await program.send(
        "POST", "/api/v1/answers/", {"question": QUESTION}, Accept="text/event-stream"
    )
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/event-stream")
    told = events(await text_of(response))
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    assert (told[0]["type"], told[-1]["type"]) == ("started", "done")
    assert "Chazallon" in told[-1]["answer"] or "Chazallon" in str(told[-1])


async def test_a_stream_is_taken_up_again(alice: User, charlie: User, document: Document) -> None:
    program = Program(alice)
    stored = (await program.send("POST", "/api/v1/answers/", {"question": QUESTION})).json()
    address = f"/api/v1/answers/{stored['id']}/events/"
    whole = events(await text_of(await program.send("GET", address)))
    rest = events(await text_of(await program.send("GET", address, **{"Last-Event-ID": "2"})))
    assert rest == whole[2:]
    assert (await Program(charlie).send("GET", address)).status_code == 404


async def test_errors_before_the_stream_are_problems(alice: User) -> None:
    response = await Program(alice).send(
        "POST", "/api/v1/answers/", {"question": ""}, Accept="text/event-stream"
    )
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    anonymous = await AsyncClient().post("/api/v1/answers/", headers={"Accept": "text/event-stream"})
    assert anonymous.status_code == 401


def test_a_completion_carries_its_evidence(api: Api, alice: User, document: Document) -> None:
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": QUESTION}]
    response = api(alice).post(CHAT, {"model": "any", "messages": messages, "temperature": 0})
    assert response.status_code == 200, response.content
    message = response.json()["choices"][0]["message"]
    assert "Chazallon" in message["content"]
    found = message["annotations"][0]
    cited = found["url_citation"]
    assert "Chazallon" in message["content"][cited["start_index"] : cited["end_index"]]
    assert cited["url"].startswith("http://testserver/")
    assert found["file_citation"]["file_id"] == str(document.pk)
    assert found["file_citation"]["quote"] in TEXT


async def test_a_completion_streams(alice: User, document: Document) -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}], "stream": True}
    text = await text_of(await Program(alice).send("POST", CHAT, body))
    assert text.endswith("data: [DONE]\n\n")
    choices = [chunk["choices"][0] for chunk in events(text)]
    assert "Chazallon" in "".join(choice["delta"].get("content", "") for choice in choices)
    assert any(choice["delta"].get("annotations") for choice in choices)
    assert choices[-1]["finish_reason"] == "stop"


async def test_a_chat_is_never_told_what_is_rejected_later(
    alice: User, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DiesAfterWords(FakeGenerator):
        def generate(self, request: GenerationRequest) -> Iterator[Piece]:
            yield Token("The moon is made of cheese. ")
            yield DraftSentence("The moon is made of cheese.", cited=(1,))
            raise GenerationFailed("gone")

    monkeypatch.setattr(pipeline, "get_generator", DiesAfterWords)
    body = {"messages": [{"role": "user", "content": QUESTION}], "stream": True}
    chunks = events(await text_of(await Program(alice).send("POST", CHAT, body)))
    said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert "cheese" not in said
    assert said == await in_database(lambda: Answer.objects.get().text)
    assert "Chazallon" in said


@pytest.mark.parametrize("supported", [True, False])
def test_a_chat_is_told_every_sentence_once(supported: bool) -> None:
    told, answer = Told(), "One. Two. Three."
    given = [
        ("sentence", {"text": "One.", "supported": False}),
        ("sentence", {"text": "Two.", "supported": supported}),
        ("token", {"text": "Thr"}),
        ("sentence", {"text": "Three.", "supported": False}),
        ("done", {"answer": answer}),
    ]
    said = [told.take(Event(uuid4(), seq, type_, payload)) for seq, (type_, payload) in enumerate(given, 1)]  # type: ignore[arg-type]
    early = ["", "One. Two.", "", " Three.", ""]
    assert said == (early if supported else ["", "", "", "", answer])


def test_a_slow_answer_is_202(
    api: Api, alice: User, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = answers.wait
    monkeypatch.setattr(pipeline, "get_generator", lambda: FakeGenerator(pause=0.1))
    monkeypatch.setattr(answers, "wait", lambda answer: wait(answer, 0.05))
    response = api(alice).post("/api/v1/answers/", {"question": QUESTION})
    assert (response.status_code, response.json()["state"]) == (202, "running")
    wait(Answer.objects.get(), 30)


def test_strangers_get_no_evidence_by_chat(api: Api, charlie: User, document: Document) -> None:
    body = {"messages": [{"role": "user", "content": QUESTION}]}
    assert api(charlie).post(CHAT, body).json()["choices"][0]["message"]["annotations"] == []
    assert api(None).post(CHAT, body).status_code == 401


@pytest.mark.parametrize(
    "messages",
    [[], "x", [{"role": "assistant", "content": "x"}], [{"role": "user", "content": [{"type": "image"}]}]],
)
def test_a_chat_without_a_question_is_400(messages: Any, api: Api, alice: User) -> None:
    response = api(alice).post(CHAT, {"messages": messages})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_models(api: Api, alice: User) -> None:
    listed = api(alice).get("/v1/models").json()
    assert listed["object"] == "list"
    assert listed["data"][0]["object"] == "model"
    assert api(None).get("/v1/models").status_code == 401
