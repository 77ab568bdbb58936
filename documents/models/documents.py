"""Documents: the file, what is known of it, how far its job is; what was attached, what was deleted."""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now, Upper
from django.utils.translation import gettext_lazy as _

from documents.models.collections import Collection
from documents.querysets import DeletionQuerySet, DocumentQuerySet

TITLE_LENGTH = 300
#: Of ``metadata`` what people said: it outlives what the file says of itself.
GIVEN = ("title_given", "dated_given", "language_given", "details")


class Status(models.TextChoices):
    QUEUED = "queued", _("queued")
    PROCESSING = "processing", _("processing")
    READY = "ready", _("ready")
    FAILED = "failed", _("failed")


class Stage(models.TextChoices):
    """Where in the write way a document is; empty when it is in none."""

    NONE = "", _("none")
    PARSING = "parsing", _("reading")
    RECOGNISING = "recognising", _("recognising text")
    CHUNKING = "chunking", _("splitting")
    EMBEDDING = "embedding", _("embedding")
    STORING = "storing", _("storing")


class Quality(models.TextChoices):
    """What the quality gate (``quality``) thinks of the text that was read."""

    UNKNOWN = "", _("not measured")
    GOOD = "good", _("good")
    POOR = "poor", _("poor")


def original_path(document: Document, filename: str) -> str:
    """Where an original is kept: by id, never by a name that somebody else chose. New at every call."""
    name = f"{document.sha256[:16]}-{secrets.token_hex(4)}"
    return f"originals/{document.pk.hex[:2]}/{document.pk.hex}/{name}"


class Document(models.Model):
    """An uploaded file. Ends ``ready`` (its passages can be found) or ``failed`` with a reason."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="documents")
    title = models.CharField(_("title"), max_length=TITLE_LENGTH)
    filename = models.CharField(_("file name"), max_length=255)
    file = models.FileField(upload_to=original_path, max_length=200)
    sha256 = models.CharField(max_length=64, validators=[RegexValidator(r"^[0-9a-f]{64}$")])
    size = models.BigIntegerField(_("size in bytes"))
    kind = models.CharField(_("type"), max_length=20)
    media_type = models.CharField(max_length=100)
    page_count = models.PositiveIntegerField(_("pages"), default=0)
    chunk_count = models.PositiveIntegerField(_("passages"), default=0)
    #: The original that the present pages and passages were read from: the same as ``file``, or the
    #: one before it while its successor is on its way.
    indexed_file = models.CharField(max_length=200, blank=True, editable=False)
    indexed_kind = models.CharField(max_length=20, blank=True, editable=False)
    #: It came with a mail, and nobody asked for it by itself: it goes with that mail.
    only_attached = models.BooleanField(default=False, editable=False)
    #: The path inside the folder that it was uploaded from, or the watched one.
    source = models.CharField(max_length=1000, blank=True, editable=False)
    language = models.CharField(_("language"), max_length=10, blank=True)
    #: The day that the document bears: sent, written or published, as its file says.
    dated = models.DateField(_("date"), null=True, blank=True)
    quality = models.CharField(_("extraction quality"), max_length=10, choices=Quality, blank=True)
    characters_per_page = models.PositiveIntegerField(null=True, editable=False)
    #: Shares from 0 to 1: of pages without text, of text that no reader could make sense of.
    blank_share = models.FloatField(null=True, editable=False)
    garbled_share = models.FloatField(null=True, editable=False)
    notice = models.TextField(
        blank=True, help_text=_("What its reader should know of a document that is ready all the same.")
    )
    tags = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    stage = models.CharField(max_length=12, choices=Stage, default=Stage.NONE, blank=True)
    percent = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(100)])
    #: Of the present stage: pages read, pages recognised or passages embedded, and how many there are.
    stage_done = models.PositiveIntegerField(default=0, editable=False)
    stage_total = models.PositiveIntegerField(default=0, editable=False)
    reason = models.TextField(blank=True, help_text=_("Why it failed, in a sentence for its reader."))
    error_detail = models.TextField(blank=True, help_text=_("The traceback, for administrators."))
    #: Rises when the bytes are new or a reindex is asked for; a job for an older one stops by itself.
    content_version = models.PositiveIntegerField(default=1)
    tries = models.PositiveSmallIntegerField(default=0, help_text=_("Errors of the job itself."))
    interruptions = models.PositiveSmallIntegerField(default=0, help_text=_("Workers lost in mid-job."))

    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="uploads"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    indexed_at = models.DateTimeField(null=True, editable=False)
    #: When it was put into the bin of its collection, and by whom; it is deleted for good a little later.
    binned_at = models.DateTimeField(null=True, editable=False)
    binned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )

    objects = DocumentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["collection", "sha256"], name="document_once_per_collection"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="document_status_known"),
            models.CheckConstraint(condition=Q(stage__in=Stage.values), name="document_stage_known"),
            models.CheckConstraint(condition=Q(percent__lte=100), name="document_percent_to_100"),
            models.CheckConstraint(
                condition=~Q(status="failed") | ~Q(reason=""), name="document_failed_has_reason"
            ),
            models.CheckConstraint(
                condition=~Q(status="ready") | Q(chunk_count__gt=0), name="document_ready_has_passages"
            ),
            models.CheckConstraint(condition=Q(size__gt=0), name="document_not_empty"),
        ]
        indexes = [
            models.Index(fields=["collection", "-created_at"], name="document_by_collection"),
            models.Index(fields=["status"], name="document_by_status"),
            models.Index(fields=["collection", "source"], condition=~Q(source=""), name="document_by_source"),
            GinIndex(fields=["tags"], name="document_tags_gin"),
            GinIndex(OpClass(Upper("title"), name="gin_trgm_ops"), name="document_title_trigrams"),
            models.Index(fields=["dated"], name="document_by_date"),
            models.Index(fields=["language"], name="document_by_language"),
            models.Index(
                fields=["binned_at"], condition=Q(binned_at__isnull=False), name="document_by_bin_time"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def shown_kind(self) -> str:
        """Of the file that the present pages were read from."""
        return self.indexed_kind or self.kind

    def get_absolute_url(self) -> str:
        from django.urls import reverse

        return reverse("document-detail", args=[self.pk])


class Attachment(models.Model):
    """A document that came inside another one: a file attached to a mail."""

    message = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="attachments")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="messages")
    filename = models.CharField(_("file name"), max_length=255)

    class Meta:
        ordering = ["message", "id"]
        constraints = [models.UniqueConstraint(fields=["message", "document"], name="attachment_once")]

    def __str__(self) -> str:
        return self.filename


class Deletion(models.Model):
    """That a document was deleted, when and by whom; nothing of what was in it."""

    document_id = models.UUIDField(primary_key=True)
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="deletions")
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    deleted_at = models.DateTimeField(db_default=Now(), editable=False)
    page_count = models.PositiveIntegerField(_("pages"))
    chunk_count = models.PositiveIntegerField(_("passages"))

    objects = DeletionQuerySet.as_manager()

    class Meta:
        ordering = ["-deleted_at"]

    def __str__(self) -> str:
        return str(self.document_id)
