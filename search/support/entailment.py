"""Whether a span means what a sentence says: the seam, and the judge that needs no model of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from documents.exceptions import EmbeddingUnavailable
from search.generation.assessing import embed

#: Cosine of sentence and span: from here on one carries the other, and below here it does not.
NEAR = 0.8
FAR = 0.4
NLI = "search.support.nli.NliJudge"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``unlike``: too far in meaning for shared words to count. None of them set: undecided."""

    entails: bool = False
    contradicts: bool = False
    unlike: bool = False


class Entailment(Protocol):
    """Reads a claim beside spans that may carry it."""

    def judge(self, claim: str, premises: Sequence[str]) -> list[Verdict]:
        """One verdict for each premise. Undecided where it cannot run."""
        ...


class SimilarityJudge:
    """By the embedding model. Nearness is no entailment: it does not see a "not" or another number."""

    def judge(self, claim: str, premises: Sequence[str]) -> list[Verdict]:
        try:
            vectors = embed([claim, *premises])
        except EmbeddingUnavailable:
            return [Verdict()] * len(premises)
        near = [float(value) for value in vectors[1:] @ vectors[0]]
        return [Verdict(entails=value >= NEAR, unlike=value < FAR) for value in near]


@cache
def get_entailment() -> Entailment:
    """The NLI model when ``NLI_MODEL`` names one, else nearness."""
    if settings.NLI_MODEL:
        judge: Entailment = import_string(NLI)(settings.NLI_MODEL)
        return judge
    return SimilarityJudge()
