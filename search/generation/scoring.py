"""How well each sentence of the sources answers a question, and what of the question none of them mentions.

Three views of every sentence: its vector's nearness to the question, the share of the question's words (rare
ones count more) that it or its passage mentions, and whether its passage mentions what the question names.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from documents.sentences import sentences
from search.answer_kind import AnswerKind, kind_of, things
from search.mentions import Demand, demands, is_year, missing
from search.quantities import Quantity, asked_for, may_tell
from search.types import Assessment, Quote, ScoredSentence, Source
from search.words import content_words, stem, stems

Embed = Callable[[Sequence[str]], Any]

SHORTEST, LONGEST = 15, 900
#: What a list item or a heading begins with; matches nothing where there is none.
MARKER = re.compile(r"(?:[•▪◦‣·*#>–-]+\s+|\(?\d{1,2}[.)]\s+)?")
#: Such a sentence is about what the one before it names.
POINTS_BACK = re.compile(r"(?:It|They|He|She|This|These|Those|Its|Their|His|Her|Both|Such)\b")
FURTHEST_BACK = 2
#: Several sentences are quoted together only where that says clearly more than one of them.
TOGETHER_PENALTY = 0.05
#: A row of a table: cells that are parted, or figures.
CELLS = re.compile(r"\t| \| |\s{3,}|(?<!\w)[($€£-]*\d[\d,.]*[)%]?(?!\w)")
LEAST_CELLS = 2
#: The question may be about several things, of which each has a passage of its own.
JOINED = re.compile(r"\b(?:and|or|both|between|versus|vs|than|compare[ds]?|difference)\b", re.IGNORECASE)
#: Only so many sentences are embedded, the best by their words: 32 chose no better, and took longer.
MAX_EMBEDDED = 20
SIMILARITY_WEIGHT = 0.6
PASSAGE_SHARE = 0.35
RANK_PRIOR = 0.03
ASKED_KIND_BONUS = 0.06
#: Another passage mentions what this one does not, and the question names.
MISSING_PENALTY = 0.15


@dataclass(frozen=True, slots=True)
class Question:
    """A question, taken apart."""

    text: str
    stems: frozenset[str]
    demands: tuple[Demand, ...]
    kind: AnswerKind
    #: Of one of these a number is asked for.
    quantities: tuple[Quantity, ...]

    @classmethod
    def of(cls, text: str) -> Question:
        kind = kind_of(text)
        quantities = asked_for(text) if kind == "number" else ()
        return cls(text, frozenset(map(stem, content_words(text))), demands(text), kind, quantities)


@dataclass(frozen=True, slots=True)
class Reading:
    """A candidate sentence before its vector is known."""

    quote: Quote
    text: str
    context: str
    coverage: float
    passage_coverage: float
    missing: int
    #: Whether it is several sentences.
    together: bool


def assess(text: str, sources: Sequence[Source], embed: Embed | None) -> Assessment:
    """Scores the sentences of ``sources``. ``embed`` gives unit vectors; None: words alone decide."""
    question = Question.of(text)
    readings = read(question, sources)
    if not readings:
        return Assessment((), missing=tuple(demand.text for demand in question.demands))
    chosen = sorted(readings, key=lambda r: (r.missing, -r.coverage, r.quote.n))[:MAX_EMBEDDED]
    similarities = [0.0] * len(chosen)
    if embed:
        vectors = embed([text, *(reading.context for reading in chosen)])
        similarities = [float(value) for value in vectors[1:] @ vectors[0]]
    scored = sorted(
        (judged(question, reading, near) for reading, near in zip(chosen, similarities, strict=True)),
        key=lambda sentence: -sentence.score,
    )
    return conclude(question, scored, sources, max(similarities) if embed else None)


def read(question: Question, sources: Sequence[Source]) -> list[Reading]:
    parts = [(source, span) for source in sources for span in spans(source.hit.text)]
    said = [stems(source.hit.text[start:end]) for source, (start, end) in parts]
    weights = rarity(question.stems, said)
    around = {source.n: surrounding(source) for source in sources}
    held = {n: stems(text) for n, text in around.items()}
    lacking = {n: len(missing(question.demands, text)) for n, text in around.items()}
    least = min(lacking.values(), default=0)
    return [
        Reading(
            quote=Quote(source.n, start, end),
            text=source.hit.text[start:end],
            context=f"{source.hit.document_title}: {source.hit.text[start:end]}",
            coverage=share(weights, found),
            passage_coverage=share(weights, held[source.n]),
            missing=lacking[source.n] - least,
            together=len(sentences(source.hit.text[start:end])) > 1,
        )
        for (source, (start, end)), found in zip(parts, said, strict=True)
    ]


def spans(text: str) -> list[tuple[int, int]]:
    """What can be quoted: sentences without their bullet or number, rows of tables one by one.

    A sentence that points back also comes together with those before it, from the one that names its subject.
    """
    found = [
        (marker_end(text, start, end), end) for each in sentences(text) for start, end in rows(text, each)
    ]
    together = [
        (found[first][0], found[number][1])
        for number in range(1, len(found))
        if (first := subject_of(text, found, number)) < number
    ]
    return [(start, end) for start, end in (*found, *together) if SHORTEST <= end - start <= LONGEST]


def subject_of(text: str, found: Sequence[tuple[int, int]], number: int) -> int:
    """The number of the sentence that names what this one points back to; its own where it does not."""
    first = number
    while first > max(number - FURTHEST_BACK, 0) and POINTS_BACK.match(text, found[first][0]):
        if text[found[first - 1][1] - 1] not in ".!?":
            break
        first -= 1
    return first


def rows(text: str, span: tuple[int, int]) -> list[tuple[int, int]]:
    """The lines of ``span`` one by one where most are rows of a table, else all of it."""
    lines, start = [], span[0]
    for line in text[slice(*span)].split("\n"):
        if line.strip():
            lines.append((start + len(line) - len(line.lstrip()), start + len(line.rstrip())))
        start += len(line) + 1
    like = [line for line in lines if len(CELLS.findall(text, *line)) >= LEAST_CELLS]
    return lines if len(lines) > 1 and len(like) * 2 > len(lines) else [span]


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
    score += holds_kind(question, reading.text) * ASKED_KIND_BONUS - RANK_PRIOR * math.log(reading.quote.n)
    score -= MISSING_PENALTY * bool(reading.missing) + TOGETHER_PENALTY * reading.together
    return ScoredSentence(
        reading.quote, reading.text, score, similarity, reading.coverage, reading.passage_coverage
    )


def holds_kind(question: Question, text: str) -> bool:
    """Whether the sentence holds a thing of the asked kind that the question does not name itself."""
    asked = stems(question.text)
    return any(not stems(text[start:end]) <= asked for start, end in things(text, question.kind))


def conclude(
    question: Question, scored: list[ScoredSentence], sources: Sequence[Source], similarity: float | None
) -> Assessment:
    around = {source.n: surrounding(source) for source in sources}
    best = scored[0]
    nowhere = missing(question.demands, " ".join(around.values()))
    # A year may be told by a table's head, and of two things that are compared another passage may tell.
    alone = () if JOINED.search(question.text) else tuple(d for d in question.demands if not is_year(d))
    here = missing(alone, around[best.quote.n])
    return Assessment(
        sentences=tuple(scored),
        similarity=similarity,
        missing=nowhere,
        apart=tuple(each for each in here if each not in nowhere),
        holds_kind=question.kind == "text" or holds_kind(question, best.text),
        untold=not may_tell(question.quantities, around[best.quote.n]),
    )
