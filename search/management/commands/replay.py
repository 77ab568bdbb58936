"""``manage.py replay ANSWER_ID [--json]``: ask again as the one who asked, and say what is different."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from search.exceptions import SearchError
from search.models import Answer
from search.replaying import Replay, replay
from search.representation import replay_json

SIGNS = {"same": "{}", "added": "[+{}+]", "removed": "[-{}-]"}


class Command(BaseCommand):
    help = "Ask the question of a stored answer again, and say what changed. Stores nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("answer", type=UUID, help="its id")
        parser.add_argument("--json", action="store_true", help="print one JSON object, as the API has it")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Answer.objects.select_related("asked_by", "conversation").filter(pk=options["answer"]).first()
        if found is None:
            raise CommandError("There is no such answer.")
        try:
            again = replay(answer=found, user=found.asked_by)
        except SearchError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(replay_json(again, found.asked_by)))
        else:
            self.stdout.writelines(f"{line}\n" for line in told(again))


def told(again: Replay) -> Iterator[str]:
    yield f"Question: {again.answer.question}"
    yield f"Asked:    {again.answer.created_at:%Y-%m-%d %H:%M} UTC"
    if not again.compared:
        yield "Kept before receipts were: only settings and wording can be compared."
    for document in again.documents:
        yield f"document  {document.change:<10} {document.title or '(not shown)'}"
    for move in again.passages:
        if move.before != move.now:
            yield f"passage   {move.before or '–'} → {move.now or '–'}  {move.title}, page {move.page}"
    for setting in again.settings:
        yield f"setting   {setting.name}: {setting.before} → {setting.now}"
    if again.abstained_changed:
        yield "refusal   " + ("answered now" if again.answer.abstained else "refused now")
    yield "Wording:  " + (
        " ".join(SIGNS[words.change].format(words.text) for words in again.wording) or "none, then and now"
        if again.wording_changed
        else "the same"
    )
