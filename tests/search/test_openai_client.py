"""OpenAI's door with OpenAI's own client, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from documents.models import Collection, Document
from portal.accounts.services import token_create
from search import answers, pipeline, runner
from search.generation.fake import FakeGenerator
from search.models import Answer, Conversation
from search.openai_api import turns_in, usage
from search.types import DraftSentence, GenerationRequest, Piece, Token, Turn
from tests.live import serving

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "The tide tables of Brest were computed in 1839 by Rémi Chazallon. He founded the French tide service."
QUESTION = "Who computed the tide tables of Brest?"
MODEL = "document-portal"

Messages = list[dict[str, Any]]


@pytest.fixture
def document(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, TEXT, title="Tides")


@pytest.fixture
def portal(document: Document) -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def client(portal: str, alice: User) -> Iterator[openai.OpenAI]:
    with client_of(portal, token_create(user=alice)[1]) as made:
        yield made


def client_of(address: str, secret: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key=secret, max_retries=0)


def said(*texts: str) -> Any:
    """Turns of user and assistant, the user first."""
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


def test_an_answer_is_whole(client: openai.OpenAI, document: Document) -> None:
    done = client.chat.completions.create(model=MODEL, messages=said(QUESTION), temperature=0, max_tokens=5)
    choice = done.choices[0]
    assert "Chazallon" in (choice.message.content or "")
    assert choice.finish_reason == "stop"
    assert choice.message.refusal is None
    assert choice.message.annotations
    cited = choice.message.annotations[0].url_citation
    assert cited.title == "Tides"
    assert f"/documents/{document.pk}/" in cited.url
    # No language model was asked.
    assert done.usage
    assert (done.usage.prompt_tokens, done.usage.completion_tokens, done.usage.total_tokens) == (0, 0, 0)


@pytest.mark.parametrize("with_usage", [True, False])
def test_a_stream_is_whole(client: openai.OpenAI, with_usage: bool) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if with_usage else {}
    stream = client.chat.completions.create(model=MODEL, messages=said(QUESTION), stream=True, **options)
    chunks = list(stream)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "Chazallon" in "".join(choice.delta.content or "" for choice in choices)
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [with_usage]
    assert bool(chunks[-1].choices) is not with_usage


def test_the_clients_own_reading_of_a_stream(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=said(QUESTION)) as stream:
        final = stream.get_final_completion()
    assert "Chazallon" in (final.choices[0].message.content or "")


@pytest.mark.parametrize("stream", [True, False])
def test_no_answer_is_said_in_the_message(client: openai.OpenAI, stream: bool) -> None:
    """Not as a refusal: clients take that for a matter of policy."""
    asked: Any = {"model": MODEL, "messages": said("How heavy is the anchor of the Vasa?"), "stream": stream}
    if stream:
        deltas = [chunk.choices[0].delta for chunk in client.chat.completions.create(**asked)]
        content, refusals = "".join(each.content or "" for each in deltas), [each.refusal for each in deltas]
        abstained = any(getattr(each, "abstained", False) for each in deltas)
    else:
        message = client.chat.completions.create(**asked).choices[0].message
        content, refusals, abstained = message.content, [message.refusal], message.abstained
    assert content
    assert not any(refusals)
    assert abstained


def test_a_follow_up_is_understood_by_what_was_said_before(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[GenerationRequest] = []

    class Listening(FakeGenerator):
        remote = True

        def generate(self, request: GenerationRequest) -> Iterator[Piece]:
            seen.append(request)
            return super().generate(request)

    monkeypatch.setattr(pipeline, "get_generator", Listening)
    messages = said(QUESTION, "Rémi Chazallon did, in 1839.", "And when?")
    client.chat.completions.create(model=MODEL, messages=messages)
    assert seen[0].question == "And when?"
    assert seen[0].history == (Turn(QUESTION, "Rémi Chazallon did, in 1839."),)
    # What was looked for is the follow-up together with what it is about.
    assert seen[0].sources


def test_what_is_told_of_earlier_turns_is_bounded() -> None:
    kept = answers.given_turns([Turn("q" * 9_000, "a" * 50_000), *[Turn(f"q{n}\x00", "") for n in range(9)]])
    assert [turn.question for turn in kept] == ["q5", "q6", "q7", "q8"]
    (longest,) = answers.given_turns([Turn("q " * 9_000, "a" * 50_000)])
    assert len(longest.question) <= answers.QUESTION_LENGTH
    assert len(longest.answer) <= answers.ANSWER_LENGTH


def test_a_stored_conversation_goes_before_what_is_told(client: openai.OpenAI, alice: User) -> None:
    first = client.chat.completions.create(model=MODEL, messages=said(QUESTION))
    answer = Answer.objects.get(pk=first.id.removeprefix("chatcmpl-"))
    client.chat.completions.create(
        model=MODEL,
        messages=said("Who?", "Napoleon did.", "Which service did he found?"),
        extra_body={"conversation": str(answer.conversation_id)},
    )
    assert Conversation.objects.get().answers.count() == 2


def test_turns_are_read_of_texts_alone() -> None:
    messages: Messages = [
        {"role": "system", "content": "obey"},
        {"role": "assistant", "content": "Welcome!"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "One?"}, {"type": "image_url", "image_url": {}}],
        },
        {"role": "assistant", "content": None},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "First."},
        {"role": "user", "content": ""},
        {"role": "user", "content": "Two?"},
    ]
    assert turns_in(messages) == [Turn("One?", "First."), Turn("Two?", "")]


def test_usage_is_what_the_model_counted() -> None:
    counted = {"prompt": 1200, "completion": 48, "estimated": True}
    assert usage(Answer(receipt={"tokens": counted})) == {
        "prompt_tokens": 1200,
        "completion_tokens": 48,
        "total_tokens": 1248,
    }
    assert usage(Answer(receipt={}))["total_tokens"] == 0


def test_an_answer_that_was_stopped_is_not_whole(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(FakeGenerator):
        def generate(self, request: GenerationRequest) -> Iterator[Piece]:
            yield DraftSentence("The tide tables of Brest were computed in 1839.", cited=(1,))
            answers.stop(answer=Answer.objects.get())
            yield Token("more")
            yield Token("and more")

    monkeypatch.setattr(pipeline, "get_generator", Stopped)
    done = client.chat.completions.create(model=MODEL, messages=said(QUESTION))
    assert done.choices[0].finish_reason == "length"
    assert "1839" in (done.choices[0].message.content or "")


# --- Errors as OpenAI's client knows them -----------------------------------------------------


def error_of(raised: pytest.ExceptionInfo[openai.APIStatusError]) -> dict[str, Any]:
    """The error object, with all four of its members."""
    whole = raised.value.response.json()["error"]
    assert set(whole) == {"message", "type", "code", "param"}
    return dict(whole)


def test_bad_requests_name_what_is_wrong(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, messages=[{"role": "system", "content": "x"}])
    found = error_of(raised)
    assert (found["type"], found["param"]) == ("invalid_request_error", "messages")
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, messages=said("x" * 5000))
    assert "4000" in error_of(raised)["message"]


def test_a_wrong_key_is_an_authentication_error(portal: str) -> None:
    with client_of(portal, "dp_wrong") as client, pytest.raises(openai.AuthenticationError) as raised:
        client.models.list()
    assert error_of(raised)["code"] == "invalid_api_key"


def test_what_is_not_there_is_not_found(client: openai.OpenAI, portal: str, charlie: User) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("gpt-17")
    assert error_of(raised)["type"] == "invalid_request_error"
    mine = client.chat.completions.create(model=MODEL, messages=said(QUESTION)).id
    conversation = Answer.objects.get(pk=mine.removeprefix("chatcmpl-")).conversation_id
    with client_of(portal, token_create(user=charlie)[1]) as theirs, pytest.raises(openai.NotFoundError):
        theirs.chat.completions.create(
            model=MODEL, messages=said("Who?"), extra_body={"conversation": str(conversation)}
        )


def test_too_many_questions_are_a_rate_limit(
    client: openai.OpenAI, api: Callable[[User], APIClient], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "ROOM", 0)
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model=MODEL, messages=said(QUESTION))
    assert error_of(raised)["code"] == "rate_limit_exceeded"
    assert raised.value.response.headers["Retry-After"]
    # Elsewhere it stays what it was.
    assert api(alice).post("/api/v1/answers/", {"question": QUESTION}).status_code == 503


def test_a_stream_that_fails_raises(client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**given: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(pipeline, "answer_pieces", broken)
    with pytest.raises(openai.APIError) as raised:
        list(client.chat.completions.create(model=MODEL, messages=said(QUESTION), stream=True))
    assert "secret" not in json.dumps(raised.value.body)
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model=MODEL, messages=said(QUESTION))
