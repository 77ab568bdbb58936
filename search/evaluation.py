"""Measures the portal against a folder of documents and questions (docs/api.md, Evaluation folder)."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.utils.text import slugify

from documents.chunking import ChunkOptions
from documents.ingest import ingest_paths
from documents.models import Chunk, Collection
from documents.spaces import serving_model
from search import fusion, pipeline
from search.exceptions import BadRequest
from search.generation.registry import get_generator
from search.metrics import Stopwatch
from search.models import Tuning
from search.questions import Place, Question, parsed
from search.reranking.registry import reranker_name
from search.scores import (
    exact_match,
    mean,
    percentile,
    ratio,
    refusal_scores,
    retrieval_intervals,
    retrieval_scores,
    risk_coverage,
    token_f1,
)
from search.types import Filters, Mode, Outcome, Rerank, SearchRequest, SearchResult

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Report = Callable[[int, int], None]
#: Points of the risk–coverage curve in a report.
CURVE = 50


@dataclass(slots=True)
class Tally:
    """What was seen while asking."""

    documents: list[tuple[list[Hashable], set[Any]]] = field(default_factory=list)
    pages: list[tuple[list[Hashable], set[Any]]] = field(default_factory=list)
    search_ms: list[float] = field(default_factory=list)
    answer_ms: list[float] = field(default_factory=list)
    first_token_ms: list[float] = field(default_factory=list)
    refused: list[bool] = field(default_factory=list)  # by question asked, whether it was refused
    answerable: list[bool] = field(default_factory=list)
    citations: list[bool] = field(default_factory=list)
    supported: list[bool] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)
    exact: list[float] = field(default_factory=list)
    text_f1: list[float] = field(default_factory=list)
    #: By question asked: how sure it was, and whether what it said or would have said was right.
    confidence: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)

    def add_search(self, question: Question, ranked: Sequence[Place], took_ms: float) -> None:
        """``ranked``: where each passage that was found stands, best first."""
        self.search_ms.append(took_ms)
        if question.documents:
            self.documents.append((once(name for name, _ in ranked), question.documents))
        if question.pages:
            self.pages.append((once(ranked), question.pages))

    @property
    def levels(self) -> dict[str, list[tuple[list[Hashable], set[Any]]]]:
        return {"document": self.documents, "page": self.pages}


def evaluate(
    folder: Path,
    *,
    user: User,
    mode: Mode = "hybrid",
    rerank: Rerank = "auto",
    answers: bool = True,
    asking: Path | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """The report of one run. The corpus goes into the collection ``eval-<folder name>``, once.

    ``asking`` is a file of other questions about the corpus.
    """
    questions = read_questions(asking or folder / "questions.jsonl")
    collection = corpus(folder, user)
    user = collection.owner  # whoever evaluated this folder first: others may not see it
    places = places_of(collection)
    filters = Filters(collections=(collection.slug,))
    tally = Tally()
    warm_up(user, filters, mode, rerank)
    for done, question in enumerate(questions, 1):
        measure_search(question, user, filters, mode, rerank, places, tally)
        if answers:
            measure_answer(question, user, filters, mode, rerank, places, tally)
        if report:
            report(done, len(questions))
    return {
        "folder": folder.name,
        "questions": len(questions),
        "documents": len({name for name, _ in places.values()}),
        "chunks": len(places),
        "retrieval": {level: retrieval_scores(rankings) for level, rankings in tally.levels.items()},
        "intervals": {level: retrieval_intervals(rankings) for level, rankings in tally.levels.items()},
        "answers": answer_scores(tally) if answers else None,
        "latency_ms": latencies(tally),
        "settings": {**produced_by(mode, rerank), "tuning": Tuning.for_search([collection.slug])},
    }


def read_questions(path: Path) -> list[Question]:
    if not path.is_file():
        raise BadRequest(f"There is no {path}.")
    return parsed(path.read_bytes())


def corpus(folder: Path, user: User) -> Collection:
    """The collection of this folder, with every file of its corpus in it."""
    slug = f"eval-{slugify(folder.name)}"[:80]
    collection, _ = Collection.objects.get_or_create(
        slug=slug, defaults={"name": f"Evaluation: {folder.name}"[:120], "owner": user}
    )
    ingest_paths([folder / "corpus"], user=user, collection=collection, wait=True)
    return collection


def places_of(collection: Collection) -> dict[int, Place]:
    """File name and page of every passage."""
    rows = Chunk.objects.filter(collection=collection)
    return {pk: (name, page) for pk, name, page in rows.values_list("pk", "document__filename", "page_start")}


def warm_up(user: User, filters: Filters, mode: Mode, rerank: Rerank) -> None:
    """Models load at first use; that is no part of a search."""
    pipeline.found(SearchRequest("warm up", mode, filters, rerank=rerank), user, Stopwatch())


def measure_search(
    question: Question,
    user: User,
    filters: Filters,
    mode: Mode,
    rerank: Rerank,
    places: Mapping[int, Place],
    tally: Tally,
) -> None:
    result = explained(question.text, user, filters, mode, rerank)
    tally.add_search(question, places_in(result, lambda _: places), result.took_ms)


def explained(text: str, user: User, filters: Filters, mode: Mode, rerank: Rerank) -> SearchResult:
    """Search as a user would; the ranking behind the shown results comes from the explanation."""
    request = SearchRequest(text, mode, filters, rerank=rerank, explain=True)
    return pipeline.found(request, user, Stopwatch())


def places_in(result: SearchResult, locate: Callable[[list[int]], Mapping[int, Place]]) -> list[Place]:
    """Where every candidate stands, best first; ``locate`` knows it by the passages' keys."""
    ranking = full_ranking(result)
    places = locate(ranking)
    return [places[pk] for pk in ranking if pk in places]


