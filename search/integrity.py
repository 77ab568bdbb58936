"""Invariants of what answers keep: nothing of a document that was deleted."""

from __future__ import annotations

from collections.abc import Sequence

from documents.integrity.types import Check, rows
from search import recording

#: Answers with a citation of a deleted document that still quotes it.
QUOTING = """
    SELECT DISTINCT answer_id FROM search_citation
    WHERE document_id IS NULL AND (quote <> '' OR boxes <> '[]' OR NOT withdrawn)"""
#: Answers with a sentence that rests on withdrawn citations alone, and can still be read.
SAYING = """
    SELECT DISTINCT a.id FROM search_answer a CROSS JOIN LATERAL jsonb_array_elements(a.sentences) s
    WHERE s->>'text' <> '' AND jsonb_array_length(s->'citations') > 0 AND NOT EXISTS (
    SELECT 1 FROM jsonb_array_elements_text(s->'citations') n WHERE NOT EXISTS (
    SELECT 1 FROM search_citation c WHERE c.answer_id = a.id AND c.n = n::int AND c.withdrawn))"""
#: Ended answers whose log still holds what they read of a deleted document.
LOGGING = """
    SELECT DISTINCT e.answer_id FROM search_answerevent e JOIN search_answer a ON a.id = e.answer_id
    WHERE a.state <> 'running' AND e.type NOT IN ('done', 'error')
    AND EXISTS (SELECT 1 FROM documents_deletion d WHERE d.document_id = ANY (a.seen))"""
#: Answers whose receipt still holds text that they read of a deleted document.
KEEPING = """
    SELECT a.id FROM search_answer a WHERE a.receipt ?| array['prompt', 'standalone']
    AND EXISTS (SELECT 1 FROM documents_deletion d WHERE d.document_id = ANY (a.seen))"""


def wipe(answers: Sequence[str]) -> None:
    recording.answers_wipe(answers=answers)


CHECKS = (
    Check("answers that quote a deleted document", lambda: rows(QUOTING), wipe),
    Check("answers with sentences of deleted documents alone", lambda: rows(SAYING), wipe),
    Check("answers whose log holds text of a deleted document", lambda: rows(LOGGING), wipe),
    Check("answers whose receipt holds text of a deleted document", lambda: rows(KEEPING), wipe),
)
