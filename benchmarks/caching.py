"""``python -m benchmarks.caching FOLDER [N]``: what a search and an answer take, kept and not kept.

Ingests what the folder's ``corpus/`` holds (once), then asks N of its questions (40) twice each, in this
process and one after the other: a search through the pipeline, and an answer with all that is stored of it.
Before the first of each two nothing is kept of it, not even the vector of its question. Prints a Markdown
table.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.evaluation import begin

QUESTIONS = 40
WARM_UP = 5

Call = Callable[[str], Any]


def main() -> None:
    folder, number = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else QUESTIONS
    begin()
    from django.contrib.auth.models import User

    from documents import lexical
    from search import evaluation
    from search.types import Filters

    owner, _ = User.objects.get_or_create(username="benchmark")
    lexical.repair_after_restart()  # what an unchecked index finds is not kept
    collection = evaluation.corpus(folder.resolve(), owner)
    asked = evaluation.read_questions(folder / "questions.jsonl")
    step = max(1, len(asked) // (number + WARM_UP))
    texts = [question.text for question in asked[::step]][: number + WARM_UP]
    calls = {
        "search": searcher(owner, Filters(collections=(collection.slug,))),
        "answer, as a whole": answerer(owner, collection.slug),
    }
    print(table({name: times(call, texts) for name, call in calls.items()}, number))


def searcher(user: Any, filters: Any) -> Call:
    from search import pipeline
    from search.types import SearchRequest

    return lambda text: pipeline.search(request=SearchRequest(text, filters=filters), user=user).cached


def answerer(user: Any, slug: str) -> Call:
    from search import answers

    def call(text: str) -> bool:
        answer = answers.wait(answers.ask(user=user, question=text, collections=[slug]))
        return "cached" in answer.settings

    return call


def times(call: Call, texts: list[str]) -> list[tuple[float, float]]:
    """Milliseconds of each question, asked for the first time and again."""
    from django.core.cache import cache

    cache.clear()
    pairs = [(timed(call, text, cached=False), timed(call, text, cached=True)) for text in texts]
    return pairs[WARM_UP:]


def timed(call: Call, text: str, *, cached: bool) -> float:
    begun = time.perf_counter()
    was_kept = call(text)
    taken = (time.perf_counter() - begun) * 1000
    if was_kept != cached:
        raise SystemExit(f"“{text}” was {'' if was_kept else 'not '}kept.")
    return taken


def table(measured: dict[str, list[tuple[float, float]]], number: int) -> str:
    rows = [
        f"| {number} questions, twice each | first time p50 / p95 | again p50 / p95 | ratio of p50 |",
        "|---|---|---|---|",
    ]
    for name, pairs in measured.items():
        first, again = ([pair[place] for pair in pairs] for place in (0, 1))
        ratio = median(first) / median(again)
        rows.append(f"| {name} | {spread(first)} | {spread(again)} | {ratio:.1f} × |")
    return "\n".join(rows)


def spread(found: list[float]) -> str:
    ordered = sorted(found)
    return f"{median(ordered):.1f} / {ordered[int(0.95 * (len(ordered) - 1))]:.1f} ms"


if __name__ == "__main__":
    main()
