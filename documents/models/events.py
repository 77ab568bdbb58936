"""What happened to a document."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from documents.models.documents import Document


class EventKind(models.TextChoices):
    UPLOADED = "uploaded", _("uploaded")
    READ = "read", _("read")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")
    REINDEXED = "reindexed", _("reading asked for again")
    REPLACED = "replaced", _("file replaced")
    RENAMED = "renamed", _("renamed")
    MOVED = "moved", _("moved")
    TAGGED = "tagged", _("tags changed")
    DESCRIBED = "described", _("described")


class DocumentEvent(models.Model):
    """One step of a document's life, written in the transaction that takes it; goes with the document."""

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="events", db_index=False)
    #: Who did it; nobody: the portal itself, or somebody whose account is gone.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=10, choices=EventKind)
    at = models.DateTimeField(db_default=Now(), editable=False)
    #: Small, and nothing of what is in the document: names, counts, the reason of a failure.
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=EventKind.values), name="event_kind_known")
        ]
        indexes = [models.Index(fields=["document", "-id"], name="event_by_document")]

    def __str__(self) -> str:
        return f"{self.document_id} {self.kind}"
