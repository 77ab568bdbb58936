"""What the pages show of hits and answers: text cut for highlighting, addresses of passages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import User
from django.contrib.humanize.templatetags.humanize import ordinal
from django.http import QueryDict
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from documents.highlight import Piece, cut
from documents.invisible import visible
from documents.models import Document
from search.models import Answer
from search.navigation import address
from search.rendering import rendered
from search.representation import answer_json
from search.types import Hit, SearchResult
from search.why import Trace, TracedPassage

MAX_BOXES = 20
#: Characters before the first highlighted word that an excerpt may begin with.
LEAD = 160
#: What speaks against a sentence of a model.
DOUBTS = {
    "number": gettext_lazy("its source does not say %(text)s"),
    "unit": gettext_lazy("its source has another unit than %(text)s"),
    "name": gettext_lazy("its source does not mention %(text)s"),
    "negation": gettext_lazy("its source says the opposite"),
    "opposite": gettext_lazy("its source says the opposite of “%(text)s”"),
    "meaning": gettext_lazy("its source contradicts it"),
}
#: Characters of a closest passage that are shown.
EXCERPT = 300
#: What people call the stages of a search.
STAGES = {
    "vector": gettext_lazy("by meaning"),
    "keyword": gettext_lazy("by words"),
    "newest": gettext_lazy("by date"),
    "document": gettext_lazy("by name"),
    "fusion": gettext_lazy("together"),
    "rerank": gettext_lazy("reread"),
    "result": gettext_lazy("result"),
}
#: Those of a trace that are no stage of every search.
STEPS = {
    "ready": gettext_lazy("in the portal"),
    "filters": gettext_lazy("filters"),
    "access": gettext_lazy("access"),
    "phrases": gettext_lazy("phrases"),
    "exclusions": gettext_lazy("excluded words"),
    "diversity": gettext_lazy("diversity"),
    "cut": gettext_lazy("result"),
}


@dataclass(frozen=True, slots=True)
class ShownHit:
    """A hit as the page shows it."""

    hit: Hit
    document: Document | None
    pieces: list[Piece]
    url: str
    reason: str
    #: Passages of the same document that gave way to others, told at its last one, and where they all are.
    held_back: int = 0
    more_url: str = ""


def shown_hits(result: SearchResult, user: User, given: QueryDict) -> list[ShownHit]:
    """Hits with their documents, which are fetched in one query."""
    last = {hit.document_id: hit.rank for hit in result.hits}
    documents = Document.objects.visible_to(user).select_related("collection").in_bulk(last)
    return [
        ShownHit(
            hit,
            documents.get(hit.document_id),
            excerpt(hit),
            hit_url(hit),
            reason(hit),
            result.held_back.get(hit.document_id, 0) if last[hit.document_id] == hit.rank else 0,
            address(given, document=hit.document_id),
        )
        for hit in result.hits
    ]


def reason(hit: Hit) -> str:
    """Why a passage was found, in words: its ranks in the legs that brought it."""
    ways = {
        "vector": _("%(rank)s by meaning"),
        "keyword": _("%(rank)s by words"),
        "newest": _("%(rank)s of the newest documents that fit"),
    }
    said = [way % {"rank": ordinal(hit.matched[leg])} for leg, way in ways.items() if leg in hit.matched]
    if rank := hit.matched.get("document"):
        name = (
            _("in the document your words name")
            if rank == 1
            else _("in the %(rank)s document your words name")
        )
        said.append(name % {"rank": ordinal(rank)})
    return ", ".join(said) or _("near to your words in a document that they name")


def shown_trace(trace: Trace) -> dict[str, Any]:
    """A trace with the names of its steps in words, and its passages with their addresses."""
    return {
        "trace": trace,
        "steps": [(STEPS.get(step.name) or STAGES[step.name], step) for step in trace.steps],
        "passages": [shown_traced(each, trace.document.pk) for each in trace.passages],
    }


def shown_traced(passage: TracedPassage, document: UUID) -> dict[str, Any]:
    url = passage_url(
        document, page=passage.page, chunk=passage.chunk_id, start=passage.start, end=passage.end
    )
    ranks = [(STAGES[name], rank) for name, rank in passage.ranks.items()]
    return {"passage": passage, "ranks": ranks, "url": url}


def excerpt(hit: Hit) -> list[Piece]:
    """The passage from a little before its first highlighted word on, so that a short view shows it."""
    first = min((start for start, _ in hit.highlights), default=0)
    if first <= LEAD:
        return cut(hit.text, hit.highlights)
    begin = hit.text.rfind(" ", 0, first - LEAD // 2) + 1
    pieces = cut(hit.text[begin:], [(start - begin, end - begin) for start, end in hit.highlights])
    return [Piece("… "), *pieces] if begin else pieces


def hit_url(hit: Hit) -> str:
    return passage_url(hit.document_id, page=hit.page, chunk=hit.chunk_id, start=hit.start, end=hit.end)


def citation_url(citation: dict[str, Any]) -> str:
    """The document page at the quoted words; only the page, when they are no longer what they were."""
    document, page = citation["document"]["id"], citation["page"]
    if citation.get("changed"):
        return f"{reverse('document-detail', args=[document])}?{urlencode({'page': page, 'moved': 1})}"
    return passage_url(
        document,
        page=page,
        chunk=citation["chunk"],
        start=citation["start"],
        end=citation["end"],
        boxes=citation["boxes"],
    )


def passage_url(
    document: Any, *, page: int, chunk: int, start: int, end: int, boxes: Iterable[Any] = ()
) -> str:
    """``document`` opened at a span of a page; boxes are [page, x0, y0, x1, y1] in points."""
    here = [row[1:] for row in boxes if row[0] == page][:MAX_BOXES]
    query: list[tuple[str, Any]] = [("page", page), ("chunk", chunk)]
    if end > start:
        query += [("start", start), ("end", end)]
    query += [("box", ",".join(f"{edge:.1f}" for edge in box)) for box in here]
    return f"{reverse('document-detail', args=[document])}?{urlencode(query, safe=',')}#mark"


def shown_answer(answer: Answer, reader: User) -> dict[str, Any]:
    """The stored answer as the API has it, with addresses, and each sentence with its citations."""
    stored = answer_json(answer, reader)
    citations = [
        {
            **citation,
            "quote": visible(citation["quote"]),
            "url": citation_url(citation) if citation["document"] else "",
        }
        for citation in stored["citations"]
    ]
    by_number = {citation["n"]: citation for citation in citations}
    sentences = [
        {**sentence, "cited": [by_number[n] for n in sentence["citations"] if n in by_number]}
        for sentence in stored["sentences"]
    ]
    markdown = markdown_documents(citations)
    for sentence in sentences:
        sentence["html"] = sentence_html(sentence, markdown)
        sentence["doubt"] = doubt_of(sentence)
    return {
        **stored,
        "citations": citations,
        "sentences": sentences,
        "closest": [shown_passage(each) for each in (stored["refusal"] or {}).get("closest", [])],
    }


def doubt_of(sentence: Mapping[str, Any]) -> str:
    """The first thing that speaks against a sentence, in words."""
    for doubt in sentence.get("doubts", ()):
        if text := DOUBTS.get(doubt["kind"]):
            return text % {"text": doubt["text"]}
    return _("not backed by a passage")


def markdown_documents(citations: Iterable[Mapping[str, Any]]) -> set[str]:
    """The ids of those cited documents whose text is Markdown."""
    ids = [citation["document"]["id"] for citation in citations if citation["document"]]
    return {
        str(document.pk)
        for document in Document.objects.filter(pk__in=ids)
        if document.shown_kind == "markdown"
    }


def sentence_html(sentence: Mapping[str, Any], markdown: Collection[str]) -> SafeString:
    """A quote is Markdown where its document is; what a model said in its own words always is."""
    said = visible(sentence["text"]).split()
    origins = [
        each["document"]["id"]
        for each in sentence["cited"]
        if each["document"] and each["quote"].split() == said
    ]
    is_markdown = all(document in markdown for document in origins)
    return rendered(sentence["text"], markdown=is_markdown, span=sentence.get("span"))


def shown_passage(passage: dict[str, Any]) -> dict[str, Any]:
    """One of the closest passages of a refusal, with its address."""
    document = passage["document"]
    url = passage_url(
        document["id"],
        page=passage["page"],
        chunk=passage["chunk"],
        start=passage["start"],
        end=passage["end"],
    )
    return {**passage, "title": document["title"], "text": passage["text"][:EXCERPT], "url": url}
