"""Conversations, questions, answers, what each answer rests on; golden questions and what they measured."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import MD5, Now
from django.utils.translation import gettext_lazy as _

from search.querysets import (
    AnswerQuerySet,
    ConversationQuerySet,
    GoldenQuestionQuerySet,
    GoldenRunQuerySet,
)


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
    #: [{"text", "citations": [n], "supported", "doubts": [{"kind", "text"}], "span": [start, end] or None}]
    sentences = models.JSONField(default=list)
    #: Why it abstained: {"code", "missing": [word], "apart": [word], "closest": [{"document", "chunk"}]}. No
    #: text of passages.
    refusal = models.JSONField(null=True)
    #: How it came about, for a replay (``receipts``): {"standalone", "trace": [{"rank", "chunk", "document",
    #: "page", "start", "end", "content_hash", "score", "ranks", "source"}], "versions", "prompt": [message],
    #: "tokens", "fingerprint"}. The prompt holds text of passages.
    receipt = models.JSONField(default=dict)
    #: The answer that this one was asked for again in place of.
    replaces = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="replacements", editable=False
    )
    timings = models.JSONField(default=dict)
    #: Models and settings that produced it.
    settings = models.JSONField(default=dict)
    error = models.JSONField(null=True)
    stop_requested = models.BooleanField(default=False)
    #: Documents whose passages are in the log, cited or not, or in the earlier answers that it was written
    #: from. Ids only: they outlive the documents.
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

    class Category(models.TextChoices):
        WRONG = "wrong", _("It is wrong")
        INCOMPLETE = "incomplete", _("It is incomplete")
        WRONG_SOURCE = "wrong_source", _("It rests on the wrong source")
        SHOULD_REFUSE = "should_refuse", _("It should have been refused")
        SHOULD_ANSWER = "should_answer", _("It should have been answered")
        OTHER = "other", _("Something else")

    answer = models.OneToOneField(Answer, on_delete=models.CASCADE, related_name="feedback")
    rating = models.SmallIntegerField(_("rating"), choices=[(1, _("helpful")), (-1, _("not helpful"))])
    #: What was wrong, of an answer that did not help; may be empty.
    category = models.CharField(_("category"), max_length=20, choices=Category, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(rating__in=[-1, 1]), name="feedback_up_or_down"),
            models.CheckConstraint(
                condition=Q(category="") | Q(rating=-1), name="feedback_category_of_what_did_not_help"
            ),
        ]
        verbose_name_plural = _("feedback")

    def __str__(self) -> str:
        return self.get_rating_display()


class Calibration(models.Model):
    """When to answer and when to refuse, fitted on questions with ``answerable`` marks. The latest counts."""

    #: As ``abstention.Parameters``.
    parameters = models.JSONField(_("parameters"))
    #: {measure: value} on questions held out while fitting: with the default's parameters, with these.
    before = models.JSONField(_("scores before"), default=dict)
    after = models.JSONField(_("scores after"), default=dict)
    questions = models.PositiveIntegerField(_("questions"))
    #: The folders or collections that the questions came from.
    origin = models.CharField(_("origin"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("fitted at"), db_default=Now(), editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(questions__gte=1), name="calibration_has_questions"),
        ]

    def __str__(self) -> str:
        return f"{self.origin} ({self.questions})"


class GoldenQuestion(models.Model):
    """A question whose right documents are known: what a collection's search is measured by."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey(
        "documents.Collection", on_delete=models.CASCADE, related_name="golden_questions"
    )
    question = models.CharField(_("question"), max_length=2000)
    answer = models.TextField(_("answer"), blank=True, help_text=_("As short as it can be said."))
    answerable = models.BooleanField(
        _("answerable"), default=True, help_text=_("Whether the collection holds an answer.")
    )
    documents = models.ManyToManyField("documents.Document", through="GoldenDocument", related_name="+")
    #: Its id in the file that it was imported from.
    origin = models.CharField(max_length=200, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = GoldenQuestionQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(question=""), name="golden_question_has_words"),
            models.UniqueConstraint(
                fields=["collection", "origin"], condition=~Q(origin=""), name="golden_question_origin_once"
            ),
            models.UniqueConstraint(
                "collection",
                MD5("question"),
                condition=Q(origin=""),
                name="golden_question_once",
                violation_error_message=_("The collection has this question already."),
            ),
        ]

    def __str__(self) -> str:
        return self.question


