"""``manage.py check_integrity [--json]``: exit 1 on any breach."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from documents.integrity import check_integrity


class Command(BaseCommand):
    help = "Count every invariant of what is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = check_integrity()
        broken = [finding for finding in findings if finding.breaches]
        if options["json"]:
            report = {"ok": not broken, "checks": [asdict(finding) for finding in findings]}
            self.stdout.write(json.dumps(report))
        else:
            for finding in findings:
                sign = "BROKEN" if finding.breaches else "ok"
                self.stdout.write(f"{sign:>6}  {finding.breaches:>6}  {finding.invariant}")
                for example in finding.examples:
                    self.stdout.write(f"{'':>16}{example}")
        if broken:
            sys.exit(1)
