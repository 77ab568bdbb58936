"""``manage.py prepare_models``: this machine's own int8 file of the embedding model."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from documents.exceptions import EmbeddingUnavailable


class Command(BaseCommand):
    help = "Export EMBEDDING_MODEL to ONNX, quantise it for this CPU, check it against torch, keep it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", default=settings.EMBEDDING_MODEL)
        parser.add_argument("--force", action="store_true", help="make it again")

    def handle(self, *args: Any, **options: Any) -> None:
        from documents.embedding.prepare import prepare

        try:
            done = prepare(options["model"], force=options["force"], say=self.stderr.write)
        except EmbeddingUnavailable as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{done.path}: mean cosine to torch {done.mean_cosine:.4f}, made in {done.seconds:.0f} s"
        )
