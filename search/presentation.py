"""What the pages show of answers and traces, and addresses of passages. Hits are shown by ``hits``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from documents.invisible import visible
from documents.models import Document
from search.models import Answer
from search.rendering import passage, rendered
from search.representation import answer_json
from search.why import Trace, TracedPassage

MAX_BOXES = 20
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
#: What is missing of a search that had to do without, as people call it.
MISSING = {
    "vector": gettext_lazy("finding by meaning"),
    "bm25": gettext_lazy("ranking by how rare a word is"),
    "rerank": gettext_lazy("rereading the first results"),
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


def out_of_service(degraded: Iterable[str]) -> list[str]:
    return [str(MISSING.get(name, name)) for name in degraded]


def shown_trace(trace: Trace) -> dict[str, Any]:
    """A trace with the names of its steps in words, and its passages with their addresses."""
    return {
        "trace": trace,
        "steps": [(STEPS.get(step.name) or STAGES[step.name], step) for step in trace.steps],
        "passages": [shown_traced(each, trace.document) for each in trace.passages],
    }


def shown_traced(traced: TracedPassage, document: Document) -> dict[str, Any]:
    url = passage_url(
        document.pk, page=traced.page, chunk=traced.chunk_id, start=traced.start, end=traced.end
    )
    ranks = [(STAGES[name], rank) for name, rank in traced.ranks.items()]
    text = passage(traced.text, markdown=document.shown_kind == "markdown")
    return {"passage": traced, "text": text, "ranks": ranks, "url": url}


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
    closest = (stored["refusal"] or {}).get("closest", [])
    markdown = markdown_documents([*stored["citations"], *closest])
    citations = [shown_citation(citation, markdown) for citation in stored["citations"]]
    by_number = {citation["n"]: citation for citation in citations}
    sentences = [
        {**sentence, "cited": [by_number[n] for n in sentence["citations"] if n in by_number]}
        for sentence in stored["sentences"]
    ]
    for sentence in sentences:
        sentence["html"] = sentence_html(sentence, markdown)
        sentence["doubt"] = doubt_of(sentence)
    return {
        **stored,
        "citations": citations,
        "sentences": sentences,
        "closest": [shown_passage(each, markdown) for each in closest],
    }


def shown_citation(citation: dict[str, Any], markdown: Collection[str]) -> dict[str, Any]:
    """With its address, and the quote as it is read (``html``) beside what it says."""
    if not citation["document"]:
        return {**citation, "url": ""}
    is_markdown = citation["document"]["id"] in markdown
    return {
        **citation,
        "html": passage(citation["quote"], markdown=is_markdown),
        "quote": visible(citation["quote"]),
        "url": citation_url(citation),
    }


def doubt_of(sentence: Mapping[str, Any]) -> str:
    """The first thing that speaks against a sentence, in words."""
    for doubt in sentence.get("doubts", ()):
        if text := DOUBTS.get(doubt["kind"]):
            return text % {"text": doubt["text"]}
    return _("not backed by a passage")


def markdown_documents(passages: Iterable[Mapping[str, Any]]) -> set[str]:
    """The ids of those documents of the passages whose text is Markdown."""
    ids = {each["document"]["id"] for each in passages if each["document"]}
    documents = Document.objects.filter(pk__in=ids) if ids else ()
    return {str(document.pk) for document in documents if document.shown_kind == "markdown"}


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


def shown_passage(closest: dict[str, Any], markdown: Collection[str]) -> dict[str, Any]:
    """One of the closest passages of a refusal, with its address."""
    document = closest["document"]
    url = passage_url(
        document["id"],
        page=closest["page"],
        chunk=closest["chunk"],
        start=closest["start"],
        end=closest["end"],
    )
    text = passage(shortened(closest["text"]), markdown=document["id"] in markdown)
    return {**closest, "title": document["title"], "text": text, "url": url}


def shortened(text: str) -> str:
    """Its first ``EXCERPT`` characters, up to the end of a word."""
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT].rsplit(' ', 1)[0]} …"
