"""The portal as a chat model: OpenAI's two calls, with the same tokens, access and evidence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import close_old_connections
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents.api_access import AnyAccept, caller, checked
from search import answers, log
from search.api import finished
from search.events import Event
from search.exceptions import NotFound
from search.models import Answer
from search.presentation import citation_url
from search.representation import answer_json
from search.types import Turn

MODEL = "document-portal"
#: When this door was opened; the field is required and says nothing else.
MODEL_CREATED = 1_750_000_000

Read = Mapping[str, Any]


class MessageSerializer(serializers.Serializer[Read]):
    role = serializers.CharField()
    content = serializers.JSONField(
        default=None, allow_null=True, help_text="A text, or a list of parts of the type text."
    )


class StreamOptionsSerializer(serializers.Serializer[Read]):
    include_usage = serializers.BooleanField(default=False)


class ChatSerializer(serializers.Serializer[Read]):
    """What is read of OpenAI's request; the rest is ignored. The last three are the portal's own."""

    model = serializers.CharField(default=MODEL)
    messages = MessageSerializer(many=True, allow_empty=False)
    stream = serializers.BooleanField(default=False)
    stream_options = StreamOptionsSerializer(required=False, allow_null=True)
    conversation = serializers.UUIDField(required=False)
    collections = serializers.ListField(child=serializers.CharField(), required=False)
    documents = serializers.ListField(child=serializers.UUIDField(), required=False)

    def validate_messages(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not question_in(messages):
            raise serializers.ValidationError("There is no message of the user with a text.")
        return messages


#: The one model there is: the portal.
CARD = {"id": MODEL, "object": "model", "created": MODEL_CREATED, "owned_by": "portal"}


class ModelsView(APIView):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response({"object": "list", "data": [CARD]})


class ModelView(APIView):
    @extend_schema(exclude=True)
    def get(self, request: Request, name: str) -> Response:
        if name != MODEL:
            raise NotFound(f"There is no model {name[:50]}, only {MODEL}.")
        return Response(CARD)


class ChatCompletionsView(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponseBase:
        """The last message of the user is the question; earlier turns tell what a follow-up is about."""
        given = checked(ChatSerializer, request.data)
        scope = {name: given[name] for name in ("conversation", "collections", "documents") if name in given}
        *earlier, turn = turns_in(given["messages"])
        answer = answers.ask(user=caller(request), question=turn.question, told_before=earlier, **scope)
        if given["stream"]:
            return streamed(request, answer, given)
        return Response(completion(request, finished(answer), given["model"]))


def question_in(messages: Sequence[Read]) -> str:
    spoken = (text_of(message["content"]) for message in reversed(messages) if message["role"] == "user")
    return next((text for text in spoken if text), "")


def turns_in(messages: Sequence[Read]) -> list[Turn]:
    """The questions of the user, each with what the assistant said to it. System and tools are not read."""
    turns: list[Turn] = []
    for role, text in ((message["role"], text_of(message["content"])) for message in messages):
        if role == "user" and text:
            turns.append(Turn(text, ""))
        elif role == "assistant" and turns:
            turns[-1] = replace(turns[-1], answer=f"{turns[-1].answer} {text}".strip())
    return turns


def text_of(content: Any) -> str:
    if isinstance(content, list):
        parts = [part.get("text", "") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str)).strip()
    return content.strip() if isinstance(content, str) else ""


# --- A whole answer -------------------------------------------------------------------------


def completion(request: Request, answer: Answer, model: str) -> dict[str, Any]:
    stored = answer_json(answer, caller(request))
    message = {
        "role": "assistant",
        "content": said(stored),
        "refusal": None,
        "annotations": list(evidence(request, stored)),
        "abstained": stored["abstained"],
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(stored)}
    head = envelope(answer, model, "chat.completion")
    return {**head, "choices": [choice], "usage": usage(answer)}


def said(stored: Read) -> str:
    """The answer's text; where there is none, that in words.

    ``refusal`` stays null: clients take it for a model that declines by policy, hide the message or raise.
    That documents hold no answer is an answer to its question; ``abstained`` tells it to programs.
    """
    if stored.get("abstained"):
        return (stored.get("refusal") or {}).get("sentence") or _("The documents hold no answer to this.")
    return str(stored.get("answer", ""))


def finish_reason(stored: Read) -> str:
    """``length``: this is not all that would have been said; the answer was stopped, or goes on."""
    return "stop" if stored.get("state", Answer.State.DONE) == Answer.State.DONE else "length"


def usage(answer: Answer) -> dict[str, int]:
    """Tokens of the language model; none where no model was asked, or where it did not count."""
    counted = answer.receipt.get("tokens") or {}
    prompt, written = (int(counted.get(name) or 0) for name in ("prompt", "completion"))
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def envelope(answer: Answer, model: str, kind: str) -> dict[str, Any]:
    created = int(answer.created_at.timestamp())
    return {"id": f"chatcmpl-{answer.pk}", "object": kind, "created": created, "model": model}


def evidence(request: Request, stored: Read) -> Iterator[dict[str, Any]]:
    """One for each citation of each sentence: where the sentence stands, and what it rests on."""
    by_number = {each["n"]: each for each in stored["citations"] if each["document"]}
    end = 0
    for sentence in stored["sentences"]:
        start = max(stored["answer"].find(sentence["text"], end), end)
        end = min(start + len(sentence["text"]), len(stored["answer"]))
        for n in sentence["citations"]:
            if citation := by_number.get(n):
                yield annotation(request, citation, start, end)


def annotation(request: Request, citation: dict[str, Any], start: int, end: int) -> dict[str, Any]:
    document = citation["document"]
    return {
        "type": "url_citation",
        "url_citation": {
            "url": request.build_absolute_uri(citation_url(citation)),
            "title": document["title"],
            "start_index": start,
            "end_index": end,
        },
        "file_citation": {
            "index": citation["n"],
            "file_id": document["id"],
            "filename": document["title"],
            "page": citation["page"],
            "quote": citation["quote"],
        },
    }


# --- A streamed answer ----------------------------------------------------------------------


def streamed(request: Request, answer: Answer, given: Read) -> HttpResponseBase:
    close_old_connections()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    with_usage = (given.get("stream_options") or {}).get("include_usage", False)
    frames = chunks(request, answer, given["model"], with_usage=with_usage)
    return StreamingHttpResponse(frames, content_type="text/event-stream", headers=headers)


async def chunks(request: Request, answer: Answer, model: str, *, with_usage: bool) -> AsyncIterator[bytes]:
    head = envelope(answer, model, "chat.completion.chunk")
    if with_usage:
        head["usage"] = None  # in every chunk but the last, which has nothing else
    yield line(delta(head, {"role": "assistant", "content": ""}))
    told = Told()
    async for event in log.follow(answer.pk, 0, caller(request)):
        if text := told.take(event):
            yield line(delta(head, {"content": text}))
        if event.type == "done":
            found = list(evidence(request, event.payload)) if event.payload else []
            abstained = event.payload.get("abstained", False)
            yield line(delta(head, {"annotations": found, "abstained": abstained}))
            yield line(delta(head, {}, finish_reason=finish_reason(event.payload)))
        elif event.type == "error":
            yield line({"error": stream_error(event.payload)})
    if with_usage:
        counted = await log.in_database(lambda: usage(Answer.objects.get(pk=answer.pk)))
        yield line({**head, "choices": [], "usage": counted})
    yield b"data: [DONE]\n\n"


def stream_error(problem: Read) -> dict[str, Any]:
    return {"message": problem["detail"], "type": "server_error", "code": problem.get("code"), "param": None}


class Told:
    """What was sent of an answer: a chat cannot take words back, so only what is sure to stay is sent.

    Until a sentence is supported, another generator may still take over and all sentences be void.
    """

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.sent = ""
        self.sure = False

    def take(self, event: Event) -> str:
        """The text to send now, if any."""
        if event.type == "sources" and event.payload.get("restart"):
            self.sentences.clear()
        elif event.type == "sentence":
            self.sentences.append(event.payload["text"])
            self.sure = self.sure or event.payload["supported"]
        elif event.type == "done":
            return self._rest_of(said(event.payload))
        return self._rest_of(" ".join(self.sentences)) if self.sure else ""

    def _rest_of(self, text: str) -> str:
        if not text.startswith(self.sent):
            return ""
        rest, self.sent = text[len(self.sent) :], text
        return rest


def delta(head: Read, change: Read, finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": change, "logprobs": None, "finish_reason": finish_reason}
    return {**head, "choices": [choice]}


def line(payload: Any) -> bytes:
    return f"data: {json.dumps(payload, default=str)}\n\n".encode()
