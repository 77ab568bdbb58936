"""Runs parsers in a child process with limits: six kilobytes of PDF can hold a parser for half a minute.

The parent starts ``documents.parsing.cell`` with a request in its arguments and reads frames from a pipe:
``N`` (how far it is), then one of ``D`` (document), ``P`` (picture) or ``E`` (error). Neither side imports
Django. What the child sends is bounded and checked, as a file may have taken over its parser.
"""

from __future__ import annotations

import compileall
import json
import os
import resource
import selectors
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO

from documents.exceptions import PoisonedFile, UnreadableDocument
from documents.parsing import wire
from documents.parsing.confinement import MEGABYTE, Limits
from documents.parsing.registry import PARSERS
from documents.parsing.types import ParsedDocument, ParsedPage, Report, unheard

DAMAGED = (
    "The file is damaged or uses features that cannot be read. Open it in the program that made it, save "
    "it again, and upload that."
)

DEFAULT = Limits()
#: A person waits for a picture.
PICTURE = Limits(cpu_seconds=15, wall_seconds=30, answer=32 * MEGABYTE)
#: One page by Tesseract, which is a process of its own and has these limits once more.
RECOGNITION = Limits(cpu_seconds=60, wall_seconds=120, answer=32 * MEGABYTE)

#: Reports of progress from one child; an honest one sends ten a second.
MAX_REPORTS = 10_000
_MAX_ERROR = 64 * 1024
_HEAD = struct.Struct(">cI")
_PROGRESS = struct.Struct(">II")
#: How long a child may take to leave: after its answer, and when it is told to.
_GRACE, _NOTICE = 2.0, 0.5
_ROOT = str(Path(__file__).resolve().parents[2])
_START = "import sys; sys.path[:] = sys.argv[2:]; from documents.parsing.cell import main; main(sys.argv[1])"


@dataclass(frozen=True, slots=True)
class _End:
    """How the child ended: its answer, its exit code (negative: a signal), its processor seconds."""

    tag: bytes
    content: bytes
    code: int
    cpu_seconds: float
    peak_memory: int


def parse_in_jail(
    path: str, kind: str, *, limits: Limits = DEFAULT, report: Report = unheard
) -> ParsedDocument:
    """Read the file with the parser of ``kind``.

    Raises ``PoisonedFile`` when a limit was reached or the child crashed, ``UnreadableDocument`` with the
    parser's own reason otherwise. When ``report`` raises, the child is ended and the exception passes.
    """
    return _document(_ask("parse", path, [PARSERS[kind]], limits, b"D", report))


def render_page_in_jail(
    path: str, number: int, *, scale: float, kind: str = "pdf", limits: Limits = PICTURE
) -> bytes:
    """A PNG of page ``number`` of a PDF or image at ``scale`` pixels per point, at most 4 million pixels."""
    return _ask("render", path, [kind, number, scale], limits, b"P", unheard)


def recognise_page_in_jail(
    path: str, kind: str, number: int, *, languages: str, limits: Limits = RECOGNITION
) -> ParsedPage:
    """Page ``number`` of a PDF or image, read by Tesseract. Raises like ``parse_in_jail``."""
    document = _document(_ask("recognise", path, [kind, number, languages], limits, b"D", unheard))
    if len(document.pages) != 1:
        raise UnreadableDocument(DAMAGED)
    return document.pages[0]


def _document(answer: bytes) -> ParsedDocument:
    try:
        return wire.load(answer)
    except ValueError as error:
        raise UnreadableDocument(DAMAGED, traceback=repr(error)) from error


def _ask(
    name: str, path: str, arguments: list[object], limits: Limits, expected: bytes, report: Report
) -> bytes:
    end = _run([name, os.path.abspath(path), *arguments], limits, report)
    if end.code == 0 and end.tag == expected:
        return end.content
    if end.code == 0 and end.tag == b"E":
        raise _reported(end.content, limits)
    raise PoisonedFile(_reason(end, limits), exit_code=end.code)


