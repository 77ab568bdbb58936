"""The embedded default: answers with sentences of the sources, verbatim, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from documents.embedding.registry import get_embedder
from documents.exceptions import EmbeddingUnavailable
from documents.spaces import active_space, check_weights
from search.generation.scoring import Assessment, ScoredSentence, assess, no_vectors
from search.types import DraftSentence, GenerationRequest, Piece, Selected, Token
from search.words import stems

MAX_SENTENCES = 4
WORDS_PER_TOKEN = 3
#: A further sentence is quoted when it scores nearly like the best one.
NEARLY = 0.9
#: Two sentences that share more of their words than this say the same.
SAME = 0.7

#: Confidence below which there is no answer. Chosen on 1,190 questions over 36 encyclopaedia articles.
THRESHOLD = 0.43
THRESHOLD_BY_WORDS = 0.55
COVERAGE_SHARE = 0.4
MISSING_PENALTY = 0.1


class ExtractiveGenerator:
    """Quotes the sentences that answer, each with its source."""

    name = "extractive"
    remote = False

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        chosen = choose(assessed(request))
        yield Selected(tuple(sentence.quote for sentence in chosen))
        for sentence in chosen:
            text = " ".join(sentence.text.split())
            yield from tokens(text)
            yield DraftSentence(text, quotes=(sentence.quote,), cited=(sentence.quote.n,))


def assessed(request: GenerationRequest) -> tuple[Assessment, float]:
    """The judgement, and the confidence that it has to reach."""
    try:
        return assess(request.question, request.sources, embed), THRESHOLD
    except EmbeddingUnavailable:
        return assess(request.question, request.sources, no_vectors), THRESHOLD_BY_WORDS


def embed(texts: Sequence[str]) -> Any:
    space = active_space()
    if space is None:
        raise EmbeddingUnavailable
    check_weights(space)
    return get_embedder(space.model).embed(texts)


def choose(judged: tuple[Assessment, float]) -> list[ScoredSentence]:
    """The sentences to quote, best first; none when nothing supports an answer."""
    assessment, threshold = judged
    if not assessment.sentences or confidence(assessment, threshold) < threshold:
        return []
    best = assessment.sentences[0]
    chosen: list[ScoredSentence] = []
    for sentence in assessment.sentences:
        if len(chosen) == MAX_SENTENCES or sentence.score < NEARLY * best.score:
            break
        if not any(alike(sentence.text, earlier.text) for earlier in chosen):
            chosen.append(sentence)
    return chosen


def confidence(assessment: Assessment, threshold: float) -> float:
    """How sure it is that the sources answer: nearness and coverage; what they never name counts against."""
    missing = len(assessment.missing_names) + len(assessment.missing_numbers)
    penalty = MISSING_PENALTY if missing else 0.0
    if threshold == THRESHOLD_BY_WORDS:
        return assessment.coverage - penalty
    return (1 - COVERAGE_SHARE) * assessment.similarity + COVERAGE_SHARE * assessment.coverage - penalty


def alike(text: str, other: str) -> bool:
    first, second = stems(text), stems(other)
    return len(first & second) > SAME * min(len(first), len(second))


def tokens(text: str) -> Iterator[Token]:
    """The sentence a few words at a time, with the blank that follows each."""
    said = text.split(" ")
    for start in range(0, len(said), WORDS_PER_TOKEN):
        yield Token(" ".join(said[start : start + WORDS_PER_TOKEN]) + " ")
