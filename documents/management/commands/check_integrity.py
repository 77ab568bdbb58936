"""``manage.py check_integrity [--repair] [--trace TEXT] [--json]``: exit 1 on any breach."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from documents.integrity import Finding, check_integrity, counts, repair
from documents.integrity.traces import traces_of


class Command(BaseCommand):
    help = "Count every invariant of what is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--repair", action="store_true", help="mend what can be mended, and check again")
        parser.add_argument(
            "--trace",
            metavar="TEXT",
            default="",
            help="look for TEXT in every table, stored file and cached value as well: none may hold it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        mended = [finding for finding in repair() if finding.breaches] if options["repair"] else []
        findings = check_integrity()
        if options["trace"]:
            found = traces_of(options["trace"])
            findings.append(Finding("places that hold the text", len(found), tuple(found[:20])))
        broken = [finding for finding in findings if finding.breaches]
        if options["json"]:
            report = {"ok": not broken, "counts": counts(), "checks": [asdict(each) for each in findings]}
            if options["repair"]:
                report["mended"] = [asdict(each) for each in mended]
            self.stdout.write(json.dumps(report))
        else:
            self.tell(findings, mended)
        if broken:
            sys.exit(1)

    def tell(self, findings: list[Finding], mended: list[Finding]) -> None:
        self.stdout.write(
            ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts().items())
        )
        for finding in mended:
            done = "mended" if finding.mendable else "cannot be mended"
            self.stdout.write(f"{done}: {finding.breaches} {finding.invariant}")
        for finding in findings:
            sign = "BROKEN" if finding.breaches else "ok"
            self.stdout.write(f"{sign:>6}  {finding.breaches:>6}  {finding.invariant}")
            for example in finding.examples:
                self.stdout.write(f"{'':>16}{example}")
