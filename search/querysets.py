"""How conversations and answers are found: each belongs to the one who asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models

if TYPE_CHECKING:
    from documents.querysets import User


class ConversationQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        return self.filter(owner=user) if user.is_authenticated else self.none()


class AnswerQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        return self.filter(asked_by=user) if user.is_authenticated else self.none()
