"""Whether to answer at all: how sure it is that the sources answer, and what is said when they do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from documents.quoting import quoted
from search.generation.scoring import Assessment
from search.models import Calibration
from search.types import Hit, Refusal, Source

#: Passages that are shown where there is no answer.
CLOSEST = 3


@dataclass(frozen=True, slots=True)
class Features:
    """What the confidence rests on where no rule decides; each from 0 to 1.

    ``similarity`` is the cosine of question and nearest sentence, ``coverage`` the share of the question's
    words (rare ones count more) in the best sentence, ``passage`` the same for its passage, ``kind`` whether
    the sentence holds a thing of the asked kind.
    """

    similarity: float
    coverage: float
    passage: float
    kind: float

    @classmethod
    def of(cls, assessment: Assessment) -> Features | None:
        """None where a rule decides: nothing to read, something named is missing, a quantity untold."""
        if not assessment.sentences or assessment.missing or assessment.apart or assessment.untold:
            return None
        return cls(
            similarity=max(assessment.similarity or 0.0, 0.0),
            coverage=assessment.sentences[0].coverage,
            passage=assessment.sentences[0].passage_coverage,
            kind=float(assessment.holds_kind),
        )


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of a logistic regression over ``Features``, and the confidence from which on there is an answer."""

    weights: Features
    intercept: float
    threshold: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Parameters:
        """Raises ``KeyError`` or ``TypeError`` for what is none."""
        weights = Features(**{field.name: float(given["weights"][field.name]) for field in fields(Features)})
        return cls(weights, float(given["intercept"]), float(given["threshold"]))


#: Fitted by ``manage.py calibrate`` (docs/evaluation.md says on what).
DEFAULT = Parameters(
    weights=Features(similarity=8.591, coverage=3.291, passage=3.281, kind=-0.213),
    intercept=-7.275,
    threshold=0.3,
)
#: Where no engine can run: words alone.
BY_WORDS = Parameters(
    weights=Features(similarity=0.0, coverage=6.0, passage=6.0, kind=0.5), intercept=-6.5, threshold=0.5
)


def parameters() -> Parameters:
    """Those of the latest calibration, else the default."""
    latest = Calibration.objects.values_list("parameters", flat=True).first()
    return Parameters.from_json(latest) if latest else DEFAULT


def confidence(assessment: Assessment, by: Parameters) -> float:
    """How sure it is that the sources answer, from 0 to 1; 0 where ``Features`` has none."""
    features = Features.of(assessment)
    if features is None:
        return 0.0
    return logistic(features, BY_WORDS if assessment.similarity is None else by)


def logistic(features: Features, by: Parameters) -> float:
    pairs = zip(asdict(features).values(), asdict(by.weights).values(), strict=True)
    total = by.intercept + sum(value * weight for value, weight in pairs)
    return 1 / (1 + math.exp(-max(min(total, 50.0), -50.0)))


def refusal(
    assessment: Assessment, sources: Sequence[Source], by: Parameters, *, only_missing: bool = False
) -> Refusal | None:
    """Why there is no answer, when there is none.

    ``only_missing``: a language model may find what sentences do not show, and is not asked only where
    something that the question names is in none of the sources.
    """
    if not sources:
        return Refusal("nothing", missing=assessment.missing)
    threshold = BY_WORDS.threshold if assessment.similarity is None else by.threshold
    if confidence(assessment, by) >= threshold or (only_missing and not assessment.missing):
        return None
    return Refusal(
        code="missing" if assessment.missing or assessment.apart else "unsure",
        missing=assessment.missing,
        apart=assessment.apart,
        closest=closest(assessment, sources),
    )


def unanswered(assessment: Assessment, sources: Sequence[Source], *, dropped: bool = False) -> Refusal:
    """The generator found no answer in the sources, or nothing of what it wrote could be backed."""
    return Refusal("unsupported" if dropped else "unsure", closest=closest(assessment, sources))


def closest(assessment: Assessment, sources: Sequence[Source]) -> tuple[Hit, ...]:
    """The passages of the best sentences, then those that were found first."""
    by_number = {source.n: source.hit for source in sources}
    order = dict.fromkeys([*(sentence.quote.n for sentence in assessment.sentences), *by_number])
    return tuple(by_number[n] for n in list(order)[:CLOSEST] if n in by_number)


def said(code: str, missing: Sequence[str] = (), apart: Sequence[str] = ()) -> str:
    """A refusal in words, for the reader's language."""
    if code == "nothing":
        return _("No passage was found that could answer it.")
    if missing:
        text = ngettext(
            "No passage that was found mentions %(names)s.",
            "No passage that was found mentions any of %(names)s.",
            len(missing),
        )
        return text % {"names": quoted(*missing)}
    if apart:
        return _("No passage that was found tells this of %(names)s.") % {"names": quoted(*apart)}
    if code == "unsupported":
        return _("What the language model wrote is not backed by any passage.")
    return _("The passages that were found do not answer it.")
