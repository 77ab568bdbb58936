"""The end of the write way: the new passages take the place of the old, all at once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from documents import progress, vocabulary
from documents.chunking import Passage
from documents.embedding.passages import StoredVector
from documents.identity import day_of
from documents.models import GIVEN, Chunk, Document, Embedding, EmbeddingSpace, EventKind, Page, Stage, Status
from documents.parsing.types import ParsedDocument
from documents.quality import Quality
from documents.services import document_identify, event_record, touch_corpus
from documents.spaces import is_serving
from documents.uploads import discard_former_file

#: By content hash, of the texts that were not stored before.
Vectors = dict[str, StoredVector]

#: Rows in one statement.
STEP = 500
#: Passages moved by one statement.
MOVE_STEP = 5000
MOVE = """
    UPDATE documents_chunk c SET ordinal = v.ordinal, page_start = v.page_start, page_end = v.page_end,
    start = v.start, "end" = v."end", boxes = v.boxes,
    heading = ARRAY(SELECT jsonb_array_elements_text(v.heading))
    FROM jsonb_to_recordset(%s::jsonb) AS v (id bigint, ordinal int, page_start int, page_end int, start int,
    "end" int, boxes jsonb, heading jsonb) WHERE c.id = v.id AND
    (c.ordinal, c.page_start, c.page_end, c.start, c."end", c.boxes, to_jsonb(c.heading)) IS DISTINCT FROM
    (v.ordinal, v.page_start, v.page_end, v.start, v."end", v.boxes, v.heading)"""


class Superseded(Exception):
    """The document was cancelled, replaced or deleted while it was on its way."""


class SpaceSwitched(Exception):
    """Another space serves since the vectors were made."""


@dataclass(frozen=True, slots=True)
class NewContent:
    """What a document is to hold; ``notice`` is what its reader should know besides the quality."""

    parsed: ParsedDocument
    passages: Sequence[Passage]
    vectors: Vectors
    quality: Quality
    title: str
    notice: str = ""


def store(pk: UUID, version: int, space: EmbeddingSpace, new: NewContent) -> None:
    """Commit it. Raises ``Superseded`` when the document no longer waits for this ``version``.

    Raises ``SpaceSwitched`` when ``space`` does not serve any more: its passages would not be found.
    """
    with transaction.atomic():
        document = Document.objects.select_for_update(no_key=True).filter(pk=pk).first()
        if document is None or document.content_version != version or document.status != Status.PROCESSING:
            raise Superseded
        if not is_serving(space):
            raise SpaceSwitched
        new = as_given(document, new)
        document.pages.all().delete()
        Page.objects.bulk_create(pages_of(document, new.parsed), batch_size=STEP)
        replace_passages(document, space, new)
        finish(document, new)
        document_identify(document=document)
        event_record(
            document=document,
            kind=EventKind.READ,
            pages=document.page_count,
            passages=document.chunk_count,
        )
        touch_corpus(document.collection_id)
    progress.announce(document)


def as_given(document: Document, new: NewContent) -> NewContent:
    """Where people know the language better than what was recognised, theirs counts."""
    if not document.metadata.get("language_given"):
        return new
    return replace(new, quality=replace(new.quality, language=document.language))


def replace_passages(document: Document, space: EmbeddingSpace, new: NewContent) -> None:
    """Passages whose words are the same stay, with their vectors; the others go, and new ones come."""
    before = vocabulary.words_of(document.pk)
    vectors = {**stored_vectors(document, space, new), **new.vectors}
    kept = passages_by_words(document, space)
    moved: list[dict[str, Any]] = []
    added: list[Chunk] = []
    for passage in new.passages:
        if same := kept[passage.content_hash, passage.text]:
            moved.append({"id": same.pop(), **placed(passage)})
        else:
            added.append(chunk_of(document, passage, new.quality.language))
    document.chunks.exclude(pk__in=[place["id"] for place in moved]).delete()
    move(moved)
    document.chunks.exclude(language=new.quality.language).update(language=new.quality.language)
    rows = Chunk.objects.bulk_create(added, batch_size=STEP)
    Embedding.objects.bulk_create(
        [embedding_of(row, space, vectors[row.content_hash]) for row in rows], batch_size=STEP
    )
    vocabulary.exchange(document.collection_id, before, vocabulary.words_of(document.pk))


def passages_by_words(document: Document, space: EmbeddingSpace) -> Mapping[tuple[str, str], list[int]]:
    """Keys of the stored passages that have vectors in ``space``, last first, by hash and text."""
    kept: dict[tuple[str, str], list[int]] = defaultdict(list)
    stored = document.chunks.filter(embeddings__space=space, embeddings__tokens__isnull=False).order_by(
        "-ordinal"
    )
    for pk, content_hash, text in stored.values_list("pk", "content_hash", "text"):
        kept[content_hash, text].append(pk)
    return kept


def stored_vectors(document: Document, space: EmbeddingSpace, new: NewContent) -> Vectors:
    """Of texts that are stored already, and now stand in the document more often than before."""
    wanted = {passage.content_hash for passage in new.passages} - new.vectors.keys()
    if not wanted:
        return {}
    rows = Embedding.objects.filter(
        document=document, space=space, chunk__content_hash__in=wanted, tokens__isnull=False
    )
    found = rows.values_list("chunk__content_hash", "vector", "tokens")
    return {content_hash: StoredVector(vector, tokens) for content_hash, vector, tokens in found}


def move(places: Sequence[Mapping[str, Any]]) -> None:
    """Write where the passages are now. One statement: thirty times as fast as Django's ``bulk_update``."""
    with connection.cursor() as cursor:
        for start in range(0, len(places), MOVE_STEP):
            cursor.execute(MOVE, [json.dumps(places[start : start + MOVE_STEP])])


