"""``manage.py serve``: the web process alone, on servers that run elsewhere. Containers call it."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from documents.exceptions import EmbeddingUnavailable
from portal import environment, first_start
from portal.web import importable


class Command(BaseCommand):
    help = "Migrate, create the first user (ADMIN_PASSWORD) and serve HTTP."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - a container's own network

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            shown = first_start.prepare_all(environment.text("ADMIN_PASSWORD"))
        except EmbeddingUnavailable as error:
            raise CommandError(str(error)) from error
        if shown:
            self.stdout.write(f"Sign in as {first_start.FIRST_USER} with {shown}")
        command = [sys.executable, "-m", "portal.web"]
        command += [options["host"], str(settings.PORT), str(settings.WEB_PROCESSES)]
        os.environ["PYTHONPATH"] = importable(os.environ)
        # It takes this process's place, so that the container's signals reach it.
        os.execv(command[0], command)  # noqa: S606