def full_ranking(result: SearchResult) -> list[int]:
    """Every candidate, best first: reranked ones, then the rest as they were fused."""
    assert result.explanation is not None
    stages = (*result.explanation["reranked"], *result.explanation["fused"])
    return [pk for pk in once(entry["chunk"] for entry in stages) if isinstance(pk, int)]


def once(items: Iterable[Hashable]) -> list[Hashable]:
    return list(dict.fromkeys(items))


def measure_answer(
    question: Question,
    user: User,
    filters: Filters,
    mode: Mode,
    rerank: Rerank,
    places: dict[int, Place],
    tally: Tally,
) -> None:
    started = time.perf_counter()
    outcome = pipeline.answer(question=question.text, user=user, filters=filters, mode=mode, rerank=rerank)
    tally.answer_ms.append((time.perf_counter() - started) * 1000)
    if "first_token" in outcome.timings:
        tally.first_token_ms.append(outcome.timings["first_token"])
    tally.refused.append(outcome.abstained)
    tally.answerable.append(question.answerable)
    tally.confidence.append(outcome.settings["confidence"])
    tally.right.append(question.answerable and is_right(question, outcome, places))
    tally.supported += [sentence.supported for sentence in outcome.sentences]
    if question.answerable:
        compare(question, outcome, places, tally)


def is_right(question: Question, outcome: Outcome, places: Mapping[int, Place]) -> bool:
    """Whether the first passage that is cited, or is nearest to a refused question, is one that answers."""
    hits = [evidence.hit for evidence in outcome.evidence]
    hits += outcome.refusal.closest[:1] if outcome.refusal else ()
    return any(question.holds(places[hit.chunk_id]) for hit in hits[:1])


def compare(question: Question, outcome: Outcome, places: dict[int, Place], tally: Tally) -> None:
    """Citations against what is relevant, wording against the expected answer."""
    tally.citations += [question.holds(places[evidence.hit.chunk_id]) for evidence in outcome.evidence]
    if question.answer:
        said = exactly(outcome)
        tally.f1.append(token_f1(said, question.answer))
        tally.exact.append(exact_match(said, question.answer))
        tally.text_f1.append(token_f1(outcome.text, question.answer))


def exactly(outcome: Outcome) -> str:
    """What is marked as the answer itself in the first sentence with such a mark; else all that is said."""
    marked = (each.text[slice(*each.span)] for each in outcome.sentences if each.span)
    return next(marked, outcome.text)


def answer_scores(tally: Tally) -> dict[str, Any]:
    """A refusal is right when the corpus holds no answer; citations count for answerable questions."""
    return {
        "answered": tally.refused.count(False),
        "abstained": tally.refused.count(True),
        **refusal_scores(tally.refused, tally.answerable),
        "citation_precision": ratio(sum(tally.citations), len(tally.citations)),
        "supported_sentences": ratio(sum(tally.supported), len(tally.supported)),
        "token_f1": mean(tally.f1),
        "exact_match": mean(tally.exact),
        "text_f1": mean(tally.text_f1),
        "right_page": ratio(sum(right_answers(tally)), tally.answerable.count(True)),
        "risk_coverage": thinned(risk_coverage(tally.confidence, tally.right)),
    }


def right_answers(tally: Tally) -> list[bool]:
    """Answerable questions that were answered from the right passage."""
    return [right and not refused for right, refused in zip(tally.right, tally.refused, strict=True)]


def thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most ``CURVE`` points, the last among them."""
    step = max(len(points) // CURVE, 1)
    return points[::-1][::step][::-1]


def latencies(tally: Tally) -> dict[str, float | None]:
    return {
        "search_p50": percentile(tally.search_ms, 0.5),
        "search_p95": percentile(tally.search_ms, 0.95),
        "answer_p50": percentile(tally.answer_ms, 0.5),
        "first_token_p50": percentile(tally.first_token_ms, 0.5),
    }


def produced_by(mode: Mode, rerank: Rerank) -> dict[str, Any]:
    return {
        "mode": mode,
        "rerank": rerank,
        "embedding_model": serving_model(),
        "generator": get_generator().name,
        **stages(rerank),
    }


def stages(rerank: Rerank) -> dict[str, Any]:
    """What ranks, beside the embedding model."""
    return {
        "reranker": reranker_name(rerank),
        "fusion": fusion.settings(),
        "chunking": asdict(ChunkOptions()),
    }
