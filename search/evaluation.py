"""Measures the portal against a folder of documents and questions (docs/api.md, Evaluation folder)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.text import slugify

from documents.chunking import ChunkOptions
from documents.ingest import ingest_paths
from documents.models import Chunk, Collection
from search import fusion, pipeline
from search.exceptions import BadRequest
from search.generation.registry import get_generator
from search.scores import exact_match, mean, percentile, ratio, retrieval_scores, token_f1
from search.types import Filters, Mode, Outcome, Rerank, SearchRequest, SearchResult

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Report = Callable[[int, int], None]
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Question:
    """One line of ``questions.jsonl``."""

    text: str
    relevant: tuple[tuple[str, int | None], ...]
    answer: str
    answerable: bool

    @property
    def documents(self) -> set[str]:
        return {name for name, _ in self.relevant}

    @property
    def pages(self) -> set[Place]:
        return {(name, page) for name, page in self.relevant if page is not None}

    def holds(self, place: Place) -> bool:
        """Whether this passage's page is one that answers; where no page is given, its document."""
        return place in self.pages or (place[0], None) in self.relevant


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


def evaluate(
    folder: Path,
    *,
    user: User,
    mode: Mode = "hybrid",
    rerank: Rerank = "auto",
    answers: bool = True,
    report: Report | None = None,
) -> dict[str, Any]:
    """The report of one run. The corpus goes into the collection ``eval-<folder name>``, once."""
    questions = list(read_questions(folder / "questions.jsonl"))
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
        "retrieval": {
            "document": retrieval_scores(tally.documents),
            "page": retrieval_scores(tally.pages),
        },
        "answers": answer_scores(tally) if answers else None,
        "latency_ms": latencies(tally),
        "settings": produced_by(mode, rerank),
    }


def read_questions(path: Path) -> Iterator[Question]:
    if not path.is_file():
        raise BadRequest(f"There is no {path}.")
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            given = json.loads(line)
            relevant = tuple((str(r["document"]), r.get("page")) for r in given.get("relevant", []))
            answerable = given.get("answerable", bool(relevant))
            yield Question(given["question"], relevant, given.get("answer") or "", answerable)


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
    pipeline.search(request=SearchRequest("warm up", mode, filters, rerank=rerank), user=user)


def measure_search(
    question: Question,
    user: User,
    filters: Filters,
    mode: Mode,
    rerank: Rerank,
    places: dict[int, Place],
    tally: Tally,
) -> None:
    """Search as a user would; the ranking behind the shown results comes from the explanation."""
    request = SearchRequest(question.text, mode, filters, rerank=rerank, explain=True)
    result = pipeline.search(request=request, user=user)
    tally.search_ms.append(result.took_ms)
    ranked = [places[pk] for pk in full_ranking(result) if pk in places]
    if question.documents:
        tally.documents.append((once(name for name, _ in ranked), question.documents))
    if question.pages:
        tally.pages.append((once(ranked), question.pages))


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
    tally.supported += [sentence.supported for sentence in outcome.sentences]
    if question.answerable:
        compare(question, outcome, places, tally)


def compare(question: Question, outcome: Outcome, places: dict[int, Place], tally: Tally) -> None:
    """Citations against what is relevant, wording against the expected answer."""
    tally.citations += [question.holds(places[evidence.hit.chunk_id]) for evidence in outcome.evidence]
    if question.answer:
        tally.f1.append(token_f1(outcome.text, question.answer))
        tally.exact.append(exact_match(outcome.text, question.answer))


def answer_scores(tally: Tally) -> dict[str, Any]:
    """A refusal is right when the corpus holds no answer; citations count for answerable questions."""
    right = sum(refused and not able for refused, able in zip(tally.refused, tally.answerable, strict=True))
    return {
        "answered": tally.refused.count(False),
        "abstained": tally.refused.count(True),
        "refusal_precision": ratio(right, tally.refused.count(True)),
        "refusal_recall": ratio(right, tally.answerable.count(False)),
        "citation_precision": ratio(sum(tally.citations), len(tally.citations)),
        "supported_sentences": ratio(sum(tally.supported), len(tally.supported)),
        "token_f1": mean(tally.f1),
        "exact_match": mean(tally.exact),
    }


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
        "embedding_model": settings.EMBEDDING_MODEL,
        "generator": get_generator().name,
        "reranker": (settings.RERANKER_MODEL or None) if rerank != "off" else None,
        "fusion": fusion.SETTINGS,
        "chunking": asdict(ChunkOptions()),
    }
