"""The portal as a chat model: OpenAI's two calls, with the same tokens, access and evidence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from django.db import close_old_connections
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents.api_access import AnyAccept, caller, checked
from search import answers, log
from search.api import finished
from search.models import Answer
from search.presentation import citation_url
from search.representation import answer_json
from search.types import Event

MODEL = "document-portal"
#: When this door was opened; the field is required and says nothing else.
MODEL_CREATED = 1_750_000_000

Read = Mapping[str, Any]


class MessageSerializer(serializers.Serializer[Read]):
    role = serializers.CharField()
    content = serializers.JSONField(help_text="A text, or a list of parts of the type text.")


class ChatSerializer(serializers.Serializer[Read]):
    """What is read of OpenAI's request; the rest is ignored. The last three are the portal's own."""

    model = serializers.CharField(default=MODEL)
    messages = MessageSerializer(many=True, allow_empty=False)
    stream = serializers.BooleanField(default=False)
    conversation = serializers.UUIDField(required=False)
    collections = serializers.ListField(child=serializers.CharField(), required=False)
    documents = serializers.ListField(child=serializers.UUIDField(), required=False)

    def validate_messages(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not question_in(messages):
            raise serializers.ValidationError("There is no message of the user with a text.")
        return messages


class ModelsView(APIView):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """The one model there is: the portal."""
        model = {"id": MODEL, "object": "model", "created": MODEL_CREATED, "owned_by": "portal"}
        return Response({"object": "list", "data": [model]})


class ChatCompletionsView(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponseBase:
        """The last message of the user is the question; earlier ones are not read."""
        given = checked(ChatSerializer, request.data)
        scope = {name: given[name] for name in ("conversation", "collections", "documents") if name in given}
        answer = answers.ask(user=caller(request), question=question_in(given["messages"]), **scope)
        if given["stream"]:
            return streamed(request, answer, given["model"])
        return Response(completion(request, finished(answer), given["model"]))


def question_in(messages: list[dict[str, Any]]) -> str:
    spoken = (text_of(message["content"]) for message in reversed(messages) if message["role"] == "user")
    return next((text for text in spoken if text), "")


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
        "content": stored["answer"],
        "refusal": None,
        "annotations": list(evidence(request, stored)),
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {**envelope(answer, model, "chat.completion"), "choices": [choice]}


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


def streamed(request: Request, answer: Answer, model: str) -> HttpResponseBase:
    close_old_connections()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(
        chunks(request, answer, model), content_type="text/event-stream", headers=headers
    )


async def chunks(request: Request, answer: Answer, model: str) -> AsyncIterator[bytes]:
    head = envelope(answer, model, "chat.completion.chunk")
    yield line(delta(head, {"role": "assistant", "content": ""}))
    told = Told()
    async for event in log.follow(answer.pk, 0, caller(request)):
        if text := told.take(event):
            yield line(delta(head, {"content": text}))
        if event.type == "done":
            found = list(evidence(request, event.payload)) if event.payload else []
            yield line(delta(head, {"annotations": found}))
            yield line(delta(head, {}, finish_reason="stop"))
        elif event.type == "error":
            yield line({"error": {"message": event.payload["detail"], "type": "server_error"}})
    yield b"data: [DONE]\n\n"


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
            return self._rest_of(event.payload.get("answer", ""))
        return self._rest_of(" ".join(self.sentences)) if self.sure else ""

    def _rest_of(self, text: str) -> str:
        if not text.startswith(self.sent):
            return ""
        rest, self.sent = text[len(self.sent) :], text
        return rest


def delta(head: dict[str, Any], change: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {**head, "choices": [{"index": 0, "delta": change, "finish_reason": finish_reason}]}


def line(payload: Any) -> bytes:
    return f"data: {json.dumps(payload, default=str)}\n\n".encode()
