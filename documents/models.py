"""What is kept: collections, documents, pages, passages and their vectors.

The database holds the rules before Python does: constraints and indexes here, retrieval SQL in
``querysets``, writes in ``services``.
"""

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
from pgvector.django import HalfVectorField

from documents.querysets import (
    ChunkQuerySet,
    CollectionQuerySet,
    DeletionQuerySet,
    DocumentQuerySet,
    EmbeddingQuerySet,
    IdentityQuerySet,
    PassageTerms,
)

TITLE_LENGTH = 300


class Collection(models.Model):
    """The unit of access: an owner, and members with a role."""

    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_collections"
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="shared_collections"
    )
    is_private = models.BooleanField(_("private"), default=False, editable=False)
    #: Counts every change of what a search in this collection could return; caches are keyed by it.
    corpus_version = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CollectionQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner"], condition=Q(is_private=True), name="collection_one_private_per_owner"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="collection_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    VIEWER = "viewer", _("viewer")
    EDITOR = "editor", _("editor")
    MANAGER = "manager", _("manager")


class Membership(models.Model):
    """A user's role in somebody else's collection."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.VIEWER)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["collection", "user"]
        constraints = [
            models.UniqueConstraint(fields=["collection", "user"], name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.role}"


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


class EmbeddingSpace(models.Model):
    """One embedding model's vectors. Exactly one space is active; another may be built beside it."""

    class State(models.TextChoices):
        BUILDING = "building", _("building")
        ACTIVE = "active", _("active")
        RETIRED = "retired", _("retired")

    model = models.CharField(max_length=300, help_text=_("A sentence-transformers name or path."))
    revision = models.CharField(max_length=64, help_text=_("SHA-256 of the weights, or a model revision."))
    dimensions = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.BUILDING)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    #: When somebody made it serve, the last time; empty for the portal's own choice. A rollback goes to the
    #: one before.
    activated_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "revision"], name="space_once"),
            models.UniqueConstraint(fields=["state"], condition=Q(state="active"), name="space_one_active"),
            models.CheckConstraint(
                condition=Q(dimensions__gte=1, dimensions__lte=4000), name="space_dimensions_indexable"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} ({self.dimensions})"


class Embedding(models.Model):
    """One passage's vector in one space; its HNSW index is made with the space (``spaces``)."""

    id = models.BigAutoField(primary_key=True)
    chunk = models.ForeignKey(Chunk, on_delete=models.CASCADE, related_name="embeddings")
    space = models.ForeignKey(
        EmbeddingSpace, on_delete=models.CASCADE, related_name="embeddings", db_index=False
    )
    # Copied, like Chunk.collection: pgvector's index cannot be used through a join.
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="+")
    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="+")
    vector = HalfVectorField()
    #: The vectors of its tokens, packed (``embedding.tokens``), for late interaction.
    tokens = models.BinaryField(null=True)

    objects = EmbeddingQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chunk", "space"], name="embedding_once")]

    def __str__(self) -> str:
        return f"{self.chunk_id} in {self.space_id}"


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
