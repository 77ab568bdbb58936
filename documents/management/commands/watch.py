"""``manage.py watch FOLDER --collection SLUG``."""

from __future__ import annotations

import signal
from pathlib import Path
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from documents.management.commands.ingest import find_or_create, find_user
from documents.watching import FolderWatch


class Command(BaseCommand):
    help = (
        "Upload the files of a folder into a collection (made when it does not exist), and follow the "
        "folder: new files are added, changed ones replace their documents, moved ones keep theirs. A "
        "deleted file leaves its document alone. Nothing in the folder is changed. Ends by Ctrl-C or SIGTERM."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER")
        parser.add_argument("--collection", required=True, metavar="SLUG")
        parser.add_argument("--user", help="the uploader; default: the collection's owner or first superuser")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        if not folder.is_dir():
            raise CommandError(f"No such folder: {folder}")
        collection = find_or_create(options["collection"], options["user"], self.stderr)
        user = find_user(options["user"]) or collection.owner
        self.stderr.write(f"Watching {folder} for the collection “{collection.name}”. Ctrl-C ends.")
        FolderWatch(folder, user=user, collection=collection).run(stop_by_signal())


def stop_by_signal() -> Event:
    """Set by Ctrl-C and by SIGTERM: the file at hand is finished first."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
