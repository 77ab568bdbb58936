"""What the hot door reads in Redis and keeps there: asynchronous, and many requests in one round trip."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError

from search.kept_responses import EPOCH, PREFIX, RESPONSE_SECONDS, response_key, view_key

logger = logging.getLogger(__name__)

#: So long Redis may take to answer: this event loop may be late itself. Then Django answers, and Redis is
#: left alone for a while.
PATIENCE_SECONDS = 1.0
PAUSE_SECONDS = 5.0
#: A read that comes so soon after one that several shared waits so long for company: it costs more to wake
#: Redis than to ask it for one more.
BUSY_SECONDS = 0.015
COMPANY_SECONDS = 0.003
#: Of each pair of a view's key and a query: the view, if the epoch is still the one it was noted in, and the
#: response kept for it. ARGV holds the prefix of responses, then the queries.
LOOK_UP = """
local epoch = redis.call('GET', KEYS[1])
local found = {epoch or ''}
for i = 2, #KEYS do
  local note = epoch and redis.call('GET', KEYS[i])
  if note and string.sub(note, 1, #epoch + 1) == epoch .. ':' then
    local view = string.sub(note, #epoch + 2)
    found[i] = {view, redis.call('GET', ARGV[1] .. ':' .. view .. ':' .. ARGV[i]) or ''}
  else
    found[i] = {}
  end
end
return found
"""
#: Keeps a response unless the epoch has changed since its view was looked up.
KEEP = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
end
return false
"""

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who asks (digest of the token) for what (digest of the query)."""

    token: str
    query: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A response as Django gave it."""

    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The view of a token as it is now, in which epoch, and what is kept of the response."""

    epoch: str
    view: str
    response: Kept | None


class HotStore:
    """One for each event loop. Raises nothing: where Redis does not answer, nothing is found."""

    def __init__(self) -> None:
        self._redis: Redis = Redis.from_url(
            settings.REDIS_LOCATION,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
        )
        self._look_up = self._redis.register_script(LOOK_UP)
        self._keep = self._redis.register_script(KEEP)
        self._waiting: dict[Wanted, asyncio.Future[Found | None]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._paused_until = 0.0
        self._asking = 0
        self._busy_until = 0.0

    @property
    def is_paused(self) -> bool:
        return time.monotonic() < self._paused_until

    async def find(self, wanted: Wanted) -> Found | None:
        """None when the token's view is not known. What is found was read after this was called.

        While one read is under way, who comes waits for the next, which serves them all, and waits a moment
        for more where many come: a round trip is shared by many, and who asks alone waits for nobody.
        """
        if self.is_paused:
            return None
        self._asking += 1
        waiting = self._waiting.setdefault(wanted, asyncio.get_running_loop().create_future())
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return await asyncio.shield(waiting)

    async def keep(self, found: Found, query: str, response: Kept) -> bool:
        keys = [EPOCH, response_key(found.view, query)]
        arguments: list[str | bytes | int] = [found.epoch, packed(response), RESPONSE_SECONDS]
        return bool(await self._asked(lambda: self._keep(keys=keys, args=arguments)))

    async def close(self) -> None:
        await self._redis.aclose()

    async def _read(self) -> None:
        try:
            while self._waiting:
                # At least all that came with the same turn of the event loop come along.
                await asyncio.sleep(COMPANY_SECONDS if time.monotonic() < self._busy_until else 0)
                waiting, self._waiting = self._waiting, {}
                asking, self._asking = self._asking, 0
                if asking > 1:
                    self._busy_until = time.monotonic() + BUSY_SECONDS
                await self._read_for(waiting)
        finally:
            self._reading = None

    async def _read_for(self, waiting: dict[Wanted, asyncio.Future[Found | None]]) -> None:
        keys = [EPOCH, *(view_key(wanted.token) for wanted in waiting)]
        arguments = [PREFIX, *(wanted.query for wanted in waiting)]
        answer = await self._asked(lambda: self._look_up(keys=keys, args=arguments))
        epoch, *rows = answer or [b"", *([] for _ in waiting)]
        for future, row in zip(waiting.values(), rows, strict=True):
            future.set_result(found_in(epoch, row))

    async def _asked(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """What Redis answers; None when it does not, and then it is not asked for a while."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await call()
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            logger.warning("kept responses cannot be read: %s", error or type(error).__name__)
            return None


def found_in(epoch: bytes, row: list[bytes]) -> Found | None:
    if not row:
        return None
    view, response = row
    return Found(epoch.decode(), view.decode(), unpacked(response) if response else None)


def packed(response: Kept) -> bytes:
    lines = (b"%s: %s" % line for line in response.headers)
    return b"\n".join(lines) + b"\n\n" + response.body


def unpacked(value: bytes) -> Kept:
    head, _, body = value.partition(b"\n\n")
    return Kept(headers_of(head), body)


@lru_cache(maxsize=1024)
def headers_of(head: bytes) -> Headers:
    pairs = (line.partition(b": ") for line in head.split(b"\n"))
    return tuple((name, value) for name, _, value in pairs)
