"""Invariants between rows: each query finds what must not be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from django.db import connection, transaction
from django.http import Http404
from django.utils import timezone

from documents import sweep
from documents.identity import day_of
from documents.integrity.types import Check, rows
from documents.models import Chunk, Document, DocumentIdentity, Page, Status
from documents.services import bin_empty, document_delete, document_identify, document_reindex
from documents.spaces import active_space

#: Documents, by what is wrong with what is stored of them. Reading them again mends it.
BROKEN_DOCUMENTS = {
    "ready documents whose passages are not all there": """
        SELECT d.id FROM documents_document d WHERE d.status = 'ready' AND d.chunk_count <>
        (SELECT count(*) FROM documents_chunk c WHERE c.document_id = d.id)""",
    "ready documents whose pages are not all there": """
        SELECT d.id FROM documents_document d LEFT JOIN documents_page p ON p.document_id = d.id
        WHERE d.status = 'ready' GROUP BY d.id HAVING count(p.id) = 0 OR count(p.id) <> d.page_count""",
    "ready documents that were read from another file": """
        SELECT id FROM documents_document WHERE status = 'ready' AND indexed_file <> file""",
    "passages that are not verbatim on their page": """
        SELECT DISTINCT c.document_id FROM documents_chunk c JOIN documents_page p
        ON p.document_id = c.document_id AND p.number = c.page_start
        WHERE c.page_start = c.page_end AND substr(p.text, c.start + 1, c."end" - c.start) <> c.text""",
    "passages on a page that does not exist": """
        SELECT DISTINCT c.document_id FROM documents_chunk c WHERE NOT EXISTS (SELECT 1 FROM documents_page p
        WHERE p.document_id = c.document_id AND p.number = c.page_start)""",
    "passages that stand twice in a document": """
        SELECT DISTINCT document_id FROM documents_chunk
        GROUP BY document_id, page_start, start HAVING count(*) > 1""",
}
FAILED_WITH_CONTENT = """
    SELECT d.id FROM documents_document d WHERE d.status = 'failed' AND (
    EXISTS (SELECT 1 FROM documents_chunk c WHERE c.document_id = d.id)
    OR EXISTS (SELECT 1 FROM documents_page p WHERE p.document_id = d.id)
    OR EXISTS (SELECT 1 FROM documents_documentidentity i WHERE i.document_id = d.id))"""
UNNAMED = """
    SELECT d.id FROM documents_document d WHERE d.status = 'ready'
    AND NOT EXISTS (SELECT 1 FROM documents_documentidentity i WHERE i.document_id = d.id)"""
WITHOUT_VECTOR = """
    SELECT DISTINCT c.document_id FROM documents_chunk c WHERE NOT EXISTS
    (SELECT 1 FROM documents_embedding e WHERE e.chunk_id = c.id AND e.space_id = %s)"""
OF_ANOTHER = """
    SELECT e.id FROM documents_embedding e JOIN documents_chunk c ON c.id = e.chunk_id
    WHERE c.document_id <> e.document_id"""
LEFT_BY_MAILS = """
    SELECT d.id FROM documents_document d WHERE d.only_attached AND d.binned_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM documents_attachment a WHERE a.document_id = d.id)"""
ELSEWHERE = """
    SELECT DISTINCT d.id FROM {table} part JOIN documents_document d ON d.id = part.document_id
    WHERE part.collection_id <> d.collection_id"""
PARTS = {
    "passages": "documents_chunk",
    "vectors": "documents_embedding",
    "names": "documents_documentidentity",
}
MISBINNED = """
    SELECT d.id FROM documents_document d JOIN documents_collection c ON c.id = d.collection_id
    WHERE (c.bin_of_id IS NULL) <> (d.binned_at IS NULL)"""
#: Long after ``BIN_SECONDS``, which a worker that is away or busy may exceed.
FORGOTTEN_IN_BIN = """
    SELECT d.id FROM documents_document d WHERE d.binned_at < now() - interval '1 hour'"""
LEFT_OF_DELETED = """
    SELECT x.document_id FROM documents_deletion x WHERE EXISTS (
    SELECT 1 FROM documents_document d WHERE d.id = x.document_id
    UNION ALL SELECT 1 FROM documents_page p WHERE p.document_id = x.document_id
    UNION ALL SELECT 1 FROM documents_chunk c WHERE c.document_id = x.document_id
    UNION ALL SELECT 1 FROM documents_embedding e WHERE e.document_id = x.document_id
    UNION ALL SELECT 1 FROM documents_documentidentity i WHERE i.document_id = x.document_id
    UNION ALL SELECT 1 FROM django_admin_log l WHERE l.object_id = x.document_id::text
    AND l.object_repr <> x.document_id::text)"""


def finder(sql: str) -> Callable[[], list[str]]:
    return lambda: rows(sql)


def without_job() -> list[str]:
    return [str(pk) for pk in Document.objects.on_their_way().without_job().values_list("pk", flat=True)]


def without_vector() -> list[str]:
    space = active_space()
    return rows(WITHOUT_VECTOR, space.pk if space else None)


def held_by_the_dead() -> list[str]:
    """Documents whose job a worker holds that lives no more: no heartbeat, no end."""
    return [str(document) for _, document in sweep.stalled_jobs()]


def read_again(documents: Sequence[str]) -> None:
    for document in Document.objects.filter(pk__in=documents):
        with suppress(Http404):  # deleted meanwhile
            document_reindex(document=document)


def empty(documents: Sequence[str]) -> None:
    failed = Document.objects.filter(pk__in=documents, status=Status.FAILED)
    Chunk.objects.filter(document__in=failed).delete()
    Page.objects.filter(document__in=failed).delete()
    DocumentIdentity.objects.filter(document__in=failed).delete()


def identify(documents: Sequence[str]) -> None:
    """Documents of an earlier version have neither names nor a date."""
    for pk in documents:
        with transaction.atomic():
            ready = Document.objects.select_for_update(no_key=True).filter(pk=pk, status=Status.READY)
            if document := ready.first():
                document.dated = document.dated or day_of(document.metadata)
                document.save(update_fields=["dated"])
                document_identify(document=document)


def mover(table: str) -> Callable[[Sequence[str]], None]:
    def move(documents: Sequence[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {table} part SET collection_id = d.collection_id FROM documents_document d "
                "WHERE d.id = part.document_id AND d.id = ANY(%s::uuid[])",
                [list(documents)],
            )

    return move


def give_back(vectors: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE documents_embedding e SET document_id = c.document_id FROM documents_chunk c "
            "WHERE c.id = e.chunk_id AND e.id = ANY(%s::bigint[])",
            [list(vectors)],
        )


def delete(documents: Sequence[str]) -> None:
    for document in Document.objects.filter(pk__in=documents, only_attached=True, messages=None):
        document_delete(document=document, user=None)


def bin_again(documents: Sequence[str]) -> None:
    """Where it is decides whether it is deleted: nobody has seen what is in a bin."""
    found = Document.objects.filter(pk__in=documents)
    found.filter(collection__bin_of=None).update(binned_at=None, binned_by=None)
    found.filter(collection__bin_of__isnull=False).update(binned_at=timezone.now())


def empty_bins(_: Sequence[str]) -> None:
    bin_empty()


def sweep_again(_: Sequence[str]) -> None:
    sweep.sweep()


def forget(documents: Sequence[str]) -> None:
    """The admin's history of deleted documents; their rows have gone with the document or not at all."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_admin_log SET object_repr = object_id, change_message = '' "
            "WHERE object_id = ANY(%s)",
            [list(documents)],
        )


def misplaced(what: str, table: str) -> Check:
    invariant = f"{what} in another collection than their document"
    return Check(invariant, finder(ELSEWHERE.format(table=table)), mover(table))


CHECKS = (
    *(Check(name, finder(sql), read_again) for name, sql in BROKEN_DOCUMENTS.items()),
    Check("passages without a vector in the active space", without_vector, read_again),
    Check("vectors of another document than their passage", finder(OF_ANOTHER), give_back),
    Check("ready documents that nothing names", finder(UNNAMED), identify),
    Check("failed documents that still have pages, passages or names", finder(FAILED_WITH_CONTENT), empty),
    Check("documents on their way without a job", without_job, sweep_again),
    Check("documents on their way whose worker is dead", held_by_the_dead, sweep_again),
    *(misplaced(what, table) for what, table in PARTS.items()),
    Check("attachments whose mails are all gone", finder(LEFT_BY_MAILS), delete),
    Check("documents in a bin that were not deleted, or the other way", finder(MISBINNED), bin_again),
    Check("documents in a bin long after their time", finder(FORGOTTEN_IN_BIN), empty_bins),
    Check("deleted documents of which something is left", finder(LEFT_OF_DELETED), forget),
)
