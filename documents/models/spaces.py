"""Embedding spaces and the vectors in them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField

from documents.models.collections import Collection
from documents.models.documents import Document
from documents.models.passages import Chunk
from documents.querysets import EmbeddingQuerySet


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
