"""The child's side of the jail: confine itself, work, answer, leave. Only ``jail`` starts it."""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Sequence

from documents.exceptions import UnreadableDocument
from documents.parsing.confinement import Limits, confine
from documents.parsing.types import Report

#: Seconds between two reports of progress.
REPORT_EVERY = 0.1

_RENDERERS = {"pdf": "documents.parsing.pdf.parser", "image": "documents.parsing.pictures.image"}


def main(order: str) -> None:
    """The child's life."""
    import json

    parent, limits, readable, name, path, *arguments = json.loads(order)
    pipe = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not end up in the answer
    signal.signal(signal.SIGTERM, _leave)
    confine(Limits(**limits), parent, readable, may_start_programs=name == "recognise")
    tag, content = _answer(lambda: _WORK[name](path, arguments, _reporting(pipe)))
    _send(pipe, tag, content)
    os._exit(0)  # skips the tidying up of a process that has nothing left to tidy


def _leave(number: int, frame: object) -> None:
    """Unwinds the stack, so that whoever started a program ends it."""
    sys.exit(1)


def _answer(work: Callable[[], tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """The work's result, or its failure: a tag and its content."""
    import json

    try:
        return work()
    except UnreadableDocument as error:
        return b"E", json.dumps([str(error), ""]).encode()
    except MemoryError:
        return b"E", json.dumps(["memory", ""]).encode()
    except SystemExit:
        os._exit(1)
    except BaseException:
        import traceback

        return b"E", json.dumps(["", traceback.format_exc(limit=-20)[-8000:]]).encode()


def _parse(path: str, arguments: Sequence[object], report: Report) -> tuple[bytes, bytes]:
    from documents.parsing import wire
    from documents.parsing.registry import import_parser

    return b"D", wire.dump(import_parser(str(arguments[0]))(path, report))


def _render(path: str, arguments: Sequence[object], report: Report) -> tuple[bytes, bytes]:
    from importlib import import_module

    kind, number, scale = arguments
    picture: bytes = import_module(_RENDERERS[str(kind)]).render(path, int(str(number)), float(str(scale)))
    return b"P", picture


def _recognise(path: str, arguments: Sequence[object], report: Report) -> tuple[bytes, bytes]:
    from documents.parsing import wire
    from documents.parsing.pictures import ocr
    from documents.parsing.types import ParsedDocument

    kind, number, languages = arguments
    page = ocr.read_page(path, str(kind), int(str(number)), str(languages))
    return b"D", wire.dump(ParsedDocument((page,)))


_WORK = {"parse": _parse, "render": _render, "recognise": _recognise}


def _reporting(pipe: int) -> Report:
    """Tells the parent at most every ``REPORT_EVERY`` seconds."""
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= REPORT_EVERY:
            last = time.monotonic()
            _send(
                pipe, b"N", struct.pack(">II", *(min(max(0, number), 2**32 - 1) for number in (done, total)))
            )

    return report


def _send(pipe: int, tag: bytes, content: bytes) -> None:
    left = memoryview(struct.pack(">cI", tag, len(content)) + content)
    while left:
        left = left[os.write(pipe, left) :]
