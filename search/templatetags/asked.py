"""What pages about documents say of questions: the layer below knows nothing of them."""

from __future__ import annotations

from datetime import timedelta

from django import template
from django.utils.timezone import now

from documents.models import Collection
from search.models import Answer

register = template.Library()
LATELY = timedelta(days=30)


@register.simple_tag
def asked_lately(collection: Collection) -> int:
    """How many answers of the last 30 days cite its documents, whoever asked."""
    answers = Answer.objects.filter(
        created_at__gt=now() - LATELY, citations__document__collection=collection.pk
    )
    return answers.distinct().count()
