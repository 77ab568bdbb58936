"""The lexical index over passages: BM25 where the extension is, text search where it is missing."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from typing import Any, Literal

from django.db import connection

from documents.statements import Rows, Statement, answers

#: ``stale`` is BM25 after a restart of the server, until the index was checked.
Backend = Literal["bm25", "stale", "tsvector"]

logger = logging.getLogger(__name__)

#: Terms come folded and stemmed (``passage_terms``): the indexes have nothing left to do but split.
TEXT_CONFIG = "simple"
#: As seconds, so that no session's time zone changes how it reads.
SERVER_START = "extract(epoch FROM pg_postmaster_start_time())::text"
#: Languages change with uploads; so long an answer about them holds.
LANGUAGES_SECONDS = 60


@dataclass(frozen=True, slots=True)
class LexicalIndex:
    """A table with ``terms``, and its index: the one by ``bm25``, or the other where that is missing."""

    table: str
    bm25: str
    tsvector: str


PASSAGES = LexicalIndex("documents_chunk", "chunk_terms_bm25", "chunk_terms_tsvector")
IDENTITIES = LexicalIndex("documents_documentidentity", "identity_terms_bm25", "identity_terms_tsvector")
INDEXES = (PASSAGES, IDENTITIES)
BACKEND = Statement(
    f"SELECT obj_description(to_regclass(%s)), {SERVER_START}, "
    "to_regclass(%s) IS NOT NULL AND to_regclass(%s) IS NOT NULL",
    (PASSAGES.bm25, PASSAGES.bm25, IDENTITIES.bm25),
)


WHOLE = "SELECT passage_terms(l, %s::text) FROM unnest(%s::text[]) AS l"
WORD_BY_WORD = """
    WITH said AS (
        SELECT number, passage_terms(l, word) AS terms
        FROM regexp_split_to_table(%s::text, '\\s+') WITH ORDINALITY AS split(word, number),
            unnest(%s::text[]) AS l)
    SELECT terms FROM said WHERE number NOT IN (SELECT number FROM said WHERE terms = '') ORDER BY number"""


def terms_of(text: str) -> list[str]:
    """The terms of a query, each once, in every language that documents are written in.

    A word that any of these languages passes over counts in none: "the" is rare in German texts, and means
    nothing there either.
    """
    return terms_in(answers(terms_statement(text))[0], text)


def terms_statement(text: str) -> Statement:
    """What ``terms_in`` reads."""
    known = languages()
    return Statement(WHOLE if len(known) == 1 else WORD_BY_WORD, (text, known))


def terms_in(rows: Rows, text: str) -> list[str]:
    found = said(rows)
    known = languages()
    # Nothing but words that are passed over: then they are what is meant.
    return found if found or len(known) == 1 else said(answers(Statement(WHOLE, (text, known)))[0])


def said(rows: Rows) -> list[str]:
    return list(dict.fromkeys(term for (terms,) in rows for term in (terms or "").split()))


def languages() -> list[str]:
    """Of all documents, whoever may see them: a language tells nothing of what is written in it.

    Kept in the process: it is asked several times in a search, which must not wait for a cache that hangs.
    """
    asked_at, found = _languages
    if not found or time.monotonic() - asked_at > LANGUAGES_SECONDS:
        with connection.cursor() as cursor:
            cursor.execute("SELECT min(language) FROM documents_document GROUP BY text_config(language)")
            found = [language for (language,) in cursor.fetchall()] or [""]
        _languages[:] = [time.monotonic(), found]
    return found


def forget_languages() -> None:
    """Ask anew next time."""
    _languages[:] = [0.0, []]


_languages: list[Any] = [0.0, []]


def create_index(cursor: Any) -> None:
    """Create the indexes that this server can have. They are derived data: drop and create at will."""
    bm25 = bm25_available(cursor)
    if bm25:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_textsearch")
    for index in INDEXES:
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS {index.bm25} ON {index.table} "
            f"USING bm25 (terms) WITH (text_config = '{TEXT_CONFIG}')"
            if bm25
            else f"CREATE INDEX IF NOT EXISTS {index.tsvector} ON {index.table} "
            f"USING gin (to_tsvector('{TEXT_CONFIG}', terms))"
        )
    if bm25:
        mark_sound(cursor)


def drop_index(cursor: Any) -> None:
    for index in INDEXES:
        cursor.execute(f"DROP INDEX IF EXISTS {index.bm25}")
        cursor.execute(f"DROP INDEX IF EXISTS {index.tsvector}")


def bm25_available(cursor: Any) -> bool:
    """The extension has to be installed and preloaded: without the second its index cannot be made."""
    cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_textsearch'")
    if cursor.fetchone() is None:
        return False
    cursor.execute("SHOW shared_preload_libraries")
    return "pg_textsearch" in cursor.fetchone()[0]


def backend() -> Backend:
    """What the lexical legs can use now. Asked for every search: a restart of the server changes it.

    All serve by BM25 or none does, so that scores of one search are of one kind. The comment on the
    passages' index speaks for all: they are checked and rebuilt together.
    """
    return backend_in(answers(BACKEND)[0])


def backend_in(rows: Rows) -> Backend:
    """Of the rows of ``BACKEND``."""
    ((comment, started, complete),) = rows
    if not complete:
        return "tsvector"
    return "bm25" if comment == sound_since(started) else "stale"


def sound_since(started: str) -> str:
    """The comment on the index that says: checked since this start of the server."""
    return f"checked since the start of {started}"


def repair_after_restart() -> bool:
    """Check the BM25 index once for each start of the server; rebuild it when it is not whole.

    pg_textsearch 1.0.0 keeps its newest passages and its count of passages in memory: after a clean
    restart the count is wrong, after a crash the passages are missing as well. What a rebuild writes
    is on disk and stays. Returns whether it was rebuilt. Any number of processes may call this.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('documents.lexical'))")
        if not cursor.fetchone()[0]:
            return False
        try:
            if backend() != "stale":
                return False
            torn = [index for index in INDEXES if not is_whole(cursor, index)]
            for index in torn:
                logger.info("%s is not whole after a restart of the server; rebuilding it", index.bm25)
                rebuild(index)
            mark_sound(cursor)
            return bool(torn)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('documents.lexical'))")


def rebuild(index: LexicalIndex) -> None:
    """Build the index that there is anew, beside the old one."""
    name = index.tsvector if backend() == "tsvector" else index.bm25
    with connection.cursor() as cursor:
        cursor.execute(f"REINDEX INDEX CONCURRENTLY {name}")


def is_whole(cursor: Any, index: LexicalIndex) -> bool:
    """Whether every row is in the index's segments on disk. Unknown to any but a superuser: no."""
    cursor.execute("SELECT current_setting('is_superuser')")
    if cursor.fetchone()[0] != "on":
        return False
    cursor.execute(f"SELECT bm25_summarize_index(%s), (SELECT count(*) FROM {index.table})", [index.bm25])
    summary, rows = cursor.fetchone()
    counted = re.search(r"total_docs: (\d+)", summary)
    in_memory = re.search(r"docids: (\d+)", summary)
    return bool(counted and int(counted[1]) == rows and (in_memory is None or in_memory[1] == "0"))


def mark_sound(cursor: Any) -> None:
    cursor.execute(f"SELECT {SERVER_START}")
    cursor.execute(f"COMMENT ON INDEX {PASSAGES.bm25} IS %s", [sound_since(cursor.fetchone()[0])])
