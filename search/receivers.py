"""What the read way does when something happens to documents."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import pre_delete
from django.dispatch import receiver

from documents.models import Document
from search import golden, recording


@receiver(pre_delete, sender=Document, dispatch_uid="search.withdraw_quotes")
def withdraw_quotes(instance: Document, **kwargs: Any) -> None:
    """Before, not after: when the row is gone its citations no longer know which document they quote."""
    recording.quotes_withdraw(document=instance.pk)


@receiver(pre_delete, sender=Document, dispatch_uid="search.withdraw_golden_answers")
def withdraw_golden_answers(instance: Document, **kwargs: Any) -> None:
    """Before, too: afterwards no question knows which document it expected."""
    golden.answers_withdraw(document=instance.pk)
