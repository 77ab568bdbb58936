"""``manage.py ingest PATH… --collection SLUG [--wait] [--json]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from documents.ingest import IngestReport, ingest_paths
from documents.models import Collection
from documents.services import collection_create

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BAR = 40


class Command(BaseCommand):
    help = "Upload files and folders into a collection (made when it does not exist)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--collection", required=True, metavar="SLUG")
        parser.add_argument("--user", help="the uploader; default: the collection's owner or first superuser")
        parser.add_argument("--wait", action="store_true", help="end when all are ready or failed")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        missing = [str(path) for path in options["paths"] if not path.exists()]
        if missing:
            raise CommandError(f"No such file or folder: {', '.join(missing)}")
        collection = find_or_create(options["collection"], options["user"])
        user = find_user(options["user"]) or collection.owner
        done = ingest_paths(
            options["paths"],
            user=user,
            collection=collection,
            wait=options["wait"],
            report=None if options["json"] or not sys.stderr.isatty() else self.show_bar,
        )
        self.stdout.write(json.dumps(done.as_json()) if options["json"] else self.summary(done))

    def show_bar(self, ended: int, total: int) -> None:
        full = BAR * ended // max(total, 1)
        end = "\n" if ended == total else ""
        self.stderr.write(f"\r[{'█' * full}{'·' * (BAR - full)}] {ended}/{total}", ending=end)
        self.stderr.flush()

    def summary(self, done: IngestReport) -> str:
        lines = [
            f"{done.accepted} accepted, {done.ready} ready, {len(done.failed)} failed, "
            f"{done.duplicates} duplicates, {done.seconds:.1f} s"
        ]
        return "\n".join(lines + [f"  {failure.file}: {failure.reason}" for failure in done.failed])


def find_or_create(slug: str, username: str | None) -> Collection:
    found = Collection.objects.filter(slug=slug).select_related("owner").first()
    if found:
        return found
    owner = find_user(username) or get_user_model().objects.filter(is_superuser=True).order_by("pk").first()
    if owner is None:
        raise CommandError("There is no user yet to own the collection: manage.py createsuperuser")
    return collection_create(owner=owner, name=slug, slug=slug)


def find_user(username: str | None) -> User | None:
    if not username:
        return None
    user = get_user_model().objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username!r}.")
    return user
