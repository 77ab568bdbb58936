"""Answers that were given before, to the same question of somebody who sees the same documents.

Only retrieval and generation are saved. Whoever asks gets an answer of their own, with its log and citations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from search import caching, pipeline, semantic
from search.metrics import Stopwatch
from search.models import Calibration
from search.outcomes import Given, packed, unpacked
from search.types import Filters, Outcome, Sources, Step, Token, Turn
from search.words import clean

if TYPE_CHECKING:
    from documents.querysets import User

#: So long an answer waits for another one that is being given to the same question.
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the answer to a question is kept, and where the questions are that it may be like."""

    question: str
    key: str | None = None
    likes: str | None = None


def steps(
    *,
    row: UUID,
    question: str,
    user: User,
    filters: Filters,
    history: Sequence[Turn],
    should_stop: Callable[[], bool],
    fresh: bool = False,
) -> Iterator[Step]:
    """As ``pipeline.answer_pieces``, or as it went before. What is new is kept; its text stays in ``row``.

    ``fresh`` asks again, and what comes takes the place of what was kept.
    """
    place = Place(question) if history else place_of(question, user, filters)
    with caching.looked_up("answers", None if fresh else place.key, PATIENCE_SECONDS) as value:
        again = None if fresh else given_before(place, value, user)
        if again:
            yield from again
            return
        sources, outcome = Sources(()), None
        for step in pipeline.answer_pieces(
            question=question, user=user, filters=filters, history=history, should_stop=should_stop
        ):
            sources = step if isinstance(step, Sources) else sources
            outcome = step if isinstance(step, Outcome) else outcome
            yield step  # an outcome is stored when more is asked for
        if outcome is not None:
            keep(place, Given(outcome, sources.evidence), row)


def prepare(question: str, user: User, filters: Filters) -> bool:
    """Keep the answer for whoever asks next, stored nowhere else; whether that was needed."""
    place = place_of(question, user, filters)
    if place.key is None or caching.fetch("answers", place.key) is not None:
        return False
    *before, outcome = pipeline.answer_pieces(question=question, user=user, filters=filters)
    assert isinstance(outcome, Outcome)
    announced = [step.evidence for step in before if isinstance(step, Sources)]
    keep(place, Given(outcome, announced[-1] if announced else ()), row=None)
    return True


def place_of(question: str, user: User, filters: Filters) -> Place:
    """Asked before the answer begins, so that no change is overlooked."""
    corpus = caching.corpus_now(user, filters)
    wanted: dict[str, Any] = {
        "filters": asdict(filters),
        "generator": pipeline.get_generator().name,
        "calibration": Calibration.objects.values_list("pk", flat=True).first() if corpus else None,
    }
    asked = clean(question)
    likes = caching.key_of("semantic", corpus, wanted) if settings.SEMANTIC_CACHE_THRESHOLD else None
    return Place(asked, caching.key_of("answers", corpus, {**wanted, "question": asked}), likes)


def keep(place: Place, given: Given, row: UUID | None) -> None:
    value = packed(given, row)
    caching.store("answers", place.key, value)
    if value is not None and place.key and not given.outcome.abstained:
        semantic.remember(place.likes, place.question, place.key)


def given_before(place: Place, value: caching.JSON | None, user: User) -> list[Step] | None:
    """The steps of the answer that ``value`` was kept of, or else of one to a question that is like it."""
    watch = Stopwatch()
    with watch.stage("cache"):
        given, how = (unpacked(value, user) if value else None), "same"
        if given is None and (key := semantic.like(place.likes, place.question)):
            kept = caching.fetch("answers", key)
            given, how = (unpacked(kept, user) if kept else None), "similar"
    return list(again(given, how, watch)) if given else None


def again(given: Given, how: str, watch: Stopwatch) -> Iterator[Step]:
    yield Sources(given.announced)
    for sentence in given.outcome.sentences:
        watch.timings.setdefault("first_token", watch.elapsed())
        yield Token(f"{sentence.text} ")
        yield sentence
    yield replace(
        given.outcome,
        settings={**given.outcome.settings, "cached": how},
        timings={**watch.timings, "total": watch.elapsed()},
    )
