"""``manage.py tune COLLECTION``: learn the fusion's weights from questions with known documents."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from documents.models import Collection
from search.exceptions import SearchError
from search.learning import OBJECTIVE, learn
from search.models import Tuning
from search.tuning import Best


class Command(BaseCommand):
    help = "Learn how a collection's legs are weighed; the default stays unless another is proven better."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("collection", help="its slug")
        parser.add_argument("--folder", type=Path, help="questions of an evaluation folder instead")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        collection = Collection.objects.filter(slug=options["collection"]).first()
        if collection is None:
            raise CommandError(f"There is no collection {options['collection']}.")
        report = None if options["json"] else self.progress
        try:
            tuning, best = learn(collection=collection, folder=options["folder"], report=report)
        except SearchError as error:
            raise CommandError(str(error)) from error
        if tuning is None:
            raise CommandError(f"There is no question with a document in {collection.slug}.")
        self.stdout.write(as_json(tuning, best) if options["json"] else as_text(tuning, best))

    def progress(self, done: int, of: int) -> None:
        if done % 50 == 0 or done == of:
            self.stderr.write(f"{done} of {of} questions")


def as_json(tuning: Tuning, best: Best) -> str:
    told = {name: value for name, value in asdict(best).items() if name != "held_out"}
    figures = {"before": tuning.before, "after": tuning.after}
    return json.dumps(
        {
            "collection": tuning.collection.slug,
            "questions": tuning.questions,
            "objective": {"name": OBJECTIVE, **told},
            "retrieval": figures,
        },
        indent=2,
    )


def as_text(tuning: Tuning, best: Best) -> str:
    """The verdict, and each measure before and after on questions that were held out."""
    low, high = best.gain
    held_out = f"{OBJECTIVE} on held-out questions: {best.before:.4f} → {best.after:.4f}"
    lines = [f"{held_out}, gain {low:+.4f} to {high:+.4f} (95 %), {tuning.questions} questions"]
    if best.kept:
        return "\n".join([*lines, f"Kept the default. {best.reason}"])
    for name, value in best.parameters.items():
        lines.append(f"  {name:22}{best.default[name]:.3f} → {value:.3f}")
    lines += [f"  {name:22}{tuning.before[name]:.4f} → {tuning.after[name]:.4f}" for name in tuning.before]
    return "\n".join(lines)
