"""Runs parsers in a child process with limits: six kilobytes of PDF can hold a parser for half a minute.

The parent starts ``python -m documents.parsing.jail`` with a request in its arguments and reads the
answer from a pipe: a tag and its content (``D`` document, ``P`` picture, ``E`` error). Neither side
imports Django. The child limits itself before it opens the file.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from documents.exceptions import UnreadableDocument
from documents.parsing import wire
from documents.parsing.registry import PARSERS, import_parser
from documents.parsing.types import ParsedDocument

DAMAGED = "The file is damaged or uses features that cannot be read."

_MEGABYTE = 1024 * 1024
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_ROOT = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost: bytes of memory and of answer, seconds of processor and of wall clock."""

    memory: int = 1024 * _MEGABYTE
    cpu_seconds: int = 60
    wall_seconds: float = 120
    answer: int = 256 * _MEGABYTE


DEFAULT = Limits()
#: A person waits for a picture.
PICTURE = Limits(cpu_seconds=15, wall_seconds=30, answer=32 * _MEGABYTE)


@dataclass(frozen=True, slots=True)
class _End:
    """How the child ended: its answer, its exit code (negative: a signal), its processor seconds."""

    answer: bytes
    code: int
    cpu_seconds: float
    peak_memory: int


def parse_in_jail(path: str, kind: str, *, limits: Limits = DEFAULT) -> ParsedDocument:
    """Read the file with the parser of ``kind``. Raises ``UnreadableDocument`` with a reason."""
    answer = _ask(["parse", os.path.abspath(path), PARSERS[kind]], limits, b"D")
    try:
        return wire.load(answer)
    except ValueError as error:
        raise UnreadableDocument(DAMAGED, traceback=repr(error)) from error


def render_page_in_jail(path: str, number: int, *, scale: float, limits: Limits = PICTURE) -> bytes:
    """A PNG of page ``number`` of a PDF at ``scale`` pixels per point, at most 4 million pixels."""
    return _ask(["render", os.path.abspath(path), number, scale], limits, b"P")


# The parent's side


def _ask(request: list[object], limits: Limits, expected: bytes) -> bytes:
    end = _run(request, limits)
    tag, content = end.answer[:1], end.answer[1:]
    if end.code == 0 and tag == expected:
        return content
    if end.code == 0 and tag == b"E":
        raise _reported(content, limits)
    raise UnreadableDocument(_reason(end, limits), exit_code=end.code)


def _reported(content: bytes, limits: Limits) -> UnreadableDocument:
    """The error that the child itself reported."""
    try:
        reason, trace = (str(part)[:4000].replace("\0", "") for part in json.loads(content))
    except ValueError:
        reason, trace = "", ""
    if reason == "memory":
        return UnreadableDocument(_memory_reason(limits))
    return UnreadableDocument(reason or DAMAGED, traceback=trace)


def _reason(end: _End, limits: Limits) -> str:
    if end.code == -signal.SIGXCPU or end.cpu_seconds >= limits.cpu_seconds:
        return f"Reading this file took more than {limits.cpu_seconds} s of processor time."
    # The kernel starts a child's peak at its parent's, so only what is above that is its own.
    inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if end.code == -signal.SIGKILL or end.peak_memory > max(0.7 * limits.memory, inherited):
        return _memory_reason(limits)
    return DAMAGED


def _memory_reason(limits: Limits) -> str:
    return f"Reading this file took more than {limits.memory // _MEGABYTE} MB of memory."


def _run(request: list[object], limits: Limits) -> _End:
    order = json.dumps([os.getpid(), asdict(limits), *request])
    with tempfile.TemporaryDirectory(prefix="jail-") as folder:
        child = subprocess.Popen(
            [sys.executable, "-m", "documents.parsing.jail", order],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
        assert child.stdout is not None
        answer: bytes | None = None
        try:
            answer = _read_answer(child.stdout, limits)
        finally:
            # After its answer the child is leaving; when there is none, it has to be made to.
            child.stdout.close()
            code, cpu_seconds, peak = _reap(child, grace=0.0 if answer is None else 2.0)
    return _End(answer, code, cpu_seconds, peak)


def _environment(folder: str) -> dict[str, str]:
    """Only what Python needs to start: the rest holds the passwords of the database and the like."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    search_path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
    return kept | {
        "PYTHONPATH": search_path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "HOME": folder,
        "TMPDIR": folder,
    }


def _read_answer(pipe: IO[bytes], limits: Limits) -> bytes:
    """All that the child writes until it closes its end. Raises when it writes or takes too much."""
    deadline = time.monotonic() + limits.wall_seconds
    chunks: list[bytes] = []
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise UnreadableDocument(f"Reading this file took more than {limits.wall_seconds:g} s.")
            chunk = os.read(pipe.fileno(), _MEGABYTE)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
            if size > limits.answer:
                raise UnreadableDocument(
                    f"This file holds more than {limits.answer // _MEGABYTE} MB of text."
                )


def _reap(child: subprocess.Popen[bytes], *, grace: float) -> tuple[int, float, int]:
    """Wait for the child, by force after ``grace`` seconds: exit code, processor seconds, peak memory."""
    deadline = time.monotonic() + grace
    pid, status, usage = os.wait4(child.pid, os.WNOHANG)
    while not pid and time.monotonic() < deadline:
        time.sleep(0.002)
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
    if not pid:
        os.kill(child.pid, signal.SIGKILL)
        pid, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


# The child's side


def _confine(limits: Limits, parent: int) -> None:
    """Give up what a parser does not need. Runs before the file is opened."""
    libc = ctypes.CDLL(None, use_errno=True)
    # No network, where the kernel lets us. Root keeps its user namespace: in a new one it would lose
    # the right to read files of other users.
    libc.unshare(_CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # After unshare, which clears it: die with the worker, whatever kills the worker.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    for what, amount in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = amount + 1 if what == resource.RLIMIT_CPU else amount
        resource.setrlimit(what, (amount, hard))


def _answer(work: Callable[[], bytes]) -> bytes:
    """The work's result, or its failure, ready to be written."""
    try:
        return work()
    except UnreadableDocument as error:
        return b"E" + json.dumps([str(error), ""]).encode()
    except MemoryError:
        return b"E" + json.dumps(["memory", ""]).encode()
    except BaseException:
        return b"E" + json.dumps(["", traceback.format_exc(limit=-20)]).encode()


def _work(name: str, path: str, arguments: Sequence[object]) -> bytes:
    if name == "render":
        from documents.parsing.pdf import render

        number, scale = arguments
        return b"P" + render(path, int(str(number)), float(str(scale)))
    return b"D" + wire.dump(import_parser(str(arguments[0]))(path))


def main(order: str) -> None:
    """The child's life: confine itself, work, write, leave."""
    parent, limits, name, path, *arguments = json.loads(order)
    pipe = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not end up in the answer
    _confine(Limits(**limits), parent)
    answer = _answer(lambda: _work(name, path, arguments))
    with os.fdopen(pipe, "wb") as out:
        out.write(answer)
    os._exit(0)  # skips the tidying up of a process that has nothing left to tidy


if __name__ == "__main__":
    main(sys.argv[1])
