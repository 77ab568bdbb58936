"""What ``manage.py calibrate`` does: questions with ``answerable`` marks teach when to answer.

Each question is asked as any other; each answerable one once more with its own documents left out, as a
question to which the collection has no answer. The weights are those of a logistic regression, the threshold
is the one that gives the best F1 of refusals where the regression had not seen the question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search import pipeline
from search.abstention import DEFAULT, Features, Parameters, logistic
from search.evaluation import corpus, read_questions
from search.generation.assessing import assessed
from search.metrics import Stopwatch
from search.models import Calibration
from search.questions import Question
from search.rewriting import standalone
from search.scores import refusal_scores
from search.types import Filters, Hit, SearchRequest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Report = Callable[[int, int], None]

#: Passages that are fetched, for enough to be left without a question's own documents.
FETCHED = 40
FOLDS = 5
SEED = 0
#: Of the ridge that keeps weights small where a feature never varies.
RIDGE = 1.0
STEPS = 30
THRESHOLDS = tuple(step / 100 for step in range(5, 96))
#: Of the answerable questions at most this share may be refused: that is what readers notice first.
MOST_REFUSED = 0.03
#: Fewer of either kind teach nothing.
LEAST = 20


@dataclass(frozen=True, slots=True)
class Case:
    """A question; without features where it is refused whatever is learned."""

    features: Features | None
    answerable: bool


@dataclass(frozen=True, slots=True)
class Fitted:
    """``before`` and ``after`` on questions held out: with the default, and with what was learned."""

    parameters: Parameters
    before: dict[str, float | None]
    after: dict[str, float | None]
    questions: int


class TooFewQuestions(ValueError):
    """There are not enough answerable or unanswerable questions to learn from."""


# --- Cases ------------------------------------------------------------------------------------


def cases_of(folder: Path, questions: Sequence[Path], user: User, report: Report | None = None) -> list[Case]:
    """The questions of an evaluation folder, and of further files about its corpus."""
    files = [folder / "questions.jsonl", *questions]
    asked = [question for path in files for question in read_questions(path)]
    collection = corpus(folder, user)
    names = dict(collection.documents.values_list("pk", "filename"))
    found: list[Case] = []
    for done, question in enumerate(asked, 1):
        hits = hits_for(question, Filters(collections=(collection.slug,)), collection.owner)
        found.append(case(question.text, hits, question.answerable))
        if question.documents:
            others = [hit for hit in hits if names.get(hit.document_id) not in question.documents]
            found.append(case(question.text, others, answerable=False))
        if report:
            report(done, len(asked))
    return found


def hits_for(question: Question, filters: Filters, user: User) -> Sequence[Hit]:
    request = SearchRequest(standalone(question.text, ()), "hybrid", filters, FETCHED, plain=True)
    return pipeline.found(request, user, Stopwatch()).hits


def case(question: str, hits: Sequence[Hit], answerable: bool) -> Case:
    assessment = assessed(standalone(question, ()), pipeline.sources_of(hits))
    return Case(Features.of(assessment), answerable)


# --- Learning ---------------------------------------------------------------------------------


def fitted(cases: Sequence[Case]) -> Fitted:
    """Raises ``TooFewQuestions``."""
    known = [(each.features, each.answerable) for each in cases if each.features]
    able = np.array([answerable for _, answerable in known], dtype=bool)
    if min(able.sum(), (~able).sum()) < LEAST:
        raise TooFewQuestions(f"At least {LEAST} questions with an answer and {LEAST} without are needed.")
    rows = np.array([list(asdict(features).values()) for features, _ in known])
    held_out = held_out_confidence(rows, able)
    threshold = best_threshold(held_out, able)
    *weights, intercept = (round(float(weight), 3) for weight in regression(rows, able))
    default = np.array([logistic(features, DEFAULT) for features, _ in known])
    return Fitted(
        Parameters(Features(*weights), intercept, threshold),
        before=scored(cases, default < DEFAULT.threshold),
        after=scored(cases, held_out < threshold),
        questions=len(cases),
    )


def scored(cases: Sequence[Case], refused: NDArray[np.bool_]) -> dict[str, float | None]:
    """``refused`` is of the cases with features, in their order; the others are refused in any case."""
    decided = iter(refused)
    no = [bool(next(decided)) if each.features else True for each in cases]
    return refusal_scores(no, [each.answerable for each in cases])


def held_out_confidence(rows: Floats, able: NDArray[np.bool_]) -> Floats:
    """Each case's confidence by a regression that did not see it."""
    order = np.random.default_rng(SEED).permutation(len(rows))
    found = np.zeros(len(rows))
    for fold in range(FOLDS):
        out = order[fold::FOLDS]
        seen = np.setdiff1d(order, out)
        found[out] = probability(rows[out], regression(rows[seen], able[seen]))
    return found


def regression(rows: Floats, able: NDArray[np.bool_]) -> Floats:
    """Weights, the intercept last: ridge logistic regression by Newton's method, both classes alike."""
    design = np.c_[rows, np.ones(len(rows))]
    share = able.mean()
    weight = np.where(able, 0.5 / share, 0.5 / (1 - share))
    ridge = RIDGE * np.eye(design.shape[1])
    ridge[-1, -1] = 1e-6
    found = np.zeros(design.shape[1])
    for _ in range(STEPS):
        chance = probability(rows, found)
        slope = design.T @ (weight * (able - chance)) - ridge @ found
        curve = (design * (weight * chance * (1 - chance))[:, None]).T @ design + ridge
        found = found + np.linalg.solve(curve, slope)
    return found


def probability(rows: Floats, weights: Floats) -> Floats:
    total = np.clip(rows @ weights[:-1] + weights[-1], -50, 50)
    found: Floats = 1 / (1 + np.exp(-total))
    return found


def best_threshold(confidence: Floats, able: NDArray[np.bool_]) -> float:
    """Of those that refuse few answerable questions the one with the best F1; the middle of equals."""
    scores = {
        at: refusal_scores(list(confidence < at), list(able))["refusal_f1"] or 0.0
        for at in THRESHOLDS
        if ((confidence < at) & able).sum() <= MOST_REFUSED * able.sum()
    }
    best = [at for at, score in scores.items() if score == max(scores.values())]
    return best[len(best) // 2] if best else THRESHOLDS[0]


def calibration_save(*, fitted: Fitted, origin: str) -> Calibration:
    """From now on it decides."""
    return Calibration.objects.create(
        parameters=fitted.parameters.as_json(),
        before=fitted.before,
        after=fitted.after,
        questions=fitted.questions,
        origin=origin[:500],
    )


def as_lines(fitted: Fitted) -> list[str]:
    """For people: the weights, and the scores before and after."""
    weights: dict[str, Any] = asdict(fitted.parameters.weights)
    return [
        f"{'questions':20}{fitted.questions}",
        *(f"{name:20}{weight:+.3f}" for name, weight in weights.items()),
        f"{'intercept':20}{fitted.parameters.intercept:+.3f}",
        f"{'threshold':20}{fitted.parameters.threshold:.2f}",
        *(
            f"{name:20}{fitted.before[name] or 0:.3f} → {value or 0:.3f}"
            for name, value in fitted.after.items()
        ),
    ]
