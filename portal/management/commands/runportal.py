"""``manage.py runportal``: the whole portal on this machine, until Ctrl-C. ``make run`` calls it."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from documents.exceptions import EmbeddingUnavailable
from portal import environment, first_start
from portal.supervisor import Child, Supervisor
from portal.web import bound, web_children

READY_SECONDS = 60.0
HOST = "127.0.0.1"


class Command(BaseCommand):
    help = "Run the portal: database and Redis if embedded, worker and web server."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--browser",
            action=argparse.BooleanOptionalAction,
            default=False,
            help="open the portal in a browser when it is ready",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        address = f"http://{HOST}:{settings.PORT}"
        with only_one(settings.DATA_DIR, address):
            held = taken_port(settings.PORT)
            clear_uploads()
            password = prepare(self.say)
            supervisor = Supervisor(children(held))
            supervisor.start()
            if wait_until_ready(address, supervisor):
                self.welcome(address, password)
                if options["browser"]:
                    webbrowser.open(address)
            elif not supervisor.stopping.is_set():
                self.say(f"{address}/healthz/ready has not said yes in {READY_SECONDS:.0f} s; going on.")
            supervisor.watch()
            self.say("Stopped.")

    def say(self, line: str) -> None:
        # At once, also where the output is a file or a pipe.
        self.stdout.write(line)
        self.stdout.flush()

    def welcome(self, address: str, password: str | None) -> None:
        known = f"password {password}" if password else "and the password you chose"
        self.say(
            f"\nThe portal is ready:  {address}\n"
            f"Sign in as:           {first_start.FIRST_USER}, {known}\n"
            f"Data folder:          {settings.DATA_DIR}\n"
            "Stop it with Ctrl-C."
        )


def only_one(data_dir: Path, address: str) -> IO[str]:
    """Hold the data folder for this process; a second portal on it is told who has it."""
    path = data_dir / "locks" / "run"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise CommandError(
            f"A portal already runs on the data folder {data_dir} ({lock.read().strip()}). "
            "Stop it first, or set DATA_DIR and PORT to run another one beside it."
        ) from None
    lock.truncate(0)
    lock.write(f"process {os.getpid()}, {address}\n")
    lock.flush()
    return lock


def taken_port(port: int) -> socket.socket:
    try:
        return bound(HOST, port)
    except OSError as error:
        raise CommandError(f"Port {port} cannot be used ({error.strerror}). Set PORT to another.") from error


def prepare(say: Any) -> str | None:
    """Everything before the first request; returns the password to show, if there is one to show."""
    say("Preparing the database …")
    try:
        return first_start.prepare_all(environment.text("ADMIN_PASSWORD"))
    except EmbeddingUnavailable as error:
        raise CommandError(str(error)) from error


def clear_uploads() -> None:
    """What requests of an earlier run left half received, when it was killed."""
    for path in settings.FILE_UPLOAD_TEMP_DIR.iterdir():
        path.unlink(missing_ok=True)


def children(held: socket.socket) -> list[Child]:
    metrics = settings.DATA_DIR / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    surroundings = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics), "PYTHONUNBUFFERED": "1"}
    worker = [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker"]
    return [
        *web_children(held, settings.WEB_PROCESSES, surroundings),
        Child("worker", worker, {**surroundings, "PGAPPNAME": "portal worker"}),
    ]


def wait_until_ready(address: str, supervisor: Supervisor) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and not supervisor.stopping.is_set():
        try:
            with urllib.request.urlopen(f"{address}/healthz/ready", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False
