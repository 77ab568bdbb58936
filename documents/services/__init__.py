"""Every write to collections and documents: keyword-only functions, atomic, checked first."""

from documents.services.collections import (
    collection_create,
    collection_delete,
    collection_private,
    collection_update,
    corpora_touch,
    membership_remove,
    membership_set,
    touch_corpus,
)
from documents.services.deletion import document_delete
from documents.services.description import (
    document_set_date,
    document_set_details,
    document_set_language,
)
from documents.services.documents import (
    Accepted,
    document_create,
    document_reindex,
    document_replace_file,
    document_set_source,
    document_update,
)
from documents.services.events import event_record
from documents.services.identity import document_identify
from documents.services.lifecycle import document_cancel, document_fail, documents_retry

__all__ = [
    "Accepted",
    "collection_create",
    "collection_delete",
    "collection_private",
    "collection_update",
    "corpora_touch",
    "document_cancel",
    "document_create",
    "document_delete",
    "document_fail",
    "document_identify",
    "document_reindex",
    "document_replace_file",
    "document_set_date",
    "document_set_details",
    "document_set_language",
    "document_set_source",
    "document_update",
    "documents_retry",
    "event_record",
    "membership_remove",
    "membership_set",
    "touch_corpus",
]
