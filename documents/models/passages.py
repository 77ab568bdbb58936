"""What was read of a document: pages, the passages that are found, what names it, its words."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from documents.expressions import PassageTerms
from documents.models.collections import Collection
from documents.models.documents import Document
from documents.querysets import ChunkQuerySet, IdentityQuerySet


class Page(models.Model):
    """The text of one page, as it was read."""

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="pages")
    number = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    width = models.FloatField(null=True, help_text=_("Points; empty where the format has no layout."))
    height = models.FloatField(null=True)
    label = models.CharField(max_length=100, blank=True, help_text=_("What the document calls this page."))
    recognised = models.BooleanField(default=False, help_text=_("Its text was read from a picture."))

    class Meta:
        ordering = ["document", "number"]
        constraints = [
            models.UniqueConstraint(fields=["document", "number"], name="page_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="page_from_one"),
        ]

    def __str__(self) -> str:
        return f"p. {self.number}"


class Chunk(models.Model):
    """A passage: what is found, quoted and cited.

    ``text`` is verbatim: ``page.text[start:end]`` of page ``page_start``. ``context`` is the same
    with title and heading path in front, which is what both legs index.
    """

    id = models.BigAutoField(primary_key=True)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    #: Copied from the document, so that access is decided inside the index query, without a join.
    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="+")
    ordinal = models.PositiveIntegerField()
    text = models.TextField()
    heading = ArrayField(models.TextField(), default=list, blank=True)
    context = models.TextField()
    #: Copied from the document: in which language the words are stemmed.
    language = models.CharField(max_length=10, blank=True)
    terms = models.GeneratedField(
        expression=PassageTerms("language", "context"), output_field=models.TextField(), db_persist=True
    )
    page_start = models.PositiveIntegerField()
    page_end = models.PositiveIntegerField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    token_count = models.PositiveSmallIntegerField()
    #: [[page, x0, y0, x1, y1], …] in points, origin top left.
    boxes = models.JSONField(default=list, blank=True)
    content_hash = models.CharField(max_length=64)

    objects = ChunkQuerySet.as_manager()

    class Meta:
        ordering = ["document", "ordinal"]
        constraints = [
            # Checked at the end of a transaction: reindexing moves passages past each other.
            models.UniqueConstraint(
                fields=["document", "ordinal"], name="chunk_once", deferrable=models.Deferrable.DEFERRED
            ),
            models.CheckConstraint(condition=~Q(text=""), name="chunk_has_text"),
            models.CheckConstraint(condition=Q(end__gt=models.F("start")), name="chunk_span"),
            models.CheckConstraint(
                condition=Q(page_end__gte=models.F("page_start"), page_start__gte=1), name="chunk_page_span"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document_id}#{self.ordinal}"


class DocumentIdentity(models.Model):
    """What names a document: title, file name, names, years, type. Says which document a query means.

    A table of its own, as a document's row changes with every step of its progress.
    """

    document = models.OneToOneField(
        Document, primary_key=True, on_delete=models.CASCADE, related_name="identity"
    )
    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="+")
    language = models.CharField(max_length=10, blank=True)
    text = models.TextField()
    terms = models.GeneratedField(
        expression=PassageTerms("language", "text"), output_field=models.TextField(), db_persist=True
    )

    objects = IdentityQuerySet.as_manager()

    def __str__(self) -> str:
        return self.text[:100]


class Word(models.Model):
    """A word that documents of a collection hold, and how many do: for suggestions of spelling."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+", db_index=False)
    word = models.CharField(max_length=40)
    documents = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["collection", "word"], name="word_once")]
        indexes = [GinIndex(OpClass("word", name="gin_trgm_ops"), name="word_trigrams")]

    def __str__(self) -> str:
        return self.word
