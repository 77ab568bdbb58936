"""Conversations, questions, answers, and what each answer rests on."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from search.querysets import AnswerQuerySet, ConversationQuerySet


class Conversation(models.Model):
    """Questions that belong together. Visible to the one who asks in it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations"
    )
    title = models.CharField(_("title"), max_length=200)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at", "id"]

    def __str__(self) -> str:
        return self.title


class Answer(models.Model):
    """A question asked once, and its answer: log, sentences, citations, and how it came about."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        STOPPED = "stopped", _("stopped")
        FAILED = "failed", _("failed")
        INTERRUPTED = "interrupted", _("interrupted")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="answers")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="answers")
    question = models.TextField(_("question"))
    #: {"collections": [slug], "documents": [id]}: what the asker narrowed the question to.
    scope = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=State, default=State.RUNNING)
    text = models.TextField(blank=True)
    abstained = models.BooleanField(default=False)
    #: [{"text", "citations": [n], "supported"}]
    sentences = models.JSONField(default=list)
    timings = models.JSONField(default=dict)
    #: Models and settings that produced it.
    settings = models.JSONField(default=dict)
    error = models.JSONField(null=True)
    stop_requested = models.BooleanField(default=False)
    #: Documents whose passages are in the log, cited or not. Ids only: they outlive the documents.
    seen = ArrayField(models.UUIDField(), default=list, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    heartbeat_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    objects = AnswerQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(question=""), name="answer_has_a_question"),
            models.CheckConstraint(
                condition=Q(state="running") | Q(finished_at__isnull=False), name="answer_end_has_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["asked_by", "-created_at"], name="answer_by_asker"),
            models.Index(fields=["heartbeat_at"], condition=Q(state="running"), name="answer_running"),
            GinIndex(fields=["seen"], name="answer_by_seen"),
        ]

    def __str__(self) -> str:
        return self.question


class AnswerEvent(models.Model):
    """The log that every reader of a streamed answer follows: written before anything is sent."""

    id = models.BigAutoField(primary_key=True)
    answer = models.ForeignKey(Answer, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    type = models.CharField(max_length=10)
    payload = models.JSONField(default=dict)

    class Meta:
        ordering = ["answer", "seq"]
        constraints = [models.UniqueConstraint(fields=["answer", "seq"], name="answer_event_once")]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


class Citation(models.Model):
    """A snapshot of a quoted passage. Outlives the passage, so that it can be shown as withdrawn."""

    answer = models.ForeignKey(Answer, on_delete=models.CASCADE, related_name="citations", db_index=False)
    n = models.PositiveSmallIntegerField()
    document = models.ForeignKey("documents.Document", null=True, on_delete=models.SET_NULL, related_name="+")
    #: No foreign key: reindexing replaces passages; the hash says whether this one is still the same.
    chunk_id = models.BigIntegerField()
    content_hash = models.CharField(max_length=64)
    page = models.PositiveIntegerField()
    #: The verbatim span of the passage, or empty when none could be located or it was withdrawn.
    quote = models.TextField(blank=True)
    #: Characters on the page: where the quote stands in ``Page.text``.
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    boxes = models.JSONField(default=list)
    withdrawn = models.BooleanField(default=False)

    class Meta:
        ordering = ["answer", "n"]
        constraints = [models.UniqueConstraint(fields=["answer", "n"], name="citation_once")]

    def __str__(self) -> str:
        return f"[{self.n}]"


class Feedback(models.Model):
    """What the asker thought of an answer."""

    answer = models.OneToOneField(Answer, on_delete=models.CASCADE, related_name="feedback")
    rating = models.SmallIntegerField(_("rating"), choices=[(1, _("helpful")), (-1, _("not helpful"))])
    reason = models.TextField(_("reason"), blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(rating__in=[-1, 1]), name="feedback_up_or_down")]
        verbose_name_plural = _("feedback")

    def __str__(self) -> str:
        return self.get_rating_display()
