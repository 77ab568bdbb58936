"""Parsers that misbehave, each in its own way. They run in the jail only."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from documents.exceptions import UnreadableDocument
from documents.parsing.types import Block, ParsedDocument, ParsedPage


def spin(path: str) -> ParsedDocument:
    while True:
        pass


def eat_memory(path: str) -> ParsedDocument:
    eaten = []
    while True:
        eaten.append(bytearray(16 * 1024 * 1024))


def sleep(path: str) -> ParsedDocument:
    Path(path + ".pid").symlink_to(str(os.getpid()))  # a link: files cannot be written in the jail
    time.sleep(60)
    return ParsedDocument(())


def crash(path: str) -> ParsedDocument:
    os.kill(os.getpid(), signal.SIGSEGV)
    return ParsedDocument(())


def raise_unexpected(path: str) -> ParsedDocument:
    raise ZeroDivisionError("inside the parser")


def raise_reason(path: str) -> ParsedDocument:
    raise UnreadableDocument("This file is upside down.")


def print_noise(path: str) -> ParsedDocument:
    print("noise", flush=True)
    os.write(1, b"more noise")
    return ParsedDocument((ParsedPage(1, "text", ()),))


def write_file(path: str) -> ParsedDocument:
    try:
        with open("big", "wb", buffering=0) as file:
            file.write(b"x" * 100)
    except OSError as error:
        return ParsedDocument((ParsedPage(1, error.strerror or "", ()),))
    return ParsedDocument((ParsedPage(1, "written", ()),))


def look_around(path: str) -> ParsedDocument:
    found = [os.getcwd(), " ".join(sorted(os.environ)), " ".join(os.listdir("."))]
    return ParsedDocument(tuple(ParsedPage(n, text, ()) for n, text in enumerate(found, start=1)))


def lie_about_offsets(path: str) -> ParsedDocument:
    return ParsedDocument((ParsedPage(1, "short", (Block("paragraph", 0, 5_000),)),))


def talk_forever(path: str) -> ParsedDocument:
    return ParsedDocument((ParsedPage(1, "x" * 5_000_000, ()),))
