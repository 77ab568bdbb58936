"""``manage.py audit_recall``: the vector index against the exact scan, per collection."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from statistics import fmean
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from documents.recall import audit
from documents.spaces import active_space


class Command(BaseCommand):
    help = "Compare results of the vector index with the exact scan on sampled queries: recall@10."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--samples", type=int, default=50, help="queries per collection")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        space = active_space()
        if space is None:
            raise CommandError("There is no active embedding space yet: nothing was embedded.")
        rows = audit(space, max(1, options["samples"]))
        mean = round(fmean(row.recall for row in rows), 4) if rows else None
        if options["json"]:
            report = {"recall@10": mean, "space": str(space), "collections": [asdict(r) for r in rows]}
            self.stdout.write(json.dumps(report, indent=2))
            return
        for row in rows:
            self.stdout.write(f"{row.collection:40} {row.passages:8} passages  recall@10 {row.recall:.4f}")
        self.stdout.write(f"{'all':40} {'':17}  recall@10 {mean if mean is not None else '–'}")
