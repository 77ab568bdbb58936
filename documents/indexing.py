"""The write way, from a stored file to passages that can be found: parse → chunk → embed → store.

Each step hands frozen data to the next. Nothing that can be found changes before the last one
(``storing``), in one transaction, so a worker that dies on the way leaves nothing half done, and the
job simply runs again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from documents import attachments, metrics, progress, storing
from documents.chunking import Passage, chunk
from documents.embedding.passages import StoredVector, encode_passages
from documents.embedding.registry import get_passage_embedder, get_token_counter, passages_at_once
from documents.exceptions import UnreadableDocument
from documents.files import local_copy
from documents.models import Document, Embedding, EmbeddingSpace, Stage, Status
from documents.parsing.jail import parse_in_jail
from documents.parsing.pictures.recognition import recognise
from documents.parsing.types import ParsedDocument
from documents.quality import Quality, assess
from documents.spaces import ensure_active_space
from documents.storing import SpaceSwitched, Superseded, Vectors
from documents.uploads import clean_title

logger = logging.getLogger(__name__)

CLAIM_FIELDS = ("status", "stage", "percent", "stage_done", "stage_total", "reason", "updated_at")
#: Passages embedded between two reports of progress.
EMBED_STEP = 64
#: More than upload limits usually let through: one file must not fill the index.
MAX_PASSAGES = 100_000
#: What each stage has done of the whole when it ends, in percent: embedding is the long one.
PARSED, CHUNKED, EMBEDDED = 15, 20, 95
#: Pages come quickly: so long between two reports of how many were read.
REPORT_SECONDS = 0.5
NO_TEXT = "This file holds no text."
NO_TEXT_DRAWN = (
    "No text was found in this file. If it is a scan, run text recognition (OCR) over it and "
    "upload the result."
)
NO_TEXT_SEEN = "No text could be recognised on these pages. Sharper or larger pictures may help."


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
        quality = judged(parsed)
        with metrics.timed(Stage.CHUNKING):
            passages = split(claim, parsed)
        with metrics.timed(Stage.EMBEDDING):
            vectors = embed(claim, passages)
        refused = attachments.take_out(claim.document.pk, claim.version, parsed)
        report(claim, Stage.STORING, EMBEDDED)
        new = storing.NewContent(
            parsed, passages, vectors, quality, title_of(claim.document, parsed), refused
        )
        with metrics.timed(Stage.STORING):
            storing.store(claim.document.pk, claim.version, claim.space, new)
    except Superseded:
        logger.info("%s was cancelled, replaced or deleted on its way", claim.document.pk)
        return
    except SpaceSwitched:
        logger.info("another model took over while %s was on its way: once more", claim.document.pk)
        process(replace(claim, space=ensure_active_space()))
        return
    seconds = time.perf_counter() - started
    metrics.document_processing_seconds.labels(claim.document.kind).observe(seconds)
    metrics.documents_processed_total.labels("ready").inc()


def claim_document(document_id: UUID) -> Claim | None:
    """Mark a queued (or, after a worker's death, a processing) document as on its way."""
    space = ensure_active_space()
    with transaction.atomic():
        waiting = Document.objects.on_their_way().select_for_update(no_key=True)
        document = waiting.filter(pk=document_id).first()
        if document is None:
            return None
        if document.status == Status.QUEUED:
            metrics.ingest_wait_seconds.observe((timezone.now() - document.updated_at).total_seconds())
        document.status, document.stage, document.percent = Status.PROCESSING, Stage.PARSING, 0
        document.stage_done = document.stage_total = 0
        document.reason = ""
        document.save(update_fields=CLAIM_FIELDS)
    progress.announce(document)
    return Claim(document, document.content_version, space)


def read(claim: Claim) -> ParsedDocument:
    """The file's text; where a page is a picture, what can be recognised on it."""
    with local_copy(claim.document.file) as path:
        kind = claim.document.kind
        with metrics.timed(Stage.PARSING):
            parsed = parse_in_jail(path, kind, report=Reporter(claim, Stage.PARSING, 0, PARSED))
        is_seen = any(page.is_picture for page in parsed.pages)
        if is_seen:
            seen = Reporter(claim, Stage.RECOGNISING, 0, PARSED)
            with metrics.timed(Stage.RECOGNISING):
                parsed = recognise(path, kind, parsed, languages=settings.OCR_LANGUAGES, report=seen)
    if not parsed.has_text:
        nothing = NO_TEXT_DRAWN if kind == "pdf" else NO_TEXT
        raise UnreadableDocument(NO_TEXT_SEEN if is_seen else nothing)
    if not claim.document.chunk_count:  # else its former pages are still read
        claim.document.page_count = len(parsed.pages)
    report(claim, Stage.CHUNKING, PARSED)
    return parsed


def judged(parsed: ParsedDocument) -> Quality:
    """Raises ``UnreadableDocument`` when what was read is of no use to anybody."""
    quality = assess(parsed)
    if quality.verdict == "unreadable":
        raise UnreadableDocument(quality.advice)
    return quality


def split(claim: Claim, parsed: ParsedDocument) -> list[Passage]:
    counter, title = get_token_counter(claim.space.model), title_of(claim.document, parsed)
    passages = chunk(parsed, counter, title=title, limit=MAX_PASSAGES)
    if not passages:
        raise UnreadableDocument(NO_TEXT)
    if len(passages) > MAX_PASSAGES:
        raise UnreadableDocument(f"This file is too long: it has more than {MAX_PASSAGES:,} passages.")
    return passages


def title_of(document: Document, parsed: ParsedDocument) -> str:
    """What people called it; else its own heading (a PDF's own title is too often a template's)."""
    if document.metadata.get("title_given") or document.kind == "pdf":
        return document.title
    return clean_title(parsed.title) or document.title


def embed(claim: Claim, passages: Sequence[Passage]) -> Vectors:
    """By content hash, for each text that is not stored of this document already."""
    # Those of an earlier version have no vectors of their tokens.
    stored = Embedding.objects.filter(document=claim.document, space=claim.space, tokens__isnull=False)
    known = set(stored.values_list("chunk__content_hash", flat=True))
    missing = {each.content_hash: each for each in passages if each.content_hash not in known}
    # Sorted by length over the whole document, so that each step's batches waste little.
    ordered = sorted(missing.values(), key=lambda passage: passage.token_count)
    vectors: Vectors = {}
    report(claim, Stage.EMBEDDING, CHUNKED, 0, len(ordered))
    size = passages_at_once(EMBED_STEP)
    for begin in range(0, len(ordered), size):
        step = ordered[begin : begin + size]
        vectors |= zip((passage.content_hash for passage in step), encoded(claim.space, step), strict=True)
        percent = CHUNKED + (EMBEDDED - CHUNKED) * len(vectors) // len(ordered)
        report(claim, Stage.EMBEDDING, percent, len(vectors), len(ordered))
    return vectors


def encoded(space: EmbeddingSpace, passages: Sequence[Passage]) -> list[StoredVector]:
    texts = [passage.context for passage in passages]
    return encode_passages(space.revision, texts, lambda new: get_passage_embedder(space.model).encode(new))


class Reporter:
    """Tells how many of a stage's pages are done, not more often than people can read."""

    def __init__(self, claim: Claim, stage: Stage, first: int, last: int) -> None:
        self.claim, self.stage, self.first, self.last = claim, stage, first, last
        self.reported_at = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self.reported_at < REPORT_SECONDS:
            return
        self.reported_at = time.monotonic()
        percent = self.first + (self.last - self.first) * min(done, total) // max(total, 1)
        report(self.claim, self.stage, percent, done, total)


def report(claim: Claim, stage: Stage, percent: int, done: int = 0, total: int = 0) -> None:
    """Say how far it is. Raises ``Superseded`` when the document no longer waits for this job."""
    document = claim.document
    told: dict[str, Any] = {"stage": stage, "percent": percent, "stage_done": done, "stage_total": total}
    told["page_count"] = document.page_count
    waiting = Document.objects.filter(pk=document.pk, content_version=claim.version, status=Status.PROCESSING)
    if not waiting.update(**told):
        raise Superseded
    document.collection_id = waiting.values_list("collection", flat=True).first() or document.collection_id
    for name, value in told.items():
        setattr(document, name, value)
    progress.announce(document)
