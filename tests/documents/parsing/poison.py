"""Parsers that misbehave, each in its own way. They run in the jail only."""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable

from documents.exceptions import UnreadableDocument
from documents.parsing.types import Block, ParsedDocument, ParsedPage, Report, unheard


def spin(path: str, report: Report = unheard) -> ParsedDocument:
    while True:
        pass


def eat_memory(path: str, report: Report = unheard) -> ParsedDocument:
    eaten = []
    while True:
        eaten.append(bytearray(16 * 1024 * 1024))


def sleep(path: str, report: Report = unheard) -> ParsedDocument:
    time.sleep(60)
    return ParsedDocument(())


def crash(path: str, report: Report = unheard) -> ParsedDocument:
    os.kill(os.getpid(), signal.SIGSEGV)
    return ParsedDocument(())


def raise_unexpected(path: str, report: Report = unheard) -> ParsedDocument:
    raise ZeroDivisionError("inside the parser")


def raise_reason(path: str, report: Report = unheard) -> ParsedDocument:
    raise UnreadableDocument("This file is upside down.")


def print_noise(path: str, report: Report = unheard) -> ParsedDocument:
    print("noise", flush=True)
    os.write(1, b"more noise")
    return ParsedDocument((ParsedPage(1, "text", ()),))


def write_files(path: str, report: Report = unheard) -> ParsedDocument:
    def fill() -> None:
        with open("big", "wb", buffering=0) as file:
            file.write(b"x" * 100)

    return _outcomes(
        fill, lambda: open(path, "ab"), lambda: os.symlink(path, "link"), lambda: os.remove(path)
    )


def touch_the_forbidden(path: str, report: Report = unheard) -> ParsedDocument:
    """What a parser that was taken over would try next."""
    return _outcomes(
        lambda: socket.socket(socket.AF_UNIX),
        lambda: socket.create_connection(("127.0.0.1", 1)),
        os.fork,
        lambda: subprocess.run(["/bin/true"], check=True),
        lambda: os.kill(os.getppid(), 0),
        lambda: open(f"/proc/{os.getppid()}/environ", "rb"),
        lambda: open("/etc/passwd", "rb"),
        lambda: open(path + ".secret", "rb"),
        lambda: os.listdir("/"),
    )


def _outcomes(*attempts: Callable[[], object]) -> ParsedDocument:
    pages = [ParsedPage(n, _outcome(attempt), ()) for n, attempt in enumerate(attempts, start=1)]
    return ParsedDocument(tuple(pages))


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return error.strerror or "refused"
    return "done"


def show_limits(path: str, report: Report = unheard) -> ParsedDocument:
    names = ("AS", "CPU", "FSIZE", "CORE", "NOFILE")
    shown = [str(resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0]) for name in names]
    with open("/proc/self/status") as status:
        fences = [line.split()[1] for line in status if line.startswith(("NoNewPrivs:", "Seccomp:"))]
    return ParsedDocument((ParsedPage(1, " ".join([*shown, *fences]), ()),))


def count_slowly(path: str, report: Report = unheard) -> ParsedDocument:
    for done in range(1, 4):
        report(done, 3)
        report(done, 3)  # at once: nobody needs to hear this one
        time.sleep(0.15)
    return ParsedDocument((ParsedPage(1, "text", ()),))


def count_for_ever(path: str, report: Report = unheard) -> ParsedDocument:
    while True:
        report(1, 2)
        time.sleep(0.05)


def flood_with_reports(path: str, report: Report = unheard) -> ParsedDocument:
    return _say(struct.pack(">cIII", b"N", 8, 1, 2) * 20_000)


def promise_much(path: str, report: Report = unheard) -> ParsedDocument:
    return _say(struct.pack(">cI", b"D", 2**32 - 1))


def babble(path: str, report: Report = unheard) -> ParsedDocument:
    return _say(b"GET / HTTP/1.1\r\n\r\n")


def lie_about_progress(path: str, report: Report = unheard) -> ParsedDocument:
    return _say(struct.pack(">cI", b"N", 1_000) + b"x" * 1_000)


def _say(content: bytes) -> ParsedDocument:
    """Past the jail's own code, into its pipe: the descriptor beside the three that every program has."""
    for pipe in range(3, 10):
        try:
            os.write(pipe, content)
        except OSError:
            continue
    sys.stdout = None  # type: ignore[assignment]
    os._exit(0)


def look_around(path: str, report: Report = unheard) -> ParsedDocument:
    found = [os.getcwd(), " ".join(sorted(os.environ)), " ".join(os.listdir("."))]
    return ParsedDocument(tuple(ParsedPage(n, text, ()) for n, text in enumerate(found, start=1)))


def lie_about_offsets(path: str, report: Report = unheard) -> ParsedDocument:
    return ParsedDocument((ParsedPage(1, "short", (Block("paragraph", 0, 5_000),)),))


def talk_forever(path: str, report: Report = unheard) -> ParsedDocument:
    return ParsedDocument((ParsedPage(1, "x" * 5_000_000, ()),))
