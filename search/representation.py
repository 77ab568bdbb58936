"""What is shown of hits, answers and events: the shapes of the API. Quotes are checked at every reading."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils.translation import gettext as _

from documents.line_boxes import boxes_between
from documents.models import Chunk, Document
from documents.told import told
from search.abstention import said
from search.events import Event
from search.exceptions import SearchError
from search.explanation import shown
from search.models import Answer, Citation, Feedback
from search.types import Evidence, Hit, Outcome, PageBox, Refusal, SearchResult, Sentence, Sources

if TYPE_CHECKING:
    from documents.facets import Facets
    from documents.querysets import User
    from search.replaying import Replay
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
        "cached": result.cached,
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
    return tuple(boxes_between(evidence.hit.text, evidence.hit.boxes, evidence.start, evidence.end))


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
        "refusal": refusal_json(answer, reader),
        "sentences": sentences,
        "citations": citations,
        "timings": answer.timings,
        "settings": answer.settings,
        "fallback": fallback_sentence(answer.settings),
        "cached": "cached" in answer.settings,
        "error": answer.error,
        "scope": answer.scope,
        "replaces": str(answer.replaces_id) if answer.replaces_id else None,
        "created_at": answer.created_at.isoformat(),
        "feedback": feedback_json(answer),
    }


def fallback_sentence(settings: Mapping[str, Any]) -> str | None:
    """What people are told where the language model failed."""
    if not settings.get("fallback"):
        return None
    if settings.get("answered_by"):
        return _("The language model did not answer. These are sentences of the sources instead.")
    return _("The language model broke off. What it had said until then stands.")


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


def refusal_row(refusal: Refusal | None) -> JSON | None:
    """A refusal as it is kept: without words of passages, which are read anew."""
    if refusal is None:
        return None
    closest = [{"document": str(hit.document_id), "chunk": hit.chunk_id} for hit in refusal.closest]
    return {
        "code": refusal.code,
        "missing": list(refusal.missing),
        "apart": list(refusal.apart),
        "closest": closest,
    }


def refusal_json(answer: Answer, reader: User) -> JSON | None:
    """Why there is no answer, in words, with those of the closest passages that ``reader`` may see."""
    kept = answer.refusal
    if kept is None:
        return None
    ids = [each["chunk"] for each in kept["closest"]]
    found = Chunk.objects.visible_to(reader).select_related("document").in_bulk(ids)
    return {
        "code": kept["code"],
        "sentence": said(kept["code"], kept["missing"], kept["apart"]),
        "missing": [*kept["missing"], *kept["apart"]],
        "closest": [closest_json(found[pk]) for pk in ids if pk in found],
    }


def closest_json(chunk: Chunk) -> JSON:
    return {
        "document": {"id": str(chunk.document_id), "title": chunk.document.title},
        "page": chunk.page_start,
        "chunk": chunk.pk,
        "text": chunk.text,
        "start": chunk.start,
        "end": chunk.end,
    }


def feedback_json(answer: Answer) -> JSON | None:
    given = Feedback.objects.filter(answer=answer).first()
    if given is None:
        return None
    rated: JSON = {"rating": given.rating, "reason": given.reason}
    return {**rated, "category": given.category} if given.category else rated


def outcome_json(outcome: Outcome) -> JSON:
    """A fresh answer that is not stored."""
    return {
        "answer": outcome.text,
        "abstained": outcome.abstained,
        "refusal": refusal_row(outcome.refusal),
        "sentences": [fresh_sentence(sentence) for sentence in outcome.sentences],
        "citations": [evidence_json(evidence) for evidence in outcome.evidence],
        "timings": outcome.timings,
        "settings": outcome.settings,
        "fallback": fallback_sentence(outcome.settings),
    }


def fresh_sentence(sentence: Sentence) -> JSON:
    return {
        "text": sentence.text,
        "citations": list(sentence.citations),
        "supported": sentence.supported,
        "doubts": [asdict(doubt) for doubt in sentence.doubts],
        "span": list(sentence.span) if sentence.span else None,
    }


def replay_json(replay: Replay, reader: User) -> JSON:
    """The fresh run beside the stored answer, and the difference."""
    return {
        **outcome_json(replay.outcome),
        "id": str(replay.answer.pk),
        "difference": {
            "documents_added": [str(pk) for pk in replay.documents_added],
            "documents_removed": [str(pk) for pk in replay.documents_removed],
            "wording_changed": replay.wording_changed,
            "abstained_changed": replay.abstained_changed,
            **difference_json(replay),
        },
        "stored": answer_json(replay.answer, reader),
    }


def difference_json(replay: Replay) -> JSON:
    """What was retrieved then and now, settings, words and refusal."""
    return {
        "compared": replay.compared,
        "documents": [
            {"document": named(each.document, each.title), "change": each.change} for each in replay.documents
        ],
        "passages": [
            {
                "document": named(each.document, each.title),
                "page": each.page,
                "chunk": each.chunk,
                "content_hash": each.content_hash,
                "before": each.before,
                "now": each.now,
            }
            for each in replay.passages
        ],
        "settings": [asdict(each) for each in replay.settings],
        "wording": [asdict(each) for each in replay.wording],
        "refusal": dict(zip(("before", "now"), replay.refusal, strict=True)),
    }


def named(document: UUID | None, title: str) -> JSON | None:
    return {"id": str(document), "title": title} if document else None


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
    if event.type == "error":
        text = {"detail": told(str(event.payload.get("detail", "")))}
    return {**event.payload, **text, "type": event.type, "answer": str(event.answer), "seq": event.seq}


def problem(error: SearchError) -> JSON:
    """A problem object (RFC 9457). ``type`` is left to ``event_json``; ``code`` tells the kind."""
    title = (type(error).__doc__ or "").strip()
    return {"title": title, "status": error.status, "code": error.code, "detail": str(error)}