def placed(passage: Passage) -> dict[str, Any]:
    """What a kept passage may differ in from the one before: its place, not its words."""
    return {
        "ordinal": passage.ordinal,
        "page_start": passage.page_start,
        "page_end": passage.page_end,
        "start": passage.start,
        "end": passage.end,
        "boxes": [list(box) for box in passage.boxes],
        "heading": list(passage.heading),
    }


def chunk_of(document: Document, passage: Passage, language: str) -> Chunk:
    return Chunk(
        document=document,
        collection_id=document.collection_id,
        language=language,
        text=passage.text,
        context=passage.context,
        content_hash=passage.content_hash,
        token_count=passage.token_count,
        **placed(passage),
    )


def embedding_of(chunk: Chunk, space: EmbeddingSpace, stored: StoredVector) -> Embedding:
    return Embedding(
        chunk=chunk,
        space=space,
        document_id=chunk.document_id,
        collection_id=chunk.collection_id,
        vector=stored.vector,
        tokens=stored.tokens,
    )


def pages_of(document: Document, parsed: ParsedDocument) -> list[Page]:
    return [
        Page(
            document=document,
            number=page.number,
            text=page.text,
            width=page.width,
            height=page.height,
            label=page.label[:100],
            recognised=page.recognised,
        )
        for page in parsed.pages
    ]


def finish(document: Document, new: NewContent) -> None:
    """Ready, with all that is known of it."""
    discard_former_file(document)
    quality = new.quality
    document.title = new.title
    document.indexed_file, document.indexed_kind = str(document.file.name), document.kind
    document.metadata = {**new.parsed.metadata, **kept_metadata(document)}
    document.page_count, document.chunk_count = len(new.parsed.pages), len(new.passages)
    document.language, document.quality = quality.language, quality.verdict
    if not document.metadata.get("dated_given"):
        document.dated = day_of(new.parsed.metadata)
    document.characters_per_page = quality.characters_per_page
    document.blank_share, document.garbled_share = quality.blank_share, quality.garbled_share
    document.notice = " ".join(filter(None, (quality.advice, new.notice)))
    document.status, document.stage, document.percent = Status.READY, Stage.NONE, 100
    document.stage_done = document.stage_total = 0
    document.reason = document.error_detail = ""
    document.indexed_at = timezone.now()
    document.save()


def kept_metadata(document: Document) -> dict[str, object]:
    return {key: document.metadata[key] for key in GIVEN if key in document.metadata}
