"""A steady stream of documents into a portal, and the faults that happen to it meanwhile."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx

from benchmarks.corpus import Author, File, heavy_pdf, readable_forms
from benchmarks.portal import Portal, wait_for
from benchmarks.watching import Watch

STREAM_SECONDS = 18 * 60
#: Documents on their way while the stream lasts: the worker always has one in its hands.
AHEAD = 10
#: Faults that lie behind the stream's place at most: it waits for them.
BEHIND = 3
RETRY_SECONDS, GIVE_UP_SECONDS = 0.5, 180.0
#: Every so many documents one on its way gets other bytes; every so many is too large for memory.
REPLACED_EVERY, HEAVY_EVERY, HEAVY_BYTES = 10, 30, 3_000_000
#: Characters of text in a document, from and to.
SIZES = (500, 20_000)
DISK_BYTES, FULL_SECONDS, FULL_REFUSALS = 128 * 1024 * 1024, 30.0, 5
POSTGRES_SIGNALS = (signal.SIGKILL, signal.SIGQUIT, signal.SIGINT, signal.SIGKILL, signal.SIGQUIT)


@dataclass
class Fault:
    """Something that is broken when ``position`` documents were accepted; ``at`` is monotonic seconds."""

    kind: str
    position: int
    how: str = ""
    at: float | None = None
    #: Seconds to the next progress of any document, and of the one that was being worked on; after a full
    #: disk, to the next upload that was taken.
    resumed: float | None = None
    victim: str = ""
    victim_resumed: float | None = None


@dataclass
class Sent:
    """An accepted document: what it has to be in the end."""

    form: str
    sha256: str
    at: float
    replaced: bool = False


# --- The disk ------------------------------------------------------------------------------


class Disk:
    """A small disk of its own for the originals and for uploads under way; needs root to mount it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ballast, self.mounted = folder, folder / "ballast", False

    def mount(self, data_dir: Path) -> None:
        self.folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", str(self.folder)]
        self.mounted = subprocess.run(command, capture_output=True).returncode == 0
        if self.mounted:
            data_dir.mkdir(parents=True)
            for name in ("files", "uploads"):
                (self.folder / name).mkdir(mode=0o700)
                (data_dir / name).symlink_to(self.folder / name)

    def fill(self) -> None:
        with self.ballast.open("wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while file.write(bytes(1024 * 1024)):
                    pass
            try:
                file.write(b"x" * 4096)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    return
                raise

    def free(self) -> None:
        self.ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        if self.mounted:
            # Lazily: whatever still has a file open there, in the end nothing stays mounted.
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


# --- The client ----------------------------------------------------------------------------


@dataclass
class Uploader:
    """Sends files as a careful client does, and remembers what it was promised."""

    client: httpx.Client
    stopping: threading.Event
    sent: dict[str, Sent] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    def upload(self, file: File, form: str) -> str:
        """The id that the file got; empty when it was refused for good, which is a finding."""
        headers = {"Idempotency-Key": str(uuid4())}
        answer = self.insist(lambda: self.client.post("documents/", files=parts(file), headers=headers))
        if answer is None:
            return ""
        pk = str(answer.json()["id"])
        self.sent[pk] = Sent(form, digest(file), time.monotonic())
        return pk

    def replace(self, pk: str, file: File) -> None:
        if self.insist(lambda: self.client.put(f"documents/{pk}/file/", files=parts(file))) is not None:
            self.sent[pk].sha256, self.sent[pk].replaced = digest(file), True

    def insist(self, ask: Callable[[], httpx.Response]) -> httpx.Response | None:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline and not self.stopping.is_set():
            answer = self.once(ask)
            if answer is not None and answer.status_code < 500:
                if answer.is_success:
                    return answer
                self.refused.append(f"{answer.status_code}: {answer.text[:300]}")
                return None
            time.sleep(RETRY_SECONDS)
        self.refused.append("gave up")
        return None

    def once(self, ask: Callable[[], httpx.Response]) -> httpx.Response | None:
        try:
            answer = ask()
        except httpx.TransportError as error:
            self.answers[type(error).__name__] += 1
            return None
        self.answers[str(answer.status_code)] += 1
        return answer


def parts(file: File) -> dict[str, tuple[str, bytes]]:
    return {"file": (file.name, file.content)}


def digest(file: File) -> str:
    return hashlib.sha256(file.content).hexdigest()


# --- The stream and the faults --------------------------------------------------------------


@dataclass
class Run:
    """One stream of documents with its faults."""

    portal: Portal
    disk: Disk
    watch: Watch
    uploader: Uploader
    faults: list[Fault]
    author: Author
    documents: int
    stopping: threading.Event
    disk_full: threading.Event = field(default_factory=threading.Event)
    broken: list[str] = field(default_factory=list)

    def stream(self) -> None:
        """Send every document; returns early when the time is over."""
        forms = readable_forms()
        for number in range(1, self.documents + 1):
            self.wait_for_turn(number)
            if self.stopping.is_set():
                return
            self.send(number, forms[number % len(forms)])
            if number % REPLACED_EVERY == 0:
                self.replace_one()
            print(f"\r{number} of {self.documents} sent, {self.injected()} faults", end="", file=sys.stderr)

    def send(self, number: int, form: str) -> None:
        if number % HEAVY_EVERY == 0:
            heavy = File("pdf", f"heavy-{number}.pdf", heavy_pdf(self.author, HEAVY_BYTES))
            self.uploader.upload(heavy, "pdf")
        else:
            low, high = SIZES
            characters = int(low * (high / low) ** self.author.random.random())
            self.uploader.upload(self.author.make(form, characters), form)

    def replace_one(self) -> None:
        """Other bytes for a document on its way, the one in the worker's hands if there is one."""
        waiting = [
            pk for pk in [self.watch.in_hand(), *self.watch.on_their_way()] if pk in self.uploader.sent
        ]
        # A mail's attachments would go and come with it; the count in the end would not be simple.
        pk = next((pk for pk in waiting if not self.uploader.sent[pk].form.startswith("eml")), "")
        if pk:
            self.uploader.replace(pk, self.author.make("txt", 5000))

    def wait_for_turn(self, number: int) -> None:
        def turn() -> bool:
            if self.stopping.is_set() or self.disk_full.is_set():
                return True
            late = any(fault.at is None and fault.position < number - BEHIND for fault in self.faults)
            return not late and len(self.watch.on_their_way()) < AHEAD

        wait_for(turn, float(STREAM_SECONDS))

    def everything_ended(self) -> bool:
        return set(self.uploader.sent) <= set(self.watch.rows) and not self.watch.on_their_way()

    def injected(self) -> int:
        return sum(fault.at is not None for fault in self.faults)

    def inject(self) -> None:
        """The faults, each when so many documents were accepted, and a moment later."""
        chance = random.Random(self.documents)
        for fault in self.faults:
            wait_for(partial(self.reached, fault), float(STREAM_SECONDS))
            if self.stopping.wait(chance.uniform(0.0, 2.0)):
                return
            try:
                getattr(self, f"break_{fault.kind}")(fault)
            except Exception as error:  # the run goes on, and says so
                fault.how, fault.at = f"not injected: {error!r}", fault.at or time.monotonic()
                self.broken.append(f"{fault.kind}: {error!r}")

    def reached(self, fault: Fault) -> bool:
        return self.stopping.is_set() or len(self.uploader.sent) >= fault.position

    def kill(self, fault: Fault, find: Callable[[], int | None], number: signal.Signals) -> None:
        wait_for(lambda: find() is not None, 60)
        pid = find()
        if pid is None:
            raise RuntimeError("no such process for a minute")
        fault.victim, fault.how = self.watch.in_hand(), number.name
        os.kill(pid, number)
        fault.at = time.monotonic()

    def break_worker(self, fault: Fault) -> None:
        self.kill(fault, lambda: self.portal.child("manage.py worker"), signal.SIGKILL)

    def break_postgres(self, fault: Fault) -> None:
        number = sum(one.kind == "postgres" and one.at is not None for one in self.faults)
        self.kill(fault, self.portal.postmaster, POSTGRES_SIGNALS[number % len(POSTGRES_SIGNALS)])

    def break_redis(self, fault: Fault) -> None:
        self.kill(fault, self.portal.redis, signal.SIGKILL)

    def break_disk(self, fault: Fault) -> None:
        """Full until some uploads were refused, a large one among them; its clock starts when it is free."""
        fault.how = "tmpfs full"
        heavy = File("pdf", "heavy-full.pdf", heavy_pdf(self.author, HEAVY_BYTES))
        before = self.uploader.answers["507"]
        self.disk.fill()
        self.disk_full.set()
        try:
            answer = self.uploader.once(lambda: self.uploader.client.post("documents/", files=parts(heavy)))
            fault.how += f"; {HEAVY_BYTES // 10**6} MB: {answer.status_code if answer else 'no answer'}"
            refused = before + FULL_REFUSALS
            wait_for(lambda: self.stopping.is_set() or self.uploader.answers["507"] >= refused, FULL_SECONDS)
        finally:
            self.disk.free()
            self.disk_full.clear()
            fault.at = time.monotonic()
        self.uploader.upload(heavy, "pdf")


def schedule(documents: int, counts: dict[str, int], chance: random.Random) -> list[Fault]:
    """Every fault at a random place of the stream, so that something goes on before it and after it."""
    last = max(1, documents - AHEAD)
    faults = [
        Fault(kind, chance.randint(min(BEHIND, last), last))
        for kind, count in counts.items()
        for _ in range(count)
    ]
    return sorted(faults, key=lambda fault: fault.position)
