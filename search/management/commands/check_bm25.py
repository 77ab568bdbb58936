"""``manage.py check_bm25``: the BM25 indexes against an exact computation; rebuilt when they part."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from documents import lexical
from documents.lexical_check import GOAL, Agreement, check, repaired
from search.recent import recent

SAMPLES = 50
EXPECTED = "The index keeps lengths coarsely: about .95 of the first ten is what a sound one agrees to."


class Command(BaseCommand):
    help = "Compare the BM25 indexes with an exact computation on sampled queries: overlap of the first ten."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--samples", type=int, default=SAMPLES, help="queries per index")
        parser.add_argument(
            "--no-repair", action="store_true", help=f"do not rebuild an index that agrees below {GOAL}"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if lexical.backend() == "tsvector":
            raise CommandError("There is no BM25 index: pg_textsearch is missing, and text search serves.")
        queries = [query.text for query in recent()]
        samples = max(1, options["samples"])
        found = [check(index, queries, samples) for index in lexical.INDEXES]
        if not options["no_repair"]:
            found = [
                repaired(index, queries, samples) if row.parted else row
                for index, row in zip(lexical.INDEXES, found, strict=True)
            ]
        if options["json"]:
            rows = [{**asdict(row), "parted": row.parted} for row in found]
            self.stdout.write(json.dumps({"expected": EXPECTED, "goal": GOAL, "indexes": rows}, indent=2))
        else:
            self.show(found)
        if any(row.parted for row in found):
            said = "without --no-repair it is rebuilt" if options["no_repair"] else "although it was rebuilt"
            raise CommandError(f"An index agrees to less than {GOAL}; {said}.", returncode=1)

    def show(self, found: list[Agreement]) -> None:
        for row in found:
            self.stdout.write(
                f"{row.index:24} {row.rows:8} rows  {row.queries} queries  overlap@10 {row.overlap:.4f}  "
                f"same first {row.first:.4f}{'  rebuilt' if row.rebuilt else ''}"
            )
        self.stdout.write(EXPECTED)
