"""What is remembered of uploads."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from documents.models.documents import Document


class IdempotencyKey(models.Model):
    """What an ``Idempotency-Key`` was used for, so that a repeated upload gets the first answer."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return self.key
