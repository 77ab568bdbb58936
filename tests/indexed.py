"""Documents that are indexed for real, without doing again what was done for the same text before.

Each text is read in the jail and embedded by the model once in a process; nobody is told of the progress.
Whatever a test has replaced by its own is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from documents import indexing, progress
from documents.embedding.base import Embedder, Encoding
from documents.embedding.registry import get_passage_embedder
from documents.models import Collection, Document
from documents.parsing.jail import parse_in_jail
from documents.parsing.types import ParsedDocument
from documents.services import document_create

_read: dict[tuple[bytes, str], ParsedDocument] = {}


def kept_document(
    collection: Collection, content: bytes | str, *, filename: str = "note.txt", **given: str
) -> Document:
    """A file as its collection's owner would upload it, not indexed yet."""
    raw = content.encode() if isinstance(content, str) else content
    return document_create(
        user=collection.owner, collection=collection, upload=ContentFile(raw, name=filename), **given
    ).document


def indexed_document(collection: Collection, content: bytes | str, **given: str) -> Document:
    document = kept_document(collection, content, **given)
    index(document)
    return document


def index(document: Document) -> None:
    """Parsed, split, embedded, stored."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, original, shorter in SHORTCUTS:
            if getattr(module, name) is original:
                patch.setattr(module, name, shorter)
        indexing.index(document.pk)
    document.refresh_from_db()


def read_once(path: str, kind: str, **given: Any) -> ParsedDocument:
    key = Path(path).read_bytes(), kind
    if key not in _read:
        _read[key] = parse_in_jail(path, kind, **given)
    return _read[key]


class Remembering:
    """The embedder of passages, with a memory."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.known: dict[str, Encoding] = {}

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known.update(zip(new, self.embedder.encode(new), strict=True))
        return [self.known[text] for text in texts]


@cache
def remembering(embedder: Embedder) -> Remembering:
    return Remembering(embedder)


def quiet(collection_id: int, payload: dict[str, Any]) -> None:
    """Nobody watches."""


SHORTCUTS: tuple[tuple[Any, str, Callable[..., Any], Callable[..., Any]], ...] = (
    (indexing, "parse_in_jail", parse_in_jail, read_once),
    (indexing, "get_passage_embedder", get_passage_embedder, lambda m: remembering(get_passage_embedder(m))),
    (progress, "send", progress.send, quiet),
)
