"""``python -m benchmarks.evaluation FOLDER…``: every stage of retrieval on every evaluation folder.

Ingests what a folder's ``corpus/`` holds (once), asks its ``questions.jsonl`` with each stage of
``benchmarks.stages`` switched on in turn, and writes the table between the marks in ``docs/evaluation.md``
and everything to ``benchmarks/results/evaluation.json``. ``--proxy N`` asks N known-item questions of each
folder too (``benchmarks.proxy``); a folder may then lack questions, and hold nothing but documents.
What is answered is measured by ``benchmarks.answer_quality``.

Intervals are 95 % bootstrap intervals. Differences are taken question by question, so that their intervals
are those of a paired bootstrap.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.machine import describe
from benchmarks.proxy import KINDS, KnownItem, Passage, known_items, neighbours, vocabulary
from search.questions import Question
from search.scores import Ranking, bootstrap_interval, mean, measured

if TYPE_CHECKING:
    from benchmarks.stages import Place, Stage
    from documents.models import Collection

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "evaluation.json"
DOCUMENT = ROOT / "docs" / "evaluation.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
SHOWN = ("recall@1", "recall@10", "mrr@10")
ABOVE, BELOW = "▲", "▼"

#: A level (document, page, passage), and what is relevant there.
Relevant = Mapping[str, frozenset[Hashable]]


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """A question, and what is relevant at each level that it says anything about."""

    text: str
    relevant: Relevant


@dataclass(frozen=True, slots=True)
class TestSet:
    """Questions of one kind about one collection."""

    name: str
    questions: tuple[JudgedQuestion, ...]


# --- Measuring


def rankings_by_level(
    stages: Sequence[Stage], questions: Iterable[JudgedQuestion]
) -> dict[str, dict[str, list[Ranking]]]:
    """Level, stage, and the ranking of each question there, in the questions' order."""
    found: dict[str, dict[str, list[Ranking]]] = {}
    for done, question in enumerate(questions, 1):
        for stage in stages:
            places = stage.search(question.text)
            for level, relevant in question.relevant.items():
                at_level = found.setdefault(level, {}).setdefault(stage.name, [])
                at_level.append((ranked_at(level, places), relevant))
        if done % 50 == 0:
            print(f"{done} questions", file=sys.stderr, flush=True)
    return found


def ranked_at(level: str, places: Iterable[Place]) -> list[Hashable]:
    """Documents, pages or passages, each where its first passage stands."""
    match level:
        case "document":
            return list(dict.fromkeys(place.document for place in places))
        case "page":
            return list(dict.fromkeys((place.document, place.page) for place in places))
        case _:
            return list(dict.fromkeys(place.passage for place in places))


def compared(rankings: Mapping[str, Sequence[Ranking]], stages: Sequence[Stage]) -> dict[str, Any]:
    """Of each stage each measure, its interval, its difference to the best leg and to what it builds on.

    ``ranks`` keeps for each question where the first relevant one stood (0: nowhere), for later comparisons.
    """
    values = {stage: measured(ranked) for stage, ranked in rankings.items()}
    legs = [stage.name for stage in stages if stage.leg]
    return {
        stage.name: {
            "measures": {
                name: figures(name, values, stage, best_leg(name, values, legs))
                for name in values[stage.name]
            },
            "ranks": [first_rank(ranked, relevant) for ranked, relevant in rankings[stage.name]],
        }
        for stage in stages
    }


def figures(
    name: str, values: Mapping[str, Mapping[str, list[float]]], stage: Stage, best: str
) -> dict[str, Any]:
    own, before = values[stage.name][name], stage.builds_on
    return {
        "mean": mean(own),
        "interval": bootstrap_interval(own),
        "to_best_leg": None if stage.name == best else {"leg": best, **difference(own, values[best][name])},
        "to_before": {"stage": before, **difference(own, values[before][name])} if before else None,
    }


def difference(own: Sequence[float], other: Sequence[float]) -> dict[str, Any]:
    """``own`` less ``other``, question by question: the mean, and its interval by paired bootstrap."""
    each = [mine - theirs for mine, theirs in zip(own, other, strict=True)]
    return {"mean": mean(each), "interval": bootstrap_interval(each)}


def best_leg(name: str, values: Mapping[str, Mapping[str, list[float]]], legs: Sequence[str]) -> str:
    """The leg with the highest mean; the first of equals."""
    return max(legs, key=lambda leg: mean(values[leg][name]) or 0.0)


def first_rank(ranked: Sequence[Hashable], relevant: Iterable[Hashable]) -> int:
    wanted = set(relevant)
    return next((rank for rank, item in enumerate(ranked, 1) if item in wanted), 0)


def judged(question: Question) -> JudgedQuestion | None:
    """None where nothing is relevant: there is nothing to be found."""
    levels = {"document": frozenset(question.documents), "page": frozenset(question.pages)}
    relevant = {level: places for level, places in levels.items() if places}
    return JudgedQuestion(question.text, relevant) if relevant else None


def known_item(item: KnownItem) -> JudgedQuestion:
    return JudgedQuestion(item.text, {"passage": frozenset({item.passage})})


# --- Telling


def section(report: Mapping[str, Any]) -> list[str]:
    """The tables of one set, one for each level."""
    lines: list[str] = []
    for level, stages in report["levels"].items():
        count = len(next(iter(stages.values()))["ranks"])
        heading = f"**{report['name']}**, by {level}: {count} questions, {report['passages']} passages"
        lines += ["", heading, "", *table(stages)]
    return lines


