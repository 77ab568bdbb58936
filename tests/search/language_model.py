"""A language model's HTTP door, small enough to live in a test."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Model:
    """What the model says, in the pieces it says it in; or what it refuses with."""

    pieces: list[str] = field(default_factory=list)
    status: int = 200
    #: Statuses of the first requests, before ``status`` holds.
    first: list[int] = field(default_factory=list)
    retry_after: str = ""
    #: Parameters that it does not know: 400.
    unknown: set[str] = field(default_factory=set)
    #: Seconds before each piece, and before the first one more.
    pause: float = 0.0
    first_pause: float = 0.0
    #: Hang up after so many pieces; say nothing more after so many, and stay.
    cut_after: int | None = None
    stall_after: int | None = None
    #: (prompt, completion), where it counts its tokens.
    usage: tuple[int, int] | None = None
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    #: When each request came, and when a reader hung up, by ``time.monotonic``.
    came: list[float] = field(default_factory=list)
    hung_up: list[float] = field(default_factory=list)
    #: Set when it has stalled.
    silent: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(model: Model) -> Iterator[Model]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(model))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def handler_of(model: Model) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            model.came.append(time.monotonic())
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.requests.append(request)
            if unknown := sorted(model.unknown & request.keys()):
                return self.refuse(400, {"message": f"Unsupported parameter: '{unknown[0]}'"})
            status = model.first.pop(0) if model.first else model.status
            if status != 200:
                return self.refuse(status, {"message": "no"})
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.speak()
            return None

        def refuse(self, status: int, error: dict[str, str]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if model.retry_after:
                self.send_header("Retry-After", model.retry_after)
            self.end_headers()
            self.wfile.write(json.dumps({"error": error}).encode())

        def speak(self) -> None:
            for said, piece in enumerate(model.pieces):
                if said == model.cut_after:
                    return
                if said == model.stall_after:
                    model.silent.set()
                    self.sleep(20)
                    return
                if not self.sleep(model.pause + (0 if said else model.first_pause)):
                    return
                self.frame({"content": piece})
            self.frame({}, finish_reason="stop")
            if model.usage:
                prompt, completion = model.usage
                used = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 0}
                self.send({"choices": [], "usage": used})
            self.wfile.write(b"data: [DONE]\n\n")

        def sleep(self, seconds: float) -> bool:
            """Whether the reader is still there afterwards."""
            readable, _, _ = select.select([self.connection], [], [], seconds)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                model.hung_up.append(time.monotonic())
                return False
            return True

        def frame(self, delta: dict[str, str], finish_reason: str | None = None) -> None:
            self.send({"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

        def send(self, chunk: dict[str, Any]) -> None:
            head = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "test"}
            try:
                self.wfile.write(f"data: {json.dumps({**head, **chunk})}\n\n".encode())
                self.wfile.flush()
            except OSError:  # the reader hung up
                return

        def log_message(self, *args: object) -> None:
            """Silence."""

    return Handler
