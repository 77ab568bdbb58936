"""Golden questions made of answers that somebody was given."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from documents.models import Collection, Document
from search import golden
from search.models import Answer, Citation, Feedback, GoldenQuestion
from search.representation import wording

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def homes_of(answer: Answer) -> list[Collection]:
    """The collections that the question may be kept in: those of its citations; for one that cites nothing
    those that it was asked in, else all that its asker sees.
    """
    cited = answer.citations.filter(withdrawn=False, document__isnull=False)
    if homes := list(Collection.objects.but_bins().filter(documents__in=cited.values("document")).distinct()):
        return homes
    scope = answer.scope
    visible = Collection.objects.visible_to(answer.asked_by)
    if documents := scope.get("documents"):
        return list(visible.filter(documents__in=[UUID(pk) for pk in documents]).distinct())
    return list(visible.filter(slug__in=scope["collections"]) if scope.get("collections") else visible)


@transaction.atomic
def answer_keep(*, answer: Answer, collection: Collection, user: User) -> tuple[GoldenQuestion, bool]:
    """The golden question that this answer makes in the collection, and whether it is new.

    Raises ``ValidationError`` for a question that cannot be one.
    """
    Answer.objects.select_for_update(of=("self",)).get(pk=answer.pk)  # two clicks make one question
    origin = f"answer:{answer.pk}"
    if kept := GoldenQuestion.objects.filter(collection=collection, origin=origin).first():
        return kept, False
    answerable = is_answerable(answer)
    made = golden.question_create(
        collection=collection,
        question=answer.receipt.get("standalone") or answer.question,
        answer=short_answer(answer, collection) if answerable else "",
        answerable=answerable,
        expected=expected_of(answer, collection) if answerable else (),
        origin=origin,
        user=user,
    )
    return made, True


def is_answerable(answer: Answer) -> bool:
    """Whether there is an answer: as the portal found, unless its asker knew better."""
    given = Feedback.objects.filter(answer=answer).first()
    said = given.category if given else ""
    if said == Feedback.Category.SHOULD_REFUSE:
        return False
    return said == Feedback.Category.SHOULD_ANSWER or not answer.abstained


def short_answer(answer: Answer, collection: Collection) -> str:
    """The exact answer where one is marked, else the sentences; only what rests on the collection alone."""
    here = set(cited_in(answer, collection).values_list("n", flat=True))
    backed = [each for each in answer.sentences if each["citations"] and here.issuperset(each["citations"])]
    for sentence in backed:
        if span := sentence.get("span"):
            return str(sentence["text"][span[0] : span[1]])
    return wording(backed)


def expected_of(answer: Answer, collection: Collection) -> list[tuple[Document, int | None]]:
    """What it cites in the collection, each document and page once."""
    rows = cited_in(answer, collection).select_related("document")
    pairs = dict.fromkeys((row.document, row.page) for row in rows if row.document)
    return [(document, page if page <= (document.page_count or page) else None) for document, page in pairs]


def cited_in(answer: Answer, collection: Collection) -> QuerySet[Citation]:
    return answer.citations.filter(withdrawn=False, document__collection=collection)