class GoldenDocument(models.Model):
    """A document that answers a golden question; with a page when it is known. Goes with the document."""

    question = models.ForeignKey(
        GoldenQuestion, on_delete=models.CASCADE, related_name="expected", db_index=False
    )
    document = models.ForeignKey("documents.Document", on_delete=models.CASCADE, related_name="+")
    page = models.PositiveIntegerField(_("page"), null=True, blank=True, help_text=_("From 1; may be empty."))

    class Meta:
        ordering = ["question", "id"]
        verbose_name = _("expected document")
        verbose_name_plural = _("expected documents")
        constraints = [
            models.UniqueConstraint(
                fields=["question", "document", "page"], nulls_distinct=False, name="golden_document_once"
            ),
            models.CheckConstraint(
                condition=Q(page__isnull=True) | Q(page__gte=1), name="golden_document_page_from_one"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document_id}" if self.page is None else f"{self.document_id}, p. {self.page}"


class GoldenRun(models.Model):
    """A collection's golden questions, asked once: the figures, and the settings that produced them."""

    class Why(models.TextChoices):
        DEMAND = "demand", _("on demand")
        MODEL = "model", _("model change")
        SETTING = "setting", _("setting change")
        SCHEDULED = "scheduled", _("scheduled")
        COMMAND = "command", _("command")

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    collection = models.ForeignKey(
        "documents.Collection", on_delete=models.CASCADE, related_name="golden_runs", db_index=False
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    why = models.CharField(_("why"), max_length=10, choices=Why)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    #: What produced the figures (``golden.settings_of``), and its hash.
    settings = models.JSONField(default=dict)
    fingerprint = models.CharField(max_length=64)
    #: The collection's ``corpus_version`` when it was asked.
    corpus_version = models.BigIntegerField(default=0)
    #: {"document", "page": {measure: mean or None}, "intervals": the same with [low, high], "asked":
    #: questions of each level, "latency_ms"}
    scores = models.JSONField(default=dict)
    questions = models.PositiveIntegerField(_("questions"), default=0)
    #: Answerable ones that were not asked, as none of their documents is there.
    left_out = models.PositiveIntegerField(_("without document"), default=0)
    seconds = models.FloatField(_("seconds"), null=True)
    error = models.TextField(_("error"), blank=True)
    created_at = models.DateTimeField(_("asked at"), db_default=Now(), editable=False)
    heartbeat_at = models.DateTimeField(db_default=Now())

    objects = GoldenRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(why__in=["demand", "model", "setting", "scheduled", "command"]),
                name="golden_run_why_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "done", "failed"]), name="golden_run_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state="failed") | ~Q(error=""), name="golden_run_failed_has_error"
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | (~Q(scores={}) & Q(seconds__isnull=False)),
                name="golden_run_done_has_scores",
            ),
            models.UniqueConstraint(
                fields=["collection"],
                condition=Q(state__in=["queued", "running"]),
                name="golden_run_one_at_a_time",
            ),
        ]
        indexes = [models.Index(fields=["collection", "-created_at"], name="golden_run_by_collection")]

    def __str__(self) -> str:
        return f"{self.collection_id} · {self.get_state_display()}"


class Tuning(models.Model):
    """The fusion's parameters that golden questions taught a collection; none when the default stood."""

    collection = models.OneToOneField("documents.Collection", on_delete=models.CASCADE, related_name="tuning")
    parameters = models.JSONField(_("parameters"), default=dict)
    #: {measure: mean}, by the default and by what was learned, on questions held out while learning.
    before = models.JSONField(_("scores before"), default=dict)
    after = models.JSONField(_("scores after"), default=dict)
    questions = models.PositiveIntegerField(_("questions"))
    created_at = models.DateTimeField(_("learned at"), db_default=Now(), editable=False)

    class Meta:
        ordering = ["collection"]
        verbose_name = verbose_name_plural = _("tuning")
        constraints = [
            models.CheckConstraint(condition=Q(questions__gte=1), name="tuning_has_questions"),
        ]

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in self.parameters.items()) or str(_("default"))

    @staticmethod
    def for_search(collections: Sequence[str]) -> dict[str, Any] | None:
        """The parameters for a search that is narrowed to exactly one collection, when it has some."""
        if len(set(collections)) != 1:
            return None
        found = Tuning.objects.filter(collection__slug=collections[0]).values_list("parameters", flat=True)
        return found.first() or None
