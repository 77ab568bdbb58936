"""A language model's HTTP door, small enough to live in a test."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Model:
    """What the model says, in the pieces it says it in; or the status it refuses with."""

    pieces: list[str] = field(default_factory=list)
    status: int = 200
    pause: float = 0.0
    #: Hang up after so many pieces.
    cut_after: int | None = None
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def serving(model: Model) -> Iterator[Model]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(model))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
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
            length = int(self.headers["Content-Length"])
            model.requests.append(json.loads(self.rfile.read(length)))
            self.send_response(model.status)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            if model.status == 200:
                self.speak()

        def speak(self) -> None:
            for said, piece in enumerate(model.pieces):
                if said == model.cut_after:
                    return
                time.sleep(model.pause)
                self.frame(piece)
            self.wfile.write(b"data: [DONE]\n\n")

        def frame(self, piece: str) -> None:
            chunk = {
                "id": "x",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "test",
                "choices": [{"index": 0, "delta": {"content": piece}}],
            }
            try:
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                self.wfile.flush()
            except OSError:  # the reader hung up
                return

        def log_message(self, *args: object) -> None:
            """Silence."""

    return Handler
