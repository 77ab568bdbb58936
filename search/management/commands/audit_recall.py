"""``manage.py audit_recall``: the vector index against the exact scan, per collection."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from documents.spaces import active_space
from search.audit import GOAL, SAMPLES, Audit, audit


class Command(BaseCommand):
    help = "Compare results of the vector index with the exact scan on sampled queries: recall@10."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--samples", type=int, default=SAMPLES, help="queries per collection")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        space = active_space()
        if space is None:
            raise CommandError("There is no active embedding space yet: nothing was embedded.")
        found = audit(space, max(1, options["samples"]))
        if options["json"]:
            report = {"recall@10": found.recall, "below": found.poor, **asdict(found)}
            self.stdout.write(json.dumps(report, indent=2))
            return
        self.show(found)

    def show(self, found: Audit) -> None:
        for row in found.collections:
            self.stdout.write(
                f"{row.collection:40} {row.passages:8} passages  recall@10 {row.recall:.4f}  "
                f"({row.asked} queries that were asked, {row.stored} of stored passages)"
            )
        self.stdout.write(
            f"{'as asked':40} {'':17}  recall@10 {shown(found.as_asked)}  ({found.asked} queries)"
        )
        self.stdout.write(f"{'all collections':40} {'':17}  recall@10 {shown(found.recall)}")
        if found.poor:
            self.stdout.write(self.style.WARNING(f"Below {GOAL}: {', '.join(found.poor)}"))


def shown(recall: float | None) -> str:
    return "–" if recall is None else f"{recall:.4f}"
