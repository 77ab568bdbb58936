"""The write way, from a stored file to passages that can be found: parse → chunk → embed → store.

Each step hands frozen data to the next; only the first and the last touch the database, so a worker
that dies in between leaves nothing half done, and the job simply runs again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from documents import metrics, progress
from documents.chunking import Passage, chunk
from documents.embedding.registry import get_passage_embedder, get_token_counter
from documents.exceptions import UnreadableDocument
from documents.files import local_copy
from documents.models import Chunk, Document, Embedding, EmbeddingSpace, Page, Stage, Status
from documents.parsing.jail import parse_in_jail
from documents.parsing.types import ParsedDocument
from documents.services import touch_corpus
from documents.spaces import ensure_active_space
from documents.uploads import clean_title

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

logger = logging.getLogger(__name__)

#: Passages embedded between two reports of progress.
EMBED_STEP = 64
#: Rows in one INSERT.
INSERT_STEP = 500
#: More than upload limits usually let through: one file must not fill the index.
MAX_PASSAGES = 100_000
#: What each stage has done of the whole when it ends, in percent: embedding is the long one.
PARSED, CHUNKED, EMBEDDED = 15, 20, 95
NO_TEXT = (
    "No text was found in this file. If it is a scan, run text recognition (OCR) over it and "
    "upload the result."
)


class Superseded(Exception):
    """The document was cancelled, replaced or deleted while it was on its way."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a job works on: a document at one version of its content."""

    document: Document
    version: int
    space: EmbeddingSpace


def index(document_id: UUID) -> None:
    """Take a queued document to ``ready``. Does nothing when there is nothing to do.

    Raises ``UnreadableDocument`` when the file is at fault; ends quietly when it was superseded.
    """
    if claim := claim_document(document_id):
        process(claim)


def process(claim: Claim) -> None:
    """The way of a document that this job has claimed."""
    started = time.perf_counter()
    try:
        parsed = read(claim)
        passages = split(claim, parsed)
        vectors = embed(claim, passages)
        store(claim, parsed, passages, vectors)
    except Superseded:
        logger.info("%s was cancelled, replaced or deleted on its way", claim.document.pk)
        return
    seconds = time.perf_counter() - started
    metrics.document_processing_seconds.labels(claim.document.kind).observe(seconds)
    metrics.documents_processed_total.labels("ready").inc()


def claim_document(document_id: UUID) -> Claim | None:
    """Mark a queued (or, after a worker's death, a processing) document as on its way."""
    space = ensure_active_space()
    with transaction.atomic():
        document = Document.objects.select_for_update(no_key=True).filter(pk=document_id).first()
        if document is None or document.status not in (Status.QUEUED, Status.PROCESSING):
            return None
        document.status, document.stage, document.percent = Status.PROCESSING, Stage.PARSING, 0
        document.save(update_fields=["status", "stage", "percent", "updated_at"])
    progress.announce(document)
    return Claim(document, document.content_version, space)


def read(claim: Claim) -> ParsedDocument:
    with local_copy(claim.document.file) as path:
        parsed = parse_in_jail(path, claim.document.kind)
    if not parsed.has_text:
        raise UnreadableDocument(NO_TEXT)
    claim.document.page_count = len(parsed.pages)
    report(claim, Stage.CHUNKING, PARSED)
    return parsed


def split(claim: Claim, parsed: ParsedDocument) -> list[Passage]:
    passages = chunk(parsed, get_token_counter(claim.space.model), title=title_of(claim.document, parsed))
    if not passages:
        raise UnreadableDocument(NO_TEXT)
    if len(passages) > MAX_PASSAGES:
        raise UnreadableDocument(f"This file is too long: it has more than {MAX_PASSAGES:,} passages.")
    report(claim, Stage.EMBEDDING, CHUNKED)
    return passages


def title_of(document: Document, parsed: ParsedDocument) -> str:
    """What people called it; else its own heading (a PDF's own title is too often a template's)."""
    if document.metadata.get("title_given") or document.kind == "pdf":
        return document.title
    return clean_title(parsed.title) or document.title


