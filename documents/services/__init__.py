"""Every write to collections and documents: keyword-only functions, atomic, checked first."""

from documents.services.binning import bin_empty, document_bin, document_unbin
from documents.services.bulk import (
    Outcome,
    documents_bin,
    documents_move,
    documents_reindex,
    documents_tag,
    documents_unbin,
)
from documents.services.collections import (
    collection_create,
    collection_private,
    collection_update,
    corpora_touch,
    membership_remove,
    membership_set,
    touch_corpus,
)
from documents.services.deletion import collection_delete, document_delete
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
from documents.services.samples import samples_add, samples_remove
from documents.services.views import view_delete, view_rename, view_save

__all__ = [
    "Accepted",
    "Outcome",
    "bin_empty",
    "collection_create",
    "collection_delete",
    "collection_private",
    "collection_update",
    "corpora_touch",
    "document_bin",
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
    "document_unbin",
    "document_update",
    "documents_bin",
    "documents_move",
    "documents_reindex",
    "documents_retry",
    "documents_tag",
    "documents_unbin",
    "event_record",
    "membership_remove",
    "membership_set",
    "samples_add",
    "samples_remove",
    "touch_corpus",
    "view_delete",
    "view_rename",
    "view_save",
]
