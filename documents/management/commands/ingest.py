"""``manage.py ingest PATH… --collection SLUG [--wait] [--json]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from tqdm import tqdm

from documents.ingest import Advance, IngestReport, ingest_paths
from documents.models import Collection
from documents.parsing.registry import SUPPORTED
from documents.services import collection_create

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: As a shell counts Ctrl-C.
INTERRUPTED = 130
TITLES = {"sending": "Sending", "waiting": "Reading"}


class Command(BaseCommand):
    help = "Upload files and folders into a collection (made when it does not exist)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--collection", required=True, metavar="SLUG")
        parser.add_argument("--user", help="the uploader; default: the collection's owner or first superuser")
        parser.add_argument("--wait", action="store_true", help="end when all are ready or failed")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exits with 1 when a file was refused or failed, and with 130 after Ctrl-C."""
        missing = [str(path) for path in options["paths"] if not path.exists()]
        if missing:
            raise CommandError(f"No such file or folder: {', '.join(missing)}")
        collection = find_or_create(options["collection"], options["user"], self.stderr)
        done, code = IngestReport(), 0
        bars = Bars() if sys.stderr.isatty() else None
        try:
            ingest_paths(
                options["paths"],
                user=find_user(options["user"]) or collection.owner,
                collection=collection,
                wait=options["wait"],
                report=bars,
                result=done,
            )
        except KeyboardInterrupt:
            code = INTERRUPTED
            self.stderr.write("Interrupted. What was sent stays, and is read when a portal runs.")
        finally:
            if bars:
                bars.close()
        self.stdout.write(json.dumps(done.as_json()) if options["json"] else summary(done))
        if code or done.failed:
            sys.exit(code or 1)


def summary(done: IngestReport) -> str:
    """“3 accepted: 2 ready, 1 failed; 1 refused; 0 duplicates; 4.2 s”, then why; figures that add up."""
    failed = len(done.failed) - done.refused
    ends = {"ready": done.ready, "failed": failed, "not read yet": done.accepted - done.ready - failed}
    told = ", ".join(f"{n} {end}" for end, n in ends.items() if n)
    accepted = f"{done.accepted} accepted" + (f": {told}" if told else "")
    duplicates = f"{done.duplicates} duplicate{'' if done.duplicates == 1 else 's'}"
    lines = [f"{accepted}; {done.refused} refused; {duplicates}; {done.seconds:.1f} s"]
    reasons = [f"  {failure.file}: {failure.reason}" for failure in done.failed]
    lines += [reason.replace(SUPPORTED, "").rstrip() for reason in reasons]
    # Once for all, however many files are of other types.
    return "\n".join(lines + [SUPPORTED] * any(SUPPORTED in reason for reason in reasons))


class Bars:
    """One bar while files are sent, another while they are read; on standard error."""

    def __init__(self) -> None:
        self.phase = ""
        self.bar: tqdm[Any] | None = None

    def __call__(self, advance: Advance) -> None:
        if self.bar is None or advance.phase != self.phase:
            self.close()
            self.phase = advance.phase
            self.bar = tqdm(desc=TITLES[advance.phase], unit="file", file=sys.stderr, dynamic_ncols=True)
        self.bar.total, self.bar.n = advance.total, advance.done
        self.bar.set_postfix_str(f"{advance.failed} failed" if advance.failed else "", refresh=False)
        self.bar.refresh()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def find_or_create(slug: str, username: str | None, stderr: OutputWrapper) -> Collection:
    """The collection of that slug. A new one is told of: the slug may have been a slip."""
    found = Collection.objects.but_bins().filter(slug=slug).select_related("owner").first()
    if found:
        return found
    owner = find_user(username) or get_user_model().objects.filter(is_superuser=True).order_by("pk").first()
    if owner is None:
        raise CommandError("There is no user yet to own the collection: manage.py createsuperuser")
    made = collection_create(owner=owner, name=slug, slug=slug)
    stderr.write(f"There was no collection {slug!r}. It was made and belongs to {owner.get_username()}.")
    return made


def find_user(username: str | None) -> User | None:
    if not username:
        return None
    user = get_user_model().objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username!r}.")
    return user