def embed(claim: Claim, passages: Sequence[Passage]) -> Vectors:
    """A unit vector for each passage; those that are stored for the same text already are reused."""
    import numpy as np

    vectors = np.zeros((len(passages), claim.space.dimensions), dtype=np.float32)
    known = stored_vectors(claim)
    # The first row of each text that is new: repeated texts are embedded once.
    firsts: dict[str, int] = {}
    for row, passage in enumerate(passages):
        if passage.content_hash in known:
            vectors[row] = known[passage.content_hash]
        else:
            firsts.setdefault(passage.content_hash, row)
    # Sorted by length over the whole document, so that each step's batches waste little.
    missing = sorted(firsts.values(), key=lambda row: passages[row].token_count)
    embedder = get_passage_embedder(claim.space.model)
    for begin in range(0, len(missing), EMBED_STEP):
        rows = missing[begin : begin + EMBED_STEP]
        vectors[rows] = embedder.embed([passages[row].context for row in rows])
        done = (begin + len(rows)) / len(missing)
        report(claim, Stage.EMBEDDING, CHUNKED + int(done * (EMBEDDED - CHUNKED)))
    for row, passage in enumerate(passages):
        vectors[row] = vectors[firsts.get(passage.content_hash, row)]
    return vectors


def stored_vectors(claim: Claim) -> dict[str, list[float]]:
    """Content hash → vector of what is indexed of this document now."""
    rows = Embedding.objects.filter(document=claim.document, space=claim.space)
    return dict(rows.values_list("chunk__content_hash", "vector"))


def store(claim: Claim, parsed: ParsedDocument, passages: Sequence[Passage], vectors: Vectors) -> None:
    """Put the new passages in the place of the old, all at once, and say that it is ready."""
    report(claim, Stage.STORING, EMBEDDED)
    with transaction.atomic():
        document = Document.objects.select_for_update(no_key=True).filter(pk=claim.document.pk).first()
        if (
            document is None
            or document.content_version != claim.version
            or document.status != Status.PROCESSING
        ):
            raise Superseded
        document.pages.all().delete()
        document.chunks.all().delete()
        Page.objects.bulk_create(pages_of(document, parsed), batch_size=INSERT_STEP)
        chunks = Chunk.objects.bulk_create(chunks_of(document, passages), batch_size=INSERT_STEP)
        Embedding.objects.bulk_create(embeddings_of(claim.space, chunks, vectors), batch_size=INSERT_STEP)
        finish(document, parsed, len(chunks))
        touch_corpus(document.collection_id)
    progress.announce(document)


def finish(document: Document, parsed: ParsedDocument, chunk_count: int) -> None:
    document.title = title_of(document, parsed)
    document.metadata = {**parsed.metadata, **kept_metadata(document)}
    document.page_count, document.chunk_count = len(parsed.pages), chunk_count
    document.status, document.stage, document.percent = Status.READY, Stage.NONE, 100
    document.reason = document.error_detail = ""
    document.indexed_at = timezone.now()
    document.save()


def kept_metadata(document: Document) -> dict[str, object]:
    return {key: document.metadata[key] for key in ("title_given",) if key in document.metadata}


def pages_of(document: Document, parsed: ParsedDocument) -> list[Page]:
    return [
        Page(document=document, number=page.number, text=page.text, width=page.width, height=page.height)
        for page in parsed.pages
    ]


def chunks_of(document: Document, passages: Sequence[Passage]) -> list[Chunk]:
    return [
        Chunk(
            document=document,
            collection_id=document.collection_id,
            ordinal=passage.ordinal,
            text=passage.text,
            heading=list(passage.heading),
            context=passage.context,
            page_start=passage.page_start,
            page_end=passage.page_end,
            start=passage.start,
            end=passage.end,
            token_count=passage.token_count,
            boxes=[list(box) for box in passage.boxes],
            content_hash=passage.content_hash,
        )
        for passage in passages
    ]


def embeddings_of(space: EmbeddingSpace, chunks: Sequence[Chunk], vectors: Vectors) -> list[Embedding]:
    return [
        Embedding(
            chunk=chunk,
            space=space,
            document_id=chunk.document_id,
            collection_id=chunk.collection_id,
            vector=vector,
        )
        for chunk, vector in zip(chunks, vectors, strict=True)
    ]


def report(claim: Claim, stage: Stage, percent: int) -> None:
    """Say how far it is. Raises ``Superseded`` when the document no longer waits for this job."""
    document = claim.document
    document.stage, document.percent = stage, percent
    waiting = Document.objects.filter(
        pk=document.pk, content_version=claim.version, status=Status.PROCESSING
    ).update(stage=stage, percent=percent, page_count=document.page_count)
    if not waiting:
        raise Superseded
    progress.announce(document)
