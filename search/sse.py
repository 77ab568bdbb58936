"""Answers as ``text/event-stream``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from django.http import HttpRequest, StreamingHttpResponse

from search.events import Event
from search.log import follow
from search.models import Answer
from search.representation import event_json

KEEP_ALIVE_SECONDS = 15.0
KEEP_ALIVE = b": keep-alive\n\n"


def stream(request: HttpRequest, answer: Answer, after_seq: int = 0) -> StreamingHttpResponse:
    """The answer's events from ``after_seq`` on, for the signed-in user of ``request``.

    The caller has checked that the answer is theirs. Call it from an async view: under WSGI the
    frames would all be collected before the first is sent.
    """
    frames = kept_alive(follow(answer.pk, after_seq, request.user))
    response = StreamingHttpResponse(frames, content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"  # nginx would hold the words back
    return response


def last_event_id(request: HttpRequest) -> int:
    """Where a stream is taken up again: ``Last-Event-ID``, else ``?after=``; 0 for none or nonsense."""
    given = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0


async def kept_alive(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    """The frames of ``events``, with a comment in long silences so that nothing on the way hangs up."""
    upcoming: asyncio.Future[Event] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(events))  # type: ignore[arg-type]
            done, _ = await asyncio.wait({upcoming}, timeout=KEEP_ALIVE_SECONDS)
            if not done:
                yield KEEP_ALIVE
                continue
            finished, upcoming = upcoming, None
            try:
                yield frame(finished.result())
            except StopAsyncIteration:
                return
    finally:
        if upcoming is not None:
            upcoming.cancel()


def frame(event: Event) -> bytes:
    text = json.dumps(event_json(event), ensure_ascii=False, default=str)
    return f"id: {event.seq}\nevent: {event.type}\ndata: {text}\n\n".encode()