def table(stages: Mapping[str, Any]) -> list[str]:
    columns = [*SHOWN, "recall@10 to the best leg", "MRR@10 to the best leg", "MRR@10 to what it builds on"]
    lines = ["| stage | " + " | ".join(columns).replace("mrr", "MRR") + " |", "|---" * 7 + "|"]
    for stage, told in stages.items():
        measures = told["measures"]
        cells = [with_interval(measures[name]) for name in SHOWN]
        cells += [changed(measures["recall@10"]["to_best_leg"]), changed(measures["mrr@10"]["to_best_leg"])]
        cells.append(changed(measures["mrr@10"]["to_before"]))
        lines.append(f"| {stage} | " + " | ".join(cells) + " |")
    return lines


def with_interval(figure: Mapping[str, Any]) -> str:
    low, high = figure["interval"]
    return f"{short(figure['mean'])} ({short(low)}–{short(high)})"


def changed(told: Mapping[str, Any] | None) -> str:
    """A difference and its interval, marked where the interval leaves zero out."""
    if told is None:
        return ""
    low, high = told["interval"]
    mark = f" {ABOVE}" if low > 0 else f" {BELOW}" if high < 0 else ""
    return f"{signed(told['mean'])} ({signed(low)} … {signed(high)}){mark}"


def short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'}{short(abs(value))}"


def told(results: Mapping[str, Any]) -> str:
    lines = [f"On {results['machine']}. {ABOVE} and {BELOW}: the interval of the difference leaves out zero."]
    for report in results["sets"]:
        lines += section(report)
    return "\n".join(lines)


def between_marks(document: str, text: str, marks: tuple[str, str] = (BEGIN, END)) -> str:
    """``document`` with ``text`` between the two marks. Raises ``ValueError`` where they are missing."""
    before, begin, rest = document.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"The document has no lines {marks[0]} and {marks[1]}, one after the other.")
    return f"{before}{begin}\n{text}\n{end}{after}"


# --- The command


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--proxy", type=int, default=0, metavar="N", help="known-item questions per folder")
    options = parser.parse_args()
    between_marks(DOCUMENT.read_text(), "")  # better now than after an hour
    begin()
    results = evaluated([folder.resolve() for folder in options.folders], options.proxy)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, ensure_ascii=False) + "\n")
    DOCUMENT.write_text(between_marks(DOCUMENT.read_text(), told(results)))
    print(told(results))


def begin() -> None:
    """Django and its servers, as ``manage.py`` brings them."""
    import django

    from manage import bring_servers, prepare_new_folder

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    bring_servers()
    django.setup()
    prepare_new_folder()


def evaluated(folders: Sequence[Path], proxies: int) -> dict[str, Any]:
    from search.evaluation import produced_by

    return {
        "machine": describe(),
        "settings": produced_by("hybrid", "auto"),
        "sets": [report for folder in folders for report in reports(folder, proxies)],
    }


def reports(folder: Path, proxies: int) -> list[dict[str, Any]]:
    """What was measured on the sets of one folder."""
    from benchmarks.stages import stages

    collection = collection_of(folder)
    passages, every = passages_of(collection), stages(collection)
    measured_sets: list[dict[str, Any]] = []
    for test_set in sets_of(folder, passages, proxies):
        print(f"{test_set.name}: {len(test_set.questions)} questions", file=sys.stderr, flush=True)
        levels = rankings_by_level(every, test_set.questions)
        measured_sets.append(
            {
                "name": test_set.name,
                "passages": len(passages),
                "levels": {level: compared(ranked, every) for level, ranked in levels.items()},
            }
        )
    return measured_sets


def sets_of(folder: Path, passages: Sequence[Passage], proxies: int) -> list[TestSet]:
    from search.evaluation import read_questions

    sets = []
    if (path := folder / "questions.jsonl").is_file():
        asked = tuple(filter(None, map(judged, read_questions(path))))
        sets.append(TestSet(folder.name, asked))
    items = known_items(passages, proxies, meanings(passages)) if proxies else []
    for kind in KINDS:
        asked = tuple(known_item(item) for item in items if item.kind == kind)
        sets.append(TestSet(f"{folder.name}, known items, {kind}", asked))
    return [each for each in sets if each.questions]


def meanings(passages: Sequence[Passage]) -> dict[str, str]:
    """Words of the collection and their neighbours, by the embedding model."""
    from django.conf import settings

    from documents.embedding.registry import get_embedder

    words = vocabulary(passages)
    return neighbours(words, get_embedder(settings.EMBEDDING_MODEL).embed(words)) if words else {}


def collection_of(folder: Path) -> Collection:
    """The folder's collection, as ``manage.py evaluate`` makes it; without ``corpus/``, of all its files."""
    from django.utils.text import slugify

    from documents.ingest import ingest_paths
    from documents.models import Collection
    from search.evaluation import corpus
    from search.management.commands.evaluate import EVALUATOR, evaluator

    user = evaluator(EVALUATOR)
    if (folder / "corpus").is_dir():
        return corpus(folder, user)
    collection, _ = Collection.objects.get_or_create(
        slug=f"eval-{slugify(folder.name)}"[:80],
        defaults={"name": f"Evaluation: {folder.name}"[:120], "owner": user},
    )
    ingest_paths([folder], user=user, collection=collection, wait=True)
    return collection


def passages_of(collection: Collection) -> list[Passage]:
    """In the order of the documents' names, so that the same texts give the same questions."""
    from documents.models import Chunk

    rows = Chunk.objects.filter(collection=collection).order_by("document__filename", "ordinal")
    listed = rows.values_list("pk", "document__filename", "heading", "text")
    return [Passage(pk, (name, *heading), text) for pk, name, heading, text in listed]


if __name__ == "__main__":
    main()
