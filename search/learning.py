"""What ``manage.py tune`` does: a collection's questions teach the fusion its parameters.

The legs are asked once for each question; every trial fuses what they brought anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now

from documents.models import Collection
from documents.statements import snapshot
from search import fusion
from search.evaluation import once, read_questions
from search.golden import located, questions_of
from search.golden_files import Corpus
from search.metrics import Stopwatch
from search.models import Tuning
from search.questions import Place, Problem, Question, QuestionsRefused
from search.retrieval import ask, retrieve
from search.scores import ndcg, retrieval_scores
from search.tuning import Best, Parameters, space_of, tuned
from search.types import Filters, Legs, SearchRequest

Report = Callable[[int, int], None]
#: What is made as high as it goes.
OBJECTIVE = "ndcg@10"


@dataclass(frozen=True, slots=True)
class Case:
    """A question, what each leg brought for it, and where those passages stand."""

    question: Question
    legs: Legs
    places: dict[int, Place]

    def ranking(self, parameters: Parameters) -> tuple[list[Any], set[Any]]:
        """Ranked and relevant: pages where they are known, else documents."""
        places = [
            self.places[each.chunk_id]
            for each in fusion.fuse(self.legs, fusion.Weights(**parameters))
            if each.chunk_id in self.places
        ]
        if self.question.pages:
            return once(places), self.question.pages
        return once(document for document, _page in places), self.question.documents


def default_parameters() -> dict[str, float]:
    return asdict(fusion.DEFAULT)


# --- Learning -------------------------------------------------------------------------------


def learn(
    *, collection: Collection, folder: Path | None = None, report: Report | None = None
) -> tuple[Tuning | None, Best]:
    """Learn from the golden questions, or from those of an evaluation folder, and keep what was learned.

    No tuning is kept without any question. Raises ``QuestionsRefused`` when the folder names documents
    that the collection has not.
    """
    questions = questions_of(collection) if folder is None else questions_in(folder, collection)
    cases = gathered(questions, collection, report)
    best = tuned(cases, score, space_of(default_parameters()))
    return (tuning_save(collection=collection, cases=cases, best=best) if cases else None), best


def questions_in(folder: Path, collection: Collection) -> list[Question]:
    """The folder's questions that have documents, with those of the collection in place of the names."""
    corpus = Corpus(collection)
    questions, problems = [], []
    for question in read_questions(folder / "questions.jsonl"):
        try:
            relevant = tuple((str(corpus.named(name).pk), page) for name, page in question.relevant)
        except ValidationError as error:
            problems += [Problem(question.line, message) for message in error.messages]
        else:
            questions += [Question(question.text, relevant)] if relevant else []
    if problems:
        raise QuestionsRefused(problems)
    return questions


def gathered(questions: Sequence[Question], collection: Collection, report: Report | None) -> list[Case]:
    """The legs are asked as the owner would; what they bring is kept for every trial."""
    cases = []
    for done, question in enumerate(questions, 1):
        request = SearchRequest(question.text, filters=Filters(collections=(collection.slug,)))
        with snapshot():
            legs = retrieve(ask(request, collection.owner, Stopwatch()), collection.owner, Stopwatch())
        cases.append(Case(question, legs, located(each.chunk_id for each in fusion.fuse(legs))))
        if report:
            report(done, len(questions))
    return cases


def score(case: Case, parameters: Parameters) -> float:
    return ndcg(*case.ranking(parameters))


@transaction.atomic
def tuning_save(*, collection: Collection, cases: Sequence[Case], best: Best) -> Tuning:
    """One for a collection; without parameters where the default stood."""
    default = default_parameters()
    before = retrieval_scores([case.ranking(default) for case in cases])
    held_out = zip(cases, best.held_out, strict=True)
    given = {
        "parameters": {} if best.kept else best.parameters,
        "before": before,
        "after": before if best.kept else retrieval_scores([case.ranking(each) for case, each in held_out]),
        "questions": len(cases),
        "created_at": Now(),
    }
    tuning, _ = Tuning.objects.update_or_create(collection=collection, defaults=given)
    return tuning
