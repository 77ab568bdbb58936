"""The way to an OpenAI-compatible server: one request, streamed, that can be given up in any state.

The client runs on an event loop in a thread of its own. There a request is cancelled while it connects,
waits for its first token or is in the middle of its answer, and its connection is closed at once; a
thread that reads a socket itself would sit in the read until the model says something. The client is
imported at first use.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

from search.exceptions import BrokenOff, GenerationFailed
from search.generation.retrying import failure, pause_before_retry
from search.prompts import Message
from search.types import Used, Waiting

CONNECT_SECONDS = 5.0
#: How long a silent model keeps its reader from looking up.
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is served, and how many tokens it can take in, its answer with them.

    ``direct``: never by a proxy that the environment names.
    """

    base_url: str
    model: str
    api_key: str
    context_tokens: int
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A request: ``first_token_seconds`` holds for all tries together, and they are within the total."""

    endpoint: Endpoint
    messages: tuple[Message, ...]
    max_tokens: int
    first_token_seconds: float
    total_seconds: float
    tries: int = 3


def streamed(call: Call) -> Generator[str | Used | Waiting, None, None]:
    """The model's text as it comes, its own count of tokens if it gives one. Raises ``GenerationFailed``.

    Closing the iterator hangs up.
    """
    news: SimpleQueue[str | Used | Exception | None] = SimpleQueue()
    connection = connected(call.endpoint)
    request = asyncio.run_coroutine_threadsafe(connection.pump(call, news), connection.loop)
    try:
        while (got := latest(news)) is not None:
            if isinstance(got, Exception):
                raise failure(got) from got
            yield got
    finally:
        request.cancel()


def latest(news: SimpleQueue[Any]) -> Any:
    try:
        return news.get(timeout=POLL_SECONDS)
    except Empty:
        return Waiting()


class Connection:
    """A client of one server, and the loop that it lives on."""

    def __init__(self, endpoint: Endpoint) -> None:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="language-model", daemon=True)
        self.thread.start()
        self.client = AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key or "none",
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(trust_env=not endpoint.direct),
        )
        #: Parameters that this server has refused.
        self.refused: set[str] = set()

    async def pump(self, call: Call, news: SimpleQueue[Any]) -> None:
        """What the model says into ``news``; an error, where there is one; ``None`` at last."""
        try:
            async with asyncio.timeout(call.total_seconds):
                await self._pump(call, news)
        except Exception as error:
            news.put(error)
        finally:
            news.put(None)

    async def _pump(self, call: Call, news: SimpleQueue[Any]) -> None:
        async with asyncio.timeout(call.first_token_seconds):
            stream, chunk = await self._begun(call)
        finished = False
        async with aclosing(stream):
            while chunk is not None:
                if text := text_of(chunk):
                    news.put(text)
                finished = finished or any(choice.finish_reason for choice in chunk.choices)
                if chunk.usage:
                    news.put(Used(chunk.usage.prompt_tokens, chunk.usage.completion_tokens))
                chunk = await anext(stream, None)
        if not finished:
            raise BrokenOff

    async def _begun(self, call: Call) -> tuple[Any, Any]:
        """The stream and its first chunk with text. Until there is one, failures are tried again."""
        for attempt in count(1):
            try:
                return await self._first(call)
            except Exception as error:
                pause = pause_before_retry(error, attempt) if attempt < call.tries else None
                if pause is None:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError

    async def _first(self, call: Call) -> tuple[Any, Any]:
        stream = await self._opened(call)
        try:
            while (chunk := await anext(stream, None)) is not None:
                if text_of(chunk):
                    return stream, chunk
                if any(choice.finish_reason for choice in chunk.choices):
                    raise GenerationFailed("The language model returned no text.")
            raise BrokenOff
        except BaseException:
            await stream.close()
            raise

    async def _opened(self, call: Call) -> Any:
        """The stream, asked for without the parameters that this server refuses."""
        import openai

        while True:
            try:
                return await self.client.chat.completions.create(**self._parameters(call))
            except openai.BadRequestError as error:
                if not self._learned(error, call):
                    raise

    def _parameters(self, call: Call) -> dict[str, Any]:
        wished = {
            "max_tokens": call.max_tokens,
            "max_completion_tokens": call.max_tokens,
            "temperature": 0,
            "stream_options": {"include_usage": True},
        }
        if "max_tokens" not in self.refused:
            del wished["max_completion_tokens"]
        return {
            "model": call.endpoint.model,
            "messages": list(call.messages),
            "stream": True,
            "timeout": timeouts(call),
            **{name: value for name, value in wished.items() if name not in self.refused},
        }

    def _learned(self, error: Any, call: Call) -> bool:
        """Whether the server named a parameter that it was sent and can be asked without."""
        sent = self._parameters(call).keys() & {"max_tokens", "temperature", "stream_options"}
        named = {name for name in sent if error.param == name or f"'{name}'" in str(error)}
        self.refused |= named
        return bool(named)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.client.close(), self.loop).result(CONNECT_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(CONNECT_SECONDS)
        self.loop.close()


def timeouts(call: Call) -> Any:
    from openai import Timeout

    return Timeout(call.total_seconds, connect=CONNECT_SECONDS)


def text_of(chunk: Any) -> str:
    return "".join(choice.delta.content or "" for choice in chunk.choices if choice.delta)


# --- Kept from one request to the next ----------------------------------------------------------

_connections: dict[Endpoint, Connection] = {}
_lock = threading.Lock()


def connected(endpoint: Endpoint) -> Connection:
    with _lock:
        if endpoint not in _connections:
            _connections[endpoint] = Connection(endpoint)
        return _connections[endpoint]


def hang_up() -> None:
    """Close all connections; the next request makes new ones."""
    with _lock:
        while _connections:
            _connections.popitem()[1].close()
