"""Receipts: how an answer came about, kept with it for people to read and for a replay to compare.

``trace`` holds what was retrieved, by ids, hashes and ranks; ``standalone`` and ``prompt`` hold text of
passages and of earlier answers, and are what is emptied when a document is deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from documents.models import Chunk, Collection, Document
from documents.spaces import active_space
from search.models import Answer
from search.representation import is_withheld
from search.types import Filters, Hit, Outcome, Source

if TYPE_CHECKING:
    from documents.querysets import User

JSON = dict[str, Any]

#: What is left of a receipt when a document that it holds text of is deleted: nothing in it is text.
#: Settings that say how an answer came, not what it was made from.
HOW = ("sources", "cached")
WITHOUT_TEXT = ("trace", "versions", "tokens", "fingerprint")


# --- Kept while it is written -----------------------------------------------------------------


def versions(user: User, filters: Filters) -> JSON:
    """What the answer is made with: the portal, the embedding space, and each collection's corpus."""
    space = active_space()
    return {
        "portal": settings.VERSION,
        "space": {"id": space.pk, "model": space.model, "revision": space.revision} if space else None,
        "corpus": dict(collections_of(user, filters).values_list("slug", "corpus_version")),
    }


def collections_of(user: User, filters: Filters) -> Any:
    """The collections that a question with these filters is looked up in."""
    found = Collection.objects.visible_to(user).order_by("slug")
    if filters.collections:
        found = found.filter(slug__in=filters.collections)
    if filters.documents:
        found = found.filter(pk__in=Document.objects.filter(pk__in=filters.documents).values("collection"))
    return found


def trace(hits: Iterable[Hit], sources: Iterable[Source]) -> list[JSON]:
    """The passages that were retrieved, best first; ``source`` is the number under which one was read."""
    read_as = {part.chunk_id: source.n for source in sources for part in source.hit.parts or (source.hit,)}
    return [
        {
            "rank": rank,
            "chunk": hit.chunk_id,
            "document": str(hit.document_id),
            "page": hit.page,
            "start": hit.start,
            "end": hit.end,
            "content_hash": hit.content_hash,
            "score": round(hit.score, 4),
            "ranks": dict(hit.matched),
            "source": read_as.get(hit.chunk_id),
        }
        for rank, hit in enumerate(hits, 1)
    ]


def sealed(question: str, outcome: Outcome) -> JSON:
    """The receipt of a finished answer, with its fingerprint."""
    return {**outcome.receipt, "fingerprint": fingerprint(question, outcome)}


def documents_in(receipt: Mapping[str, Any]) -> set[UUID]:
    """Documents whose text the prompt holds; none when there was no prompt."""
    read = [row for row in receipt.get("trace", []) if row["source"]] if receipt.get("prompt") else []
    return {UUID(row["document"]) for row in read}


def fingerprint(question: str, outcome: Outcome) -> str:
    """SHA-256 of what an answer was made from: question, passages that were read, models and settings."""
    made_from = {
        "question": outcome.receipt.get("standalone") or question,
        "passages": [
            (row["source"], row["content_hash"]) for row in outcome.receipt.get("trace", []) if row["source"]
        ],
        "settings": {name: value for name, value in outcome.settings.items() if name not in HOW},
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True, default=str).encode()).hexdigest()


def emptied(receipt: Mapping[str, Any]) -> JSON:
    """A receipt without any text; that of an answer that has none stays empty."""
    return {**{name: receipt[name] for name in WITHOUT_TEXT if name in receipt}, **mark(receipt)}


def mark(receipt: Mapping[str, Any]) -> JSON:
    return {"withdrawn": True} if receipt else {}


# --- Shown ----------------------------------------------------------------------------------


def receipt_json(answer: Answer, reader: User) -> JSON:
    """The receipt as ``reader`` may see it.

    Without prompt and question as it was looked for, when they may not see every document that the answer
    was written from; a passage is only told of who may see its document.
    """
    kept: JSON = answer.receipt
    hidden = bool(kept.get("withdrawn")) or is_withheld(answer, reader)
    return {
        "answer": str(answer.pk),
        "conversation": str(answer.conversation_id),
        "replaces": str(answer.replaces_id) if answer.replaces_id else None,
        "state": answer.state,
        "abstained": answer.abstained,
        "question": answer.question,
        "standalone": None if hidden else kept.get("standalone") or answer.question,
        "scope": answer.scope,
        "trace": passages_json(kept.get("trace", []), reader),
        "prompt": None if hidden else kept.get("prompt") or None,
        "withheld": hidden,
        "settings": answer.settings,
        "versions": versions_json(kept.get("versions"), reader),
        "timings": answer.timings,
        "tokens": kept.get("tokens"),
        "fingerprint": kept.get("fingerprint"),
        "created_at": answer.created_at.isoformat(),
        "finished_at": answer.finished_at.isoformat() if answer.finished_at else None,
    }


def versions_json(kept: Mapping[str, Any] | None, reader: User) -> JSON | None:
    """Collections that ``reader`` sees no more are not named."""
    if not kept:
        return None
    corpus = kept.get("corpus", {})
    visible = Collection.objects.visible_to(reader).filter(slug__in=list(corpus))
    named = set(visible.values_list("slug", flat=True))
    return {**kept, "corpus": {slug: number for slug, number in corpus.items() if slug in named}}


def passages_json(rows: Sequence[Mapping[str, Any]], reader: User) -> list[JSON]:
    """Each passage under the key that it has now; ``changed`` when no passage says the same any more."""
    ids = {UUID(row["document"]) for row in rows}
    titles = dict(Document.objects.visible_to(reader).filter(pk__in=ids).values_list("pk", "title"))
    places = places_of(rows, titles)
    return [
        passage_json(row, titles[UUID(row["document"])], places)
        if UUID(row["document"]) in titles
        else {**dict.fromkeys(row), "rank": row["rank"], "withdrawn": True}
        for row in rows
    ]


def passage_json(row: Mapping[str, Any], title: str, places: Mapping[tuple[str, str], JSON]) -> JSON:
    place = places.get((row["document"], row["content_hash"]))
    shown = {**row, **(place or {"chunk": None}), "document": {"id": row["document"], "title": title}}
    return shown if place else {**shown, "changed": True}


def places_of(rows: Iterable[Mapping[str, Any]], documents: Iterable[UUID]) -> dict[tuple[str, str], JSON]:
    """Where passages that still say the same stand now, by document and hash."""
    found = Chunk.objects.filter(
        document_id__in=list(documents), content_hash__in={row["content_hash"] for row in rows}
    )
    values = found.values_list("document_id", "content_hash", "pk", "page_start", "start", "end")
    return {
        (str(document), digest): {"chunk": pk, "page": page, "start": start, "end": end}
        for document, digest, pk, page, start, end in values
    }
