"""Invariants between rows and what stands beside them: the stored files, the two indexes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from datetime import timedelta

from django.core.files.storage import default_storage
from django.db import connection, transaction

from documents import lexical, stored_files
from documents.integrity.types import Check, rows
from documents.models import Document, Embedding
from documents.spaces import active_space, index_name

#: An upload stores its file a moment before its row is committed.
UPLOAD_SECONDS = 2.0
UNDER_WAY = timedelta(minutes=1)
#: Passages that are looked for in each index.
SAMPLE = 20
#: So near the top of its document a passage has to be found by its own words.
DEPTH = 50
#: No way through a graph may lead to a passage that is like no other; an index that is broken loses more.
UNREACHED = 1
#: The cosine of a vector with itself, as halves of floats have it.
NEAR = 0.999


def changed_originals() -> list[str]:
    """Every document's file is there, with the bytes that were uploaded."""
    documents = Document.objects.only("file", "sha256", "filename").iterator()
    return [f"{each.pk} {each.filename}" for each in documents if is_changed(each) and is_current(each)]


def is_changed(document: Document) -> bool:
    return file_sha256(document) != document.sha256


def is_current(document: Document) -> bool:
    """Whether the row still says so: people delete and replace while this looks."""
    return Document.objects.filter(pk=document.pk, file=document.file.name, sha256=document.sha256).exists()


def file_sha256(document: Document) -> str:
    try:
        with document.file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def unowned_files() -> list[str]:
    found = stored_files.unowned(list(stored_files.stored_files()))
    if found:
        time.sleep(UPLOAD_SECONDS)
        found = [name for name in stored_files.unowned(found) if default_storage.exists(name)]
    return found


def delete_files(names: Sequence[str]) -> None:
    """Only those that no upload can be about to commit."""
    stored_files.remove_unowned(names, older_than=UNDER_WAY)


def unfound_by_words() -> list[str]:
    """Sampled passages that the lexical index does not find by their own words."""
    lexical.repair_after_restart()  # as a portal does at its start: this may be the first to look since
    index = lexical.PASSAGES
    if lexical.backend() == "tsvector":
        return rows(
            f"SELECT id FROM (SELECT id, terms FROM {index.table} ORDER BY random() LIMIT %s) s WHERE NOT "
            f"to_tsvector('{lexical.TEXT_CONFIG}', s.terms) @@ "
            f"plainto_tsquery('{lexical.TEXT_CONFIG}', left(s.terms, 100))",
            SAMPLE,
        )
    with transaction.atomic(), connection.cursor() as cursor:
        # Else a small table is scanned, and the index not asked at all.
        cursor.execute("SET LOCAL enable_seqscan = off")
        return rows(
            f"SELECT id FROM (SELECT *, left(terms, 300) AS words FROM {index.table} "
            "ORDER BY random() LIMIT %s) s WHERE words <> '' AND NOT EXISTS (SELECT 1 FROM (SELECT terms, "
            f"terms <@> to_bm25query(s.words, '{index.bm25}') AS score "
            f"FROM {index.table} c WHERE c.document_id = s.document_id "
            f"ORDER BY terms <@> to_bm25query(s.words, '{index.bm25}') LIMIT %s) f "
            # Among very many that say the same it may be crowded out by its equals.
            "HAVING bool_or(f.terms = s.terms) OR "
            f"max(f.score) <= (s.terms <@> to_bm25query(s.words, '{index.bm25}')) + 0.001)",
            SAMPLE,
            DEPTH,
        )


def unfound_by_vector() -> list[str]:
    """Sampled vectors that the HNSW index does not find, or nothing as near to them."""
    space = active_space()
    if space is None:
        return []
    sample = Embedding.objects.filter(space=space).order_by("?")[:SAMPLE]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL hnsw.ef_search = 200")
        missing = [
            str(each.chunk_id)
            for each in sample
            if not any(near.score > NEAR for near in Embedding.objects.by_index(each.vector, space, 1).rows())
        ]
    return missing if len(missing) > len(sample) // SAMPLE * UNREACHED else []


def rebuild_lexical(_: Sequence[str]) -> None:
    for index in lexical.INDEXES:
        lexical.rebuild(index)


def rebuild_vectors(_: Sequence[str]) -> None:
    space = active_space()
    if space is not None:
        with connection.cursor() as cursor:
            cursor.execute(f"REINDEX INDEX CONCURRENTLY {index_name(space.pk)}")


CHECKS = (
    Check("originals that are missing or changed", changed_originals),
    Check("stored files without a document", unowned_files, delete_files),
    Check("sampled passages that the lexical index does not find", unfound_by_words, rebuild_lexical),
    Check("sampled passages that the vector index does not find", unfound_by_vector, rebuild_vectors),
)
