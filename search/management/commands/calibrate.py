"""``manage.py calibrate FOLDER…``: learn from marked questions when to answer and when to refuse."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from search.calibration import TooFewQuestions, as_lines, calibration_save, cases_of, fitted
from search.exceptions import SearchError
from search.management.commands.evaluate import EVALUATOR, evaluator


class Command(BaseCommand):
    help = "Fit the decision to answer or to refuse on evaluation folders, and use it from now on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folders", nargs="+", type=Path)
        parser.add_argument(
            "--questions",
            action="append",
            default=[],
            type=Path,
            help="a further file of questions about the first folder's corpus, such as near-misses",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would be learned, keep nothing")
        parser.add_argument("--force", action="store_true", help="keep it though it is no better")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--user", default=EVALUATOR, help="who ingests and asks")

    def handle(self, *args: Any, **options: Any) -> None:
        cases = []
        try:
            for number, folder in enumerate(options["folders"]):
                further = options["questions"] if number == 0 else []
                cases += cases_of(folder.resolve(), further, evaluator(options["user"]), self.progress)
            found = fitted(cases)
        except (SearchError, TooFewQuestions) as error:
            raise CommandError(str(error)) from error
        better = (found.after["refusal_f1"] or 0) > (found.before["refusal_f1"] or 0)
        kept = (better or options["force"]) and not options["dry_run"]
        if kept:
            origin = ", ".join(folder.resolve().name for folder in options["folders"])
            calibration_save(fitted=found, origin=origin)
        if options["json"]:
            shown = {"parameters": found.parameters.as_json(), "before": found.before, "after": found.after}
            self.stdout.write(json.dumps({**shown, "questions": found.questions, "kept": kept}, indent=2))
            return
        self.stdout.write("\n".join(as_lines(found)))
        self.stdout.write(
            "kept: it decides from now on (delete it in the admin to have the default back)"
            if kept
            else "not kept" + ("" if better else ": no better than what decides by default")
        )

    def progress(self, done: int, of: int) -> None:
        if done % 50 == 0 or done == of:
            self.stderr.write(f"{done} of {of} questions")
