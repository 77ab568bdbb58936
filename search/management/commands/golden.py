"""``manage.py golden import|export|run COLLECTION``: golden questions without the admin."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from documents.models import Collection
from search import golden, golden_files
from search.exceptions import SearchError
from search.models import GoldenRun


class Command(BaseCommand):
    help = "Import or export a collection's golden questions as an evaluation folder, or ask them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for name, text in (("import", "read questions.jsonl of FOLDER"), ("export", "write FOLDER")):
            action = actions.add_parser(name, help=text)
            action.add_argument("collection", help="its slug")
            action.add_argument("folder", type=Path)
        asking = actions.add_parser("run", help="ask them now, and print the figures")
        asking.add_argument("collection", help="its slug")

    def handle(self, *args: Any, **options: Any) -> None:
        collection = Collection.objects.filter(slug=options["collection"]).first()
        if collection is None:
            raise CommandError(f"There is no collection {options['collection']}.")
        try:
            self.stdout.write(DOORS[options["action"]](collection, options))
        except SearchError as error:
            raise CommandError(str(error)) from error


def imported(collection: Collection, options: dict[str, Any]) -> str:
    done = golden_files.import_folder(collection=collection, folder=options["folder"])
    return f"{done.created} new, {done.updated} replaced"


def exported(collection: Collection, options: dict[str, Any]) -> str:
    done = golden_files.export_folder(collection=collection, folder=options["folder"])
    return f"{done.questions} questions, {done.documents} documents"


def asked(collection: Collection, options: dict[str, Any]) -> str:
    run = golden.run(collection=collection, why=GoldenRun.Why.COMMAND)
    if run.state != GoldenRun.State.DONE:
        raise CommandError(run.error or run.get_state_display())
    told = {"questions": run.questions, "left_out": run.left_out, "seconds": run.seconds}
    return json.dumps({**told, **run.scores, "settings": run.settings}, indent=2)


DOORS = {"import": imported, "export": exported, "run": asked}