def storable(text: str) -> str:
    """Without what the database refuses: a child that was taken over may send anything."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _reported(content: bytes, limits: Limits) -> UnreadableDocument:
    """The error that the child itself reported."""
    try:
        reason, trace = (storable(str(part)[:4000]) for part in json.loads(content))
    except (ValueError, TypeError, RecursionError):
        reason, trace = "", ""
    if reason == "memory":
        return PoisonedFile(_memory_reason(limits))
    return UnreadableDocument(reason or DAMAGED, traceback=trace)


def _reason(end: _End, limits: Limits) -> str:
    if end.code == -signal.SIGXCPU or end.cpu_seconds >= limits.cpu_seconds:
        return f"Reading this file took more than {limits.cpu_seconds} s of processor time."
    # The kernel starts a child's peak at its parent's, so only what is above that is its own.
    inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if end.code == -signal.SIGKILL or end.peak_memory > max(0.7 * limits.memory, inherited):
        return _memory_reason(limits)
    if end.code == -signal.SIGABRT:
        # What a library written in C does when it is refused memory. Its peak is hidden in a large parent's.
        return f"{_memory_reason(limits)} Or its reader broke down on it."
    return f"This file took its reader down ({_cause(end.code)}). {DAMAGED}"


def _memory_reason(limits: Limits) -> str:
    return f"Reading this file took more than {limits.memory // MEGABYTE} MB of memory."


def _cause(code: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-code).name
    return "a crash"


# Starting, listening, ending


def _run(request: list[object], limits: Limits, report: Report) -> _End:
    _compile_once()
    with tempfile.TemporaryDirectory(prefix="jail-") as folder:
        order = json.dumps([os.getpid(), asdict(limits), _readable(folder, request), *request])
        child = subprocess.Popen(
            # No site: the folders that it would find are handed over. No variables of Python's own.
            [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _START, order, *_search_path()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
        assert child.stdout is not None
        answer: tuple[bytes, bytes] | None = None
        try:
            answer = _listen(child.stdout, limits, report)
        finally:
            # After its answer the child is leaving; when there is none, it has to be made to.
            child.stdout.close()
            code, cpu_seconds, peak = _end(child, grace=0.0 if answer is None else _GRACE)
    return _End(*answer, code, cpu_seconds, peak)


@cache
def _compile_once() -> None:
    """The child cannot write byte code: without this each one would compile its parser again."""
    compileall.compile_dir(Path(__file__).parent, quiet=2)


def _search_path() -> list[str]:
    return list(dict.fromkeys([_ROOT, *(os.path.abspath(entry) for entry in sys.path if entry)]))


def _readable(folder: str, request: list[object]) -> list[str]:
    """What the child may read: Python, its libraries, the system's, our own code, and the file.

    Not the project's folder: the data of the portal may lie in it.
    """
    package = str(request[2]).partition(".")[0] if request[0] == "parse" else "documents"
    own = [os.path.join(_ROOT, name) for name in ("documents", package)]
    python = [os.path.join(top, name) for top in (sys.base_prefix, sys.prefix) for name in ("bin", "lib")]
    libraries = {entry for entry in _search_path() if not f"{_ROOT}/".startswith(f"{entry}/")}
    given = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    return sorted({folder, str(request[1]), *own, *python, *libraries, *given} - {"", "/"})


def _environment(folder: str) -> dict[str, str]:
    """Only what its programs need to start: the rest holds the passwords of the database and the like."""
    names = ("PATH", "LD_LIBRARY_PATH", "TESSDATA_PREFIX")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return kept | {"LANG": "C.UTF-8", "HOME": folder, "TMPDIR": folder, "OMP_THREAD_LIMIT": "1"}


def _listen(pipe: IO[bytes], limits: Limits, report: Report) -> tuple[bytes, bytes]:
    """Tag and content of the child's answer; empty when it ends without one.

    Raises ``PoisonedFile`` when it writes or takes too much.
    """
    for heard, (tag, content) in enumerate(_frames(pipe, limits)):
        if tag != b"N":
            return tag, content
        if heard == MAX_REPORTS:
            break
        report(*_PROGRESS.unpack(content))
    return b"", b""


def _frames(pipe: IO[bytes], limits: Limits) -> Iterator[tuple[bytes, bytes]]:
    """What the child sends, until it closes its end or says something that it should not."""
    most = {b"N": _PROGRESS.size, b"E": _MAX_ERROR, b"D": limits.answer, b"P": limits.answer}
    buffer = bytearray()
    for piece in _pieces(pipe, limits):
        buffer += piece
        while len(buffer) >= _HEAD.size:
            tag, length = _HEAD.unpack_from(buffer)
            if tag not in most or (tag == b"N" and length != _PROGRESS.size):
                return
            if length > most[tag]:
                raise PoisonedFile(f"This file holds more than {limits.answer // MEGABYTE} MB of text.")
            if len(buffer) < _HEAD.size + length:
                break
            yield tag, bytes(memoryview(buffer)[_HEAD.size : _HEAD.size + length])
            del buffer[: _HEAD.size + length]


def _pieces(pipe: IO[bytes], limits: Limits) -> Iterator[bytes]:
    """Bytes as they come. Raises ``PoisonedFile`` when the time is up."""
    deadline = time.monotonic() + limits.wall_seconds
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())) or time.monotonic() > deadline:
                raise PoisonedFile(f"Reading this file took more than {limits.wall_seconds:g} s.")
            piece = os.read(pipe.fileno(), MEGABYTE)
            if not piece:
                return
            yield piece


def _end(child: subprocess.Popen[bytes], *, grace: float) -> tuple[int, float, int]:
    """Wait ``grace`` seconds for the child, then end it, and all that it started in any case.

    First by request: the child ends and reaps what it started, which would else be left to a process 1
    that may not care. Gives its exit code, processor seconds and peak memory in bytes.
    """
    if not _left(child.pid, grace):
        _signal(child.pid, signal.SIGTERM)
        _left(child.pid, _NOTICE)
    _signal(child.pid, signal.SIGKILL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def _left(pid: int, patience: float) -> bool:
    """Whether the child has ended within ``patience`` seconds. It stays a zombie: its group is ours."""
    deadline = time.monotonic() + patience
    while not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.002)
    return True


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
