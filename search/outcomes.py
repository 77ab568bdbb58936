"""Answers as they are kept: passages by key, quotes by place, sentences by what they quote. No text.

Sentences in words of their own are those of the stored answer (``row``), where a deletion wipes them. So an
answer whose asker has deleted it is not given to others any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from search import pipeline
from search.models import Answer
from search.reading import one_of, page_texts
from search.types import Doubt, Evidence, Hit, Outcome, Quote, Ranked, Refusal, Sentence

if TYPE_CHECKING:
    from documents.querysets import User

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """A finished answer, with every source that was announced before it: those it does not cite as well."""

    outcome: Outcome
    announced: tuple[Evidence, ...]


# --- From an answer to what is kept -------------------------------------------------------------


def packed(given: Given, row: UUID | None) -> JSON | None:
    """What is kept of an answer that is stored in ``row``, or in none. None: it is not to be given again."""
    outcome = given.outcome
    quoted = all(is_quoted(sentence, outcome.evidence) for sentence in outcome.sentences)
    if is_passing(outcome) or (row is None and (not quoted or outcome.receipt.get("prompt"))):
        return None
    return {
        "row": str(row) if row else None,
        "announced": [evidence_json(each) for each in given.announced],
        "cited": [evidence_json(each) for each in outcome.evidence],
        "quoted": quoted,
        "sentences": [
            [each.citations, each.supported, [[q.n, q.start, q.end] for q in each.quotes], each.span]
            for each in outcome.sentences
        ],
        "refusal": refusal_json(outcome.refusal) if outcome.refusal else None,
        "settings": outcome.settings,
        "receipt": {} if row else without_question(outcome.receipt),
    }


def is_passing(outcome: Outcome) -> bool:
    """Whether it came about in a way that the next one may not: stopped, with something missing, or kept."""
    passing = (outcome.settings.get(name) for name in ("fallback", "degraded", "cached"))
    return outcome.stopped or any(passing)


def is_quoted(sentence: Sentence, evidence: Iterable[Evidence]) -> bool:
    return not sentence.doubts and sentence.text == quotes_of(sentence.citations, evidence)


def quotes_of(citations: Sequence[int], evidence: Iterable[Evidence]) -> str:
    quotes = {each.n: each.quote for each in evidence}
    return " ".join(word for n in citations for word in quotes[n].split())


def evidence_json(evidence: Evidence) -> list[Any]:
    """Number, place, and the passage, or those that are joined into it: the one that names it first."""
    first = evidence.hit.chunk_id
    others = [part.chunk_id for part in evidence.hit.parts if part.chunk_id != first]
    return [evidence.n, evidence.start, evidence.end, [first, *others]]


def without_question(receipt: JSON) -> JSON:
    """The question as it was looked for may quote a document; whoever asks brings it along."""
    return {name: value for name, value in receipt.items() if name != "standalone"}


def refusal_json(refusal: Refusal) -> JSON:
    closest = [hit.chunk_id for hit in refusal.closest]
    return {
        "code": refusal.code,
        "missing": refusal.missing,
        "apart": refusal.apart,
        "closest": closest,
    }


# --- And back -----------------------------------------------------------------------------------


class Gone(Exception):
    """Something that a kept answer rests on is not there any more."""


def unpacked(value: JSON, user: User) -> Given | None:
    """The answer, its passages as ``user`` may see them now; None when anything of it is gone."""
    try:
        hits = passages(value, user)
        announced, cited = (
            tuple(evidence_of(entry, hits) for entry in value[name]) for name in ("announced", "cited")
        )
        row = row_of(value)
        return Given(
            Outcome(
                sentences=tuple(sentences_of(value, cited, row)),
                evidence=cited,
                timings={},
                settings=value["settings"],
                receipt=row.receipt if row else value["receipt"],
                refusal=refusal_of(value["refusal"], hits) if value["refusal"] else None,
            ),
            announced,
        )
    except Gone:
        return None


def passages(value: JSON, user: User) -> dict[tuple[int, ...], Hit]:
    """Every passage, and every one that was joined of several, by their keys."""
    groups = {tuple(keys) for name in ("announced", "cited") for *_, keys in value[name]}
    groups |= {(pk,) for pk in (value["refusal"] or {}).get("closest", ())}
    wanted = {pk for group in groups for pk in group}
    single = {hit.chunk_id: hit for hit in pipeline.hydrated([Ranked(pk, 0.0, {}) for pk in wanted], user)}
    if len(single) < len(wanted):
        raise Gone
    joined = [[single[pk] for pk in group] for group in groups if len(group) > 1]
    texts = page_texts([group[0] for group in joined])
    return {(pk,): hit for pk, hit in single.items()} | {
        tuple(hit.chunk_id for hit in group): rejoined(group, texts) for group in joined
    }


def rejoined(group: Sequence[Hit], texts: Mapping[tuple[object, int], str]) -> Hit:
    hit = one_of(group, texts.get((group[0].document_id, group[0].page), ""))
    if not hit.parts:
        raise Gone
    return hit


def evidence_of(entry: Sequence[Any], hits: Mapping[tuple[int, ...], Hit]) -> Evidence:
    n, start, end, keys = entry
    return Evidence(n, hits[tuple(keys)], start, end)


def row_of(value: JSON) -> Answer | None:
    if value["row"] is None:
        return None
    row = Answer.objects.filter(pk=value["row"], state=Answer.State.DONE).first()
    if row is None or row.receipt.get("withdrawn"):
        raise Gone
    return row


def sentences_of(value: JSON, cited: Sequence[Evidence], row: Answer | None) -> Iterator[Sentence]:
    for number, (citations, supported, quotes, span) in enumerate(value["sentences"]):
        told = {} if value["quoted"] or row is None else row.sentences[number]
        if told.get("withdrawn"):
            raise Gone
        yield Sentence(
            text=quotes_of(citations, cited) if value["quoted"] else told["text"],
            citations=tuple(citations),
            supported=supported,
            quotes=tuple(Quote(*quote) for quote in quotes),
            doubts=tuple(Doubt(**each) for each in told.get("doubts", ())),
            span=(span[0], span[1]) if span else None,
        )


def refusal_of(told: JSON, hits: Mapping[tuple[int, ...], Hit]) -> Refusal:
    return Refusal(
        code=told["code"],
        missing=tuple(told["missing"]),
        apart=tuple(told["apart"]),
        closest=tuple(hits[pk,] for pk in told["closest"]),
    )
