"""What names a document, kept beside it for the document leg of a search."""

from __future__ import annotations

from documents.identity import SAMPLE, identity
from documents.models import Document, DocumentIdentity
from documents.parsing.registry import NAMES


def document_identify(*, document: Document) -> None:
    """Write it anew, from what is stored of the document: its row and the text of its pages."""
    text = identity(
        title=document.title,
        filename=document.filename,
        kind=NAMES.get(document.shown_kind, ""),
        tags=document.tags,
        pages=first_pages(document),
    )
    given = {"collection_id": document.collection_id, "language": document.language, "text": text}
    DocumentIdentity.objects.update_or_create(document=document, defaults=given)


def first_pages(document: Document) -> list[str]:
    pages: list[str] = []
    read = 0
    for text in document.pages.order_by("number").values_list("text", flat=True).iterator():
        pages.append(text)
        read += len(text)
        if read >= SAMPLE:
            break
    return pages
