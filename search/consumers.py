"""Answers over a WebSocket. Needs no channel layer: it lives when Redis is gone."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from documents.told import told
from search import answers
from search.exceptions import BadRequest, NotFound, SearchError
from search.log import follow, in_database
from search.models import Answer
from search.representation import event_json, problem

ANONYMOUS = 4401
#: Answers that one socket follows at a time; the oldest gives way.
MAX_FOLLOWED = 8
#: What a server raises when the other end went away in the middle of an answer (ASGI: an ``OSError``).
GONE = OSError


class AnswerConsumer(AsyncJsonWebsocketConsumer):
    """``ask``, ``resume`` and ``stop`` come in; the events of the followed answers go out."""

    async def connect(self) -> None:
        self.following: dict[UUID, asyncio.Task[None]] = {}
        self.user: Any = self.scope.get("user")
        await self.accept()
        if self.user is None or not self.user.is_authenticated:
            await self.close(code=ANONYMOUS)

    async def disconnect(self, code: int) -> None:
        """The answers go on: whoever comes back finds them in the log."""
        for task in self.following.values():
            task.cancel()

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        try:
            return await super().decode_json(text_data)
        except ValueError:
            return None

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        if self.user is None or not self.user.is_authenticated:
            return
        await self.receive_json(await self.decode_json(text_data or ""))

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        try:
            action = content.get("type") if isinstance(content, dict) else None
            if action not in ("ask", "resume", "stop"):
                raise BadRequest('Send {"type": "ask"}, {"type": "resume"} or {"type": "stop"}.')
            await getattr(self, action)(content)
        except SearchError as error:
            with suppress(GONE):
                await self.send_json(refusal(error, content))

    async def ask(self, content: dict[str, Any]) -> None:
        question = content.get("question")
        if not isinstance(question, str):
            raise BadRequest("The question is missing.")
        conversation = content.get("conversation")
        asked = partial(
            answers.ask,
            user=self.user,
            question=question,
            conversation=identifier(conversation) if conversation else None,
            collections=strings(content.get("collections")),
            documents=[identifier(pk) for pk in strings(content.get("documents"))],
        )
        answer = await in_database(asked)
        self.follow(answer.pk, 0)

    async def resume(self, content: dict[str, Any]) -> None:
        answer = await self.visible(content)
        seq = content.get("seq", 0)
        if not isinstance(seq, int) or seq < 0:
            raise BadRequest("seq is the number of the last event that was received.")
        self.follow(answer.pk, seq)

    async def stop(self, content: dict[str, Any]) -> None:
        answer = await self.visible(content)
        await in_database(lambda: answers.stop(answer=answer))

    async def visible(self, content: dict[str, Any]) -> Answer:
        pk = identifier(content.get("answer"))
        found: Answer | None = await in_database(
            lambda: Answer.objects.visible_to(self.user).filter(pk=pk).first()
        )
        if found is None:
            raise NotFound("There is no such answer.")
        return found

    def follow(self, answer: UUID, after_seq: int) -> None:
        """Send the events of ``answer`` from now on; asked for twice, the later request counts."""
        if earlier := self.following.pop(answer, None):
            earlier.cancel()
        while len(self.following) >= MAX_FOLLOWED:
            self.following.pop(next(iter(self.following))).cancel()
        task = asyncio.create_task(self.forward(answer, after_seq))
        self.following[answer] = task
        task.add_done_callback(lambda ended: self.forget(answer, ended))

    def forget(self, answer: UUID, task: asyncio.Task[None]) -> None:
        if self.following.get(answer) is task:
            del self.following[answer]

    async def forward(self, answer: UUID, after_seq: int) -> None:
        with suppress(GONE):
            async for event in follow(answer, after_seq, self.user):
                await self.send_json(event_json(event))


def refusal(error: SearchError, content: Any) -> dict[str, Any]:
    """An error that belongs to no log: ``seq`` 0, and the answer it was about, if any."""
    answer = content.get("answer") if isinstance(content, dict) else None
    return {
        **problem(error),
        "detail": told(str(error)),
        "type": "error",
        "answer": answer if isinstance(answer, str) else None,
        "seq": 0,
    }


def identifier(given: Any) -> UUID:
    try:
        return UUID(given)
    except (ValueError, TypeError, AttributeError):
        raise NotFound("There is nothing under this id.") from None


def strings(given: Any) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(entry, str) for entry in given):
        raise BadRequest("collections and documents are lists of strings.")
    return [entry.replace("\x00", "") for entry in given]
