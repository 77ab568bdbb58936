"""How often a collection answered lately."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils.timezone import now

from documents.models import Collection
from search.models import Answer, Citation, Conversation
from search.templatetags.asked import asked_lately


@pytest.mark.django_db
def test_answers_of_the_last_month_count_once_each(bob: User, collection: Collection, upload: object) -> None:
    document = upload(collection, "Words.")  # type: ignore[operator]
    talk = Conversation.objects.create(owner=bob, title="Words")
    for age, cited in ((1, 2), (3, 1), (40, 1), (2, 0)):
        answer = Answer.objects.create(conversation=talk, asked_by=bob, question="?")
        Answer.objects.filter(pk=answer.pk).update(created_at=now() - timedelta(days=age))
        for n in range(cited):
            Citation.objects.create(
                answer=answer,
                n=n + 1,
                document=document,
                chunk_id=1,
                content_hash="a",
                page=1,
                start=0,
                end=1,
            )
    assert asked_lately(collection) == 2
