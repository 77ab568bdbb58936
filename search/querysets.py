"""How conversations and answers are found: each belongs to the one who asked. Golden questions belong to
the collection that they measure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q

if TYPE_CHECKING:
    from documents.querysets import User


class ConversationQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        return self.filter(owner=user) if user.is_authenticated else self.none()

    def about(self, text: str) -> Self:
        """Those that have ``text`` in their title, or in a question."""
        from search.models import Answer

        asked = Answer.objects.filter(conversation=OuterRef("pk"), question__icontains=text)
        return self.filter(Q(title__icontains=text) | Q(Exists(asked.order_by())))

    def counted(self) -> Self:
        """Each with the number of its ``questions``: one that was asked again is one."""
        rows = self.annotate(questions=models.Count("answers", filter=Q(answers__replaces=None)))
        return rows.order_by("-updated_at", "id")


class AnswerQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        return self.filter(asked_by=user) if user.is_authenticated else self.none()


class GoldenQuestionQuerySet(models.QuerySet[Any]):
    def manageable_by(self, user: User) -> Self:
        from documents.models import Collection

        return self.filter(collection__in=Collection.objects.manageable_by(user).values("pk"))

    def askable(self) -> Self:
        """Those with an expected document that a search in the collection could find."""
        return self.filter(Exists(expected_here()))

    def without_document(self) -> Self:
        """Answerable ones that cannot be measured: what was expected is gone, moved or not read yet."""
        return self.filter(answerable=True).exclude(Exists(expected_here()))


def expected_here() -> models.QuerySet[Any]:
    from search.models import GoldenDocument

    return GoldenDocument.objects.filter(
        question=OuterRef("pk"), document__collection=OuterRef("collection"), document__chunk_count__gt=0
    )


class GoldenRunQuerySet(models.QuerySet[Any]):
    def latest_of_each(self) -> Self:
        """The last run of each collection, whatever became of it."""
        return self.order_by("collection_id", "-created_at", "-id").distinct("collection_id")
