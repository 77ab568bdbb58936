"""What is shown of hits, answers and events: the shapes of the API. Quotes are checked at every reading."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from documents.models import Chunk, Document
from search.exceptions import SearchError
from search.explanation import shown
from search.models import Answer, Citation, Feedback
from search.types import Event, Evidence, Hit, Outcome, PageBox, SearchResult, Sentence, Sources

if TYPE_CHECKING:
    from documents.querysets import User
    from search.answers import Replay
    from search.facets import Facets
    from search.why import Trace

JSON = dict[str, Any]


# --- Search ---------------------------------------------------------------------------------


def search_json(result: SearchResult, *, facets: Facets | None = None, raw: bool = False) -> JSON:
    """``raw`` shows the legs' own scores, which tell of everybody's documents: for curators."""
    body: JSON = {
        "query": result.request.query,
        "mode": result.request.mode,
        "degraded": list(result.degraded),
        "took_ms": result.took_ms,
        "suggestion": result.suggestion,
        "results": [hit_json(hit) for hit in result.hits],
    }
    if facets is not None:
        body["facets"] = {name: [asdict(value) for value in values] for name, values in facets.items()}
    if result.explanation is not None:
        body["explanation"] = shown(result.explanation, raw=raw)
    return body


def trace_json(trace: Trace, query: str) -> JSON:
    return {
        "query": query,
        "document": {"id": str(trace.document.pk), "title": trace.document.title},
        "found": trace.lost_at is None,
        "lost_at": trace.lost_at,
        "sentence": trace.sentence,
        "steps": [asdict(step) for step in trace.steps],
        "passages": [
            {
                "chunk": each.chunk_id,
                "page": each.page,
                "heading": list(each.heading),
                "text": each.text,
                "ranks": dict(each.ranks),
            }
            for each in trace.passages
        ],
    }


def hit_json(hit: Hit) -> JSON:
    return {
        "rank": hit.rank,
        "score": hit.score,
        "document": {"id": str(hit.document_id), "title": hit.document_title},
        "chunk": hit.chunk_id,
        "page": hit.page,
        "page_end": hit.page_end,
        "heading": list(hit.heading),
        "text": hit.text,
        "highlights": [list(span) for span in hit.highlights],
        "matched": dict(hit.matched),
    }


# --- Answers --------------------------------------------------------------------------------


def evidence_json(evidence: Evidence) -> JSON:
    """A citation as ``sources`` carries it, before anything is stored."""
    hit = evidence.hit
    return {
        "n": evidence.n,
        "document": {"id": str(hit.document_id), "title": hit.document_title},
        "page": hit.page,
        "chunk": hit.chunk_id,
        "quote": evidence.quote,
        "boxes": [list(box) for box in quote_boxes(evidence)],
    }


def sources_json(sources: Sources, kept: Collection[UUID]) -> JSON:
    """The ``sources`` event; nothing is told of documents that are not among the ``kept``."""
    citations = [
        evidence_json(each) if each.hit.document_id in kept else withheld(each.n) for each in sources.evidence
    ]
    return {"citations": citations, "restart": True} if sources.restart else {"citations": citations}


def quote_boxes(evidence: Evidence) -> tuple[PageBox, ...]:
    """The boxes of the quoted lines. Where lines and boxes do not pair, those of the whole passage."""
    text, boxes = evidence.hit.text, evidence.hit.boxes
    spans, position = [], 0
    for line in text.split("\n"):
        if line.strip():
            spans.append((position, position + len(line)))
        position += len(line) + 1
    if len(spans) != len(boxes):
        return boxes
    pairs = zip(spans, boxes, strict=True)
    return tuple(box for (start, end), box in pairs if start < evidence.end and end > evidence.start)


def answer_json(answer: Answer, reader: User) -> JSON:
    """The stored answer for ``reader``: what they may no longer see is withheld."""
    citations = citations_json(answer.citations.all(), reader)
    sentences = readable_sentences(answer, citations)
    return {
        "id": str(answer.pk),
        "conversation": str(answer.conversation_id),
        "question": answer.question,
        "state": answer.state,
        "answer": wording(sentences),
        "abstained": answer.abstained,
        "sentences": sentences,
        "citations": citations,
        "timings": answer.timings,
        "settings": answer.settings,
        "error": answer.error,
        "scope": answer.scope,
        "created_at": answer.created_at.isoformat(),
        "feedback": feedback_json(answer),
    }


def readable_text(answer: Answer, reader: User) -> str:
    """The wording of a stored answer, as far as ``reader`` may still read it."""
    return wording(readable_sentences(answer, citations_json(answer.citations.all(), reader)))


def readable_sentences(answer: Answer, citations: Iterable[JSON]) -> list[JSON]:
    withdrawn = {citation["n"] for citation in citations if citation.get("withdrawn")}
    return [sentence_json(sentence, withdrawn) for sentence in answer.sentences]


def wording(sentences: Iterable[JSON]) -> str:
    return " ".join(sentence["text"] for sentence in sentences if sentence["text"])


def sentence_json(sentence: Mapping[str, Any], withdrawn: set[int]) -> JSON:
    """A sentence; without its text when everything it rests on is withdrawn."""
    cited = sentence["citations"]
    gone = sentence.get("withdrawn") or (cited and withdrawn.issuperset(cited))
    return {**sentence, "text": "", "withdrawn": True} if gone else dict(sentence)


def citations_json(rows: Iterable[Citation], reader: User) -> list[JSON]:
    rows = list(rows)
    ids = {row.document_id for row in rows if row.document_id}
    titles = dict(Document.objects.visible_to(reader).filter(pk__in=ids).values_list("pk", "title"))
    current = current_chunks(rows, titles.keys())
    return [
        stored_citation(row, titles[row.document_id], current)
        if row.document_id in titles and not row.withdrawn
        else withheld(row.n)
        for row in rows
    ]


def current_chunks(rows: Iterable[Citation], documents: Iterable[Any]) -> dict[tuple[Any, str], int]:
    """Passages that still say what was quoted, under the keys they have now."""
    hashes = {row.content_hash for row in rows}
    found = Chunk.objects.filter(document_id__in=list(documents), content_hash__in=hashes)
    return {(doc, digest): pk for doc, digest, pk in found.values_list("document_id", "content_hash", "pk")}


def stored_citation(row: Citation, title: str, current: Mapping[tuple[Any, str], int]) -> JSON:
    chunk = current.get((row.document_id, row.content_hash))
    shown: JSON = {
        "n": row.n,
        "document": {"id": str(row.document_id), "title": title},
        "page": row.page,
        "chunk": chunk,
        "quote": row.quote,
        "boxes": row.boxes,
        "start": row.start,
        "end": row.end,
    }
    return shown if chunk else {**shown, "changed": True}


def withheld(n: int) -> JSON:
    empty: JSON = {"document": None, "page": None, "chunk": None, "quote": "", "boxes": []}
    return {"n": n, **empty, "withdrawn": True}


def feedback_json(answer: Answer) -> JSON | None:
    given = Feedback.objects.filter(answer=answer).first()
    return {"rating": given.rating, "reason": given.reason} if given else None


def outcome_json(outcome: Outcome) -> JSON:
    """A fresh answer that is not stored."""
    return {
        "answer": outcome.text,
        "abstained": outcome.abstained,
        "sentences": [fresh_sentence(sentence) for sentence in outcome.sentences],
        "citations": [evidence_json(evidence) for evidence in outcome.evidence],
        "timings": outcome.timings,
        "settings": outcome.settings,
    }


def fresh_sentence(sentence: Sentence) -> JSON:
    return {
        "text": sentence.text,
        "citations": list(sentence.citations),
        "supported": sentence.supported,
    }


def replay_json(replay: Replay, reader: User) -> JSON:
    """The fresh run beside the stored answer, and the difference in documents and wording."""
    return {
        **outcome_json(replay.outcome),
        "id": str(replay.answer.pk),
        "difference": {
            "documents_added": [str(pk) for pk in replay.documents_added],
            "documents_removed": [str(pk) for pk in replay.documents_removed],
            "wording_changed": replay.wording_changed,
            "abstained_changed": replay.abstained_changed,
        },
        "stored": answer_json(replay.answer, reader),
    }


def is_withheld(answer: Answer, reader: User) -> bool:
    """Whether ``reader`` may no longer see any one of the documents that the answer saw, cited or not."""
    if answer.state == Answer.State.RUNNING and not answer.seen:
        return False  # it has just begun
    cited = answer.citations.filter(withdrawn=False).exclude(document=None)
    saw = {*answer.seen, *cited.values_list("document_id", flat=True)}
    readable = Document.objects.visible_to(reader).filter(pk__in=saw).values_list("pk", flat=True)
    return bool(saw.difference(readable)) or answer.citations.filter(withdrawn=True).exists()


# --- Events and errors ----------------------------------------------------------------------


def event_json(event: Event) -> JSON:
    """An event as it is sent. ``answer`` is the id in each, so ``done`` has the wording in ``text``."""
    text = {"text": event.payload.get("answer", "")} if event.type == "done" else {}
    return {**event.payload, **text, "type": event.type, "answer": str(event.answer), "seq": event.seq}


def problem(error: SearchError) -> JSON:
    """A problem object (RFC 9457). ``type`` is left to ``event_json``; ``code`` tells the kind."""
    title = (type(error).__doc__ or "").strip()
    return {"title": title, "status": error.status, "code": error.code, "detail": str(error)}
