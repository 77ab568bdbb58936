"""What is kept: collections, documents, pages, passages and their vectors.

The database holds the rules before Python does: constraints and indexes here, retrieval SQL in
``querysets``, writes in ``services``.
"""

from documents.models.collections import Collection, Membership, Role
from documents.models.documents import (
    GIVEN,
    TITLE_LENGTH,
    Attachment,
    Deletion,
    Document,
    Quality,
    Stage,
    Status,
    original_path,
)
from documents.models.events import DocumentEvent, EventKind
from documents.models.passages import Chunk, DocumentIdentity, Page, Word
from documents.models.spaces import Embedding, EmbeddingSpace
from documents.models.uploads import IdempotencyKey
from documents.models.views import SavedView

__all__ = [
    "GIVEN",
    "TITLE_LENGTH",
    "Attachment",
    "Chunk",
    "Collection",
    "Deletion",
    "Document",
    "DocumentEvent",
    "DocumentIdentity",
    "Embedding",
    "EmbeddingSpace",
    "EventKind",
    "IdempotencyKey",
    "Membership",
    "Page",
    "Quality",
    "Role",
    "SavedView",
    "Stage",
    "Status",
    "Word",
    "original_path",
]
