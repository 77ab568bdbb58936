"""``manage.py prepare_models``: this machine's own int8 files of the embedding model and the reranker."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from documents.exceptions import EmbeddingUnavailable
from search.reranking.files import RerankerUnavailable


class Command(BaseCommand):
    help = (
        "Export EMBEDDING_MODEL and RERANKER_MODEL (where one is set) to ONNX, quantise them for this CPU, "
        "check them against torch, keep them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", default=settings.EMBEDDING_MODEL)
        parser.add_argument("--reranker", default=settings.RERANKER_MODEL, help="empty: none")
        parser.add_argument("--force", action="store_true", help="make them again")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.prepare_embedder(options["model"], force=options["force"])
            if options["reranker"]:
                self.prepare_reranker(options["reranker"], force=options["force"])
        except (EmbeddingUnavailable, RerankerUnavailable) as error:
            raise CommandError(str(error)) from error

    def prepare_embedder(self, model: str, *, force: bool) -> None:
        from documents.embedding.prepare import prepare

        done = prepare(model, force=force, say=self.stderr.write)
        self.stdout.write(
            f"{done.path}: mean cosine to torch {done.mean_cosine:.4f}, made in {done.seconds:.0f} s"
        )

    def prepare_reranker(self, model: str, *, force: bool) -> None:
        from search.reranking.prepare import prepare

        done = prepare(model, force=force, say=self.stderr.write)
        self.stdout.write(
            f"{done.path}: correlation with torch {done.correlation:.4f}, made in {done.seconds:.0f} s"
        )
