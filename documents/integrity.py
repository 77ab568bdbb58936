"""Every invariant of the write way, counted. A breach is a number above zero."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.core.files.storage import default_storage
from django.db import connection

from documents import lexical
from documents.models import Document
from documents.spaces import active_space

UPLOAD_SECONDS = 2.0

#: Each counts rows that must not be there.
SQL_CHECKS = {
    "ready documents whose passages are not all there": """
        SELECT count(*) FROM documents_document d WHERE d.status = 'ready' AND d.chunk_count <>
        (SELECT count(*) FROM documents_chunk c WHERE c.document_id = d.id)""",
    "ready documents without a page": """
        SELECT count(*) FROM documents_document d WHERE d.status = 'ready'
        AND NOT EXISTS (SELECT 1 FROM documents_page p WHERE p.document_id = d.id)""",
    "failed documents that still have passages": """
        SELECT count(*) FROM documents_document d WHERE d.status = 'failed'
        AND EXISTS (SELECT 1 FROM documents_chunk c WHERE c.document_id = d.id)""",
    "documents on their way without a job": """
        SELECT count(*) FROM documents_document d WHERE d.status IN ('queued', 'processing')
        AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.status IN ('todo', 'doing')
        AND j.args->>'document_id' = d.id::text)""",
    "passages in another collection than their document": """
        SELECT count(*) FROM documents_chunk c JOIN documents_document d ON d.id = c.document_id
        WHERE c.collection_id <> d.collection_id""",
    "vectors in another collection than their document": """
        SELECT count(*) FROM documents_embedding e JOIN documents_document d ON d.id = e.document_id
        WHERE e.collection_id <> d.collection_id""",
    "vectors of another document than their passage": """
        SELECT count(*) FROM documents_embedding e JOIN documents_chunk c ON c.id = e.chunk_id
        WHERE c.document_id <> e.document_id""",
    "passages that are not verbatim on their page": """
        SELECT count(*) FROM documents_chunk c JOIN documents_page p
        ON p.document_id = c.document_id AND p.number = c.page_start
        WHERE c.page_start = c.page_end AND substr(p.text, c.start + 1, c."end" - c.start) <> c.text""",
    "passages on a page that does not exist": """
        SELECT count(*) FROM documents_chunk c WHERE NOT EXISTS (SELECT 1 FROM documents_page p
        WHERE p.document_id = c.document_id AND p.number = c.page_start)""",
    "passages that stand twice in a document": """
        SELECT count(*) FROM (SELECT 1 FROM documents_chunk
        GROUP BY document_id, page_start, start HAVING count(*) > 1) twice""",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """An invariant and how often it is broken; ``examples`` says where."""

    invariant: str
    breaches: int
    examples: tuple[str, ...] = ()


def check_integrity() -> list[Finding]:
    """Every invariant, those that hold as well."""
    findings = [Finding(name, count(sql)) for name, sql in SQL_CHECKS.items()]
    checks: tuple[Callable[[], Finding], ...] = (vectors, originals, orphan_files, lexical_sample)
    return findings + [check() for check in checks]


def count(sql: str, parameters: tuple[int | None, ...] = ()) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.fetchone()[0])


def vectors() -> Finding:
    """Every passage has its vector in the space that serves."""
    space = active_space()
    missing = count(
        "SELECT count(*) FROM documents_chunk c WHERE NOT EXISTS "
        "(SELECT 1 FROM documents_embedding e WHERE e.chunk_id = c.id AND e.space_id = %s)",
        (space.pk if space else None,),
    )
    return Finding("passages without a vector in the active space", missing)


def originals() -> Finding:
    """Every document's file is there, with the bytes that were uploaded."""
    wrong = [
        f"{document.pk} {document.filename}"
        for document in Document.objects.only("file", "sha256", "filename").iterator()
        if file_sha256(document) != document.sha256
    ]
    return Finding("originals that are missing or changed", len(wrong), tuple(wrong[:5]))


def file_sha256(document: Document) -> str:
    try:
        with document.file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def orphan_files() -> Finding:
    """No file is kept that no document owns."""
    orphans = unknown(list(stored_files("originals")))
    if orphans:
        # An upload stores its file a moment before its row is committed.
        time.sleep(UPLOAD_SECONDS)
        orphans = unknown(orphans)
    return Finding("stored files without a document", len(orphans), tuple(orphans[:5]))


def unknown(names: list[str]) -> list[str]:
    known = set(Document.objects.values_list("file", flat=True))
    return [name for name in names if name not in known]


def stored_files(folder: str) -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (str(Path(folder) / name) for name in files)
    for name in folders:
        yield from stored_files(str(Path(folder) / name))


def lexical_sample() -> Finding:
    """The lexical index answers for what is stored."""
    if lexical.backend() == "tsvector" or not count(
        "SELECT count(*) FROM (SELECT 1 FROM documents_chunk LIMIT 1) c"
    ):
        return Finding("sampled passages that the lexical index does not find", 0)
    missing = count(
        "SELECT count(*) FROM (SELECT id, document_id, context FROM documents_chunk "
        "ORDER BY random() LIMIT 20) s WHERE NOT EXISTS (SELECT 1 FROM (SELECT id FROM documents_chunk "
        f"ORDER BY context <@> to_bm25query(left(s.context, 300), '{lexical.BM25_INDEX}') LIMIT 50) f "
        "WHERE f.id = s.id)"
    )
    return Finding("sampled passages that the lexical index does not find", missing)
