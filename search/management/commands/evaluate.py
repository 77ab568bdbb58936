"""``manage.py evaluate FOLDER``: how well the portal finds and answers."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from search.evaluation import evaluate
from search.exceptions import SearchError

#: Owns the collections of evaluations when nobody is named. Cannot sign in: it has no password.
EVALUATOR = "evaluation"


#: Is a picture, and no line of a table.
CURVE = "risk_coverage"


class Command(BaseCommand):
    help = "Ingest FOLDER/corpus once, ask FOLDER/questions.jsonl, and report how well it went."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--mode", choices=["hybrid", "vector", "keyword"], default="hybrid")
        parser.add_argument("--rerank", choices=["auto", "on", "off"], default="auto")
        parser.add_argument("--no-answers", action="store_true", help="measure retrieval only")
        parser.add_argument("--questions", type=Path, help="ask those of this file instead")
        parser.add_argument("--user", default=EVALUATOR, help="who ingests and asks")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"].resolve()
        if not (folder / "corpus").is_dir():
            raise CommandError(f"{folder} has no folder named corpus.")
        try:
            report = evaluate(
                folder,
                user=evaluator(options["user"]),
                mode=options["mode"],
                rerank=options["rerank"],
                answers=not options["no_answers"],
                asking=options["questions"],
                report=None if options["json"] else self.progress,
            )
        except SearchError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(report, indent=2) if options["json"] else table(report))

    def progress(self, done: int, of: int) -> None:
        if done % 50 == 0 or done == of:
            self.stderr.write(f"{done} of {of} questions")


def evaluator(name: str) -> User:
    user, created = User.objects.get_or_create(username=name)
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def table(report: dict[str, Any]) -> str:
    """The report in lines of name and value; behind a mean its 95 % interval."""
    lines = [f"{name:24}{report[name]}" for name in ("folder", "questions", "documents", "chunks")]
    for level, scores in report["retrieval"].items():
        intervals = report["intervals"][level]
        lines += ["", f"retrieval, {level}", *(with_interval(name, scores, intervals) for name in scores)]
    groups = {
        "answers": report["answers"] or {},
        "latency (ms)": report["latency_ms"],
        "settings": report["settings"],
    }
    for title, values in groups.items():
        if values:
            lines += [
                "",
                title,
                *(f"  {name:22}{'–' if v is None else v}" for name, v in values.items() if name != CURVE),
            ]
    return "\n".join(lines)


def with_interval(name: str, scores: dict[str, Any], intervals: dict[str, Any]) -> str:
    if scores[name] is None:
        return f"  {name:22}–"
    low, high = intervals[name]
    return f"  {name:22}{scores[name]:.4f}  [{low:.4f}, {high:.4f}]"
