"""``python -m benchmarks.upstream PORT FIRST NEXT``: a language model's address with delays that are known.

Speaks the streaming chat completions of OpenAI: the first token ``FIRST`` seconds after a request was read,
each other one ``NEXT`` seconds after the one before, whatever was asked.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from subprocess import Popen
from urllib.request import urlopen

from benchmarks.portal import free_port

#: A sentence of 40 tokens, with the source that it names.
WORDS = [*(f"word{number} " for number in range(38)), "end ", "[1]."]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def main() -> None:
    port, first, following = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(port, first, following))


async def serve(port: int, first: float, following: float) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await read(reader)
            writer.write(HEAD)
            loop = asyncio.get_running_loop()
            due = loop.time() + first
            for word in WORDS:
                await asyncio.sleep(due - loop.time())
                writer.write(chunk(word))
                await writer.drain()
                due += following
            writer.write(b"data: [DONE]\n\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


async def read(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if lengths:
        await reader.readexactly(int(lengths[0].partition(b":")[2]))


def chunk(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}}
    body = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "known", "choices": [choice]}
    return f"data: {json.dumps(body)}\n\n".encode()


@contextmanager
def running(first: float, following: float) -> Iterator[str]:
    """Its base URL, in a process of its own: the clients' work delays none of its words."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.upstream", str(port), str(first), str(following)]
    process = Popen(command)
    try:
        wait_until_up(port)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


def wait_until_up(port: int) -> None:
    from benchmarks.portal import wait_for

    def answers() -> bool:
        try:
            return bool(urlopen(f"http://127.0.0.1:{port}/", timeout=10).status)
        except OSError:
            return False

    if not wait_for(answers, 20):
        raise RuntimeError("the model's address was not up in time")


if __name__ == "__main__":
    main()
