"""Which sentences of the sources answer a question, and whether any does.

Two views of every sentence: its vector's nearness to the question, and the share of the question's
words (rare ones count more) that it or its passage mentions.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from documents.sentences import sentences
from search.types import Quote, Source
from search.words import content_words, is_name, numbers, stem, stems, words

Embed = Callable[[Sequence[str]], Any]

SHORTEST, LONGEST = 15, 900
#: What a list item or a heading begins with; matches nothing where there is none.
MARKER = re.compile(r"(?:[•▪◦‣·*#>–-]+\s+|\(?\d{1,2}[.)]\s+)?")
#: Only so many sentences are embedded, the best by their words: 32 chose no better, and took longer.
MAX_EMBEDDED = 20
SIMILARITY_WEIGHT = 0.6
PASSAGE_SHARE = 0.35
RANK_PRIOR = 0.03
ASKED_KIND_BONUS = 0.06


@dataclass(frozen=True, slots=True)
class ScoredSentence:
    """A sentence of a source. ``coverage`` is of the question's words, by sentence and by passage."""

    quote: Quote
    text: str
    score: float
    similarity: float
    coverage: float
    passage_coverage: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """Sentences, best first, and what of the question no source mentions."""

    sentences: tuple[ScoredSentence, ...]
    #: The share of the question's words that the best sentence's passage mentions.
    coverage: float
    similarity: float
    missing_names: tuple[str, ...]
    missing_numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, taken apart."""

    text: str
    stems: frozenset[str]
    names: frozenset[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, text: str) -> Question:
        found = content_words(text)
        first = (words(text) or [""])[0]
        named = {stem(word) for word in found if is_name(word, first=word == first)}
        return cls(text, frozenset(map(stem, found)), frozenset(named), frozenset(numbers(text)))


@dataclass(frozen=True, slots=True)
class Reading:
    """A candidate sentence before its vector is known."""

    quote: Quote
    text: str
    context: str
    coverage: float
    passage_coverage: float


def assess(text: str, sources: Sequence[Source], embed: Embed) -> Assessment:
    """Scores the sentences of ``sources``. ``embed`` gives unit vectors; without engine: ``no_vectors``."""
    question = Question.of(text)
    readings = read(question, sources)
    if not readings:
        return Assessment((), 0.0, 0.0, (), ())
    chosen = sorted(readings, key=lambda r: (-r.coverage, r.quote.n))[:MAX_EMBEDDED]
    vectors = embed([text, *(reading.context for reading in chosen)])
    similarities = vectors[1:] @ vectors[0] if len(vectors) else [0.0] * len(chosen)
    scored = sorted(
        (judged(question, reading, float(s)) for reading, s in zip(chosen, similarities, strict=True)),
        key=lambda sentence: -sentence.score,
    )
    return conclude(question, scored, sources)


def read(question: Question, sources: Sequence[Source]) -> list[Reading]:
    parts = [(source, span) for source in sources for span in spans(source.hit.text)]
    said = [stems(source.hit.text[start:end]) for source, (start, end) in parts]
    weights = rarity(question.stems, said)
    around = {source.n: stems(surrounding(source)) for source in sources}
    return [
        Reading(
            quote=Quote(source.n, start, end),
            text=source.hit.text[start:end],
            context=f"{source.hit.document_title}: {source.hit.text[start:end]}",
            coverage=share(weights, found),
            passage_coverage=share(weights, around[source.n]),
        )
        for (source, (start, end)), found in zip(parts, said, strict=True)
    ]


def spans(text: str) -> list[tuple[int, int]]:
    """The sentences, without the bullet or number that some of them begin with."""
    found = ((marker_end(text, start, end), end) for start, end in sentences(text))
    return [(start, end) for start, end in found if SHORTEST <= end - start <= LONGEST]


def marker_end(text: str, start: int, end: int) -> int:
    marker = MARKER.match(text, start, end)
    return marker.end() if marker else start


def surrounding(source: Source) -> str:
    return " ".join((source.hit.document_title, *source.hit.heading, source.hit.text))


def rarity(wanted: frozenset[str], said: Sequence[set[str]]) -> dict[str, float]:
    """A weight for each word of the question: the fewer sentences say it, the more it tells."""
    counts = Counter(word for found in said for word in found & wanted)
    return {word: math.log(1 + len(said) / (1 + counts[word])) for word in wanted}


def share(weights: dict[str, float], found: set[str]) -> float:
    """The weighted share of the question's words among ``found``; 0 when it has none."""
    total = sum(weights.values())
    return sum(weight for word, weight in weights.items() if word in found) / total if total else 0.0


def judged(question: Question, reading: Reading, similarity: float) -> ScoredSentence:
    covered = (1 - PASSAGE_SHARE) * reading.coverage + PASSAGE_SHARE * reading.passage_coverage
    score = SIMILARITY_WEIGHT * similarity + (1 - SIMILARITY_WEIGHT) * covered
    score += asked_kind(question, reading.text) * ASKED_KIND_BONUS - RANK_PRIOR * math.log(reading.quote.n)
    return ScoredSentence(
        reading.quote, reading.text, score, similarity, reading.coverage, reading.passage_coverage
    )


def asked_kind(question: Question, text: str) -> bool:
    """Whether the sentence holds a thing of the asked kind that the question does not name itself."""
    asked = question.text.casefold()
    if any(cue in asked for cue in ("how many", "how much", "when ", "what year", "which year", "percent")):
        return bool(numbers(text) - question.numbers)
    if asked.startswith(("who", "whose", "where", "which")) or " who " in asked:
        found = words(text)
        return any(is_name(w, first=n == 0) and stem(w) not in question.stems for n, w in enumerate(found))
    return False


def conclude(question: Question, scored: list[ScoredSentence], sources: Sequence[Source]) -> Assessment:
    mentioned = set().union(*(stems(surrounding(source)) for source in sources))
    counted = set().union(*(numbers(surrounding(source)) for source in sources))
    best = scored[0]
    return Assessment(
        sentences=tuple(scored),
        coverage=best.passage_coverage,
        similarity=max(sentence.similarity for sentence in scored),
        missing_names=tuple(sorted(question.names - mentioned)),
        missing_numbers=tuple(sorted(question.numbers - counted)),
    )


def no_vectors(texts: Sequence[str]) -> Any:
    """In the place of an embedder where no engine can run: words alone decide."""
    return []
