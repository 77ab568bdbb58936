"""Which sentences make the answer: as few as say it, in the order in which they are read best."""

from __future__ import annotations

import re
from collections.abc import Sequence

from search.generation.scoring import JOINED, Assessment, Question, ScoredSentence, holds_kind
from search.mentions import demands, mentions, vocabulary
from search.types import Source
from search.words import stems

MAX_SENTENCES = 4
#: A further sentence is quoted when it scores nearly like the best one, and says more of what was asked.
NEARLY = 0.9
#: One that is quoted for a name of the question that no other mentions.
OTHERS = 0.6
#: Two sentences that share more of their words than this say the same.
SAME = 0.7
#: Several things are asked for: further sentences need not say more of the question's own words.
SEVERAL = re.compile(
    r"\b(?:which|what) (?:\w+ )?(?:are|were)\b|\b(?:which|what) \w+s\b|"
    r"^\s*(?:list|name|describe|explain|why|how does|how did|how is)\b",
    re.IGNORECASE,
)


def chosen(question: str, assessment: Assessment, sources: Sequence[Source]) -> list[ScoredSentence]:
    """The best sentence, and those beside it that add something; ordered for reading."""
    if not assessment.sentences:
        return []
    best = assessment.sentences[0]
    found = [best]
    asked, several = Question.of(question), bool(SEVERAL.search(question))
    # What is asked in one breath with something else may be of another kind.
    any_kind = asked.kind == "text" or bool(JOINED.search(question))
    open_ = asked.stems - stems(best.text)
    for sentence in assessment.sentences[1:]:
        if len(found) == MAX_SENTENCES or sentence.score < NEARLY * best.score:
            break
        adds = stems(sentence.text) & open_
        says_more = (adds or several) and (any_kind or holds_kind(asked, sentence.text))
        if says_more and not any(alike(sentence, other) for other in found):
            found.append(sentence)
            open_ -= adds
    if JOINED.search(question):
        found += of_the_others(question, found, assessment)
    return ordered(found, sources)


def of_the_others(
    question: str, found: Sequence[ScoredSentence], assessment: Assessment
) -> list[ScoredSentence]:
    """For each name of the question that is not mentioned yet the best sentence that mentions it."""
    added: list[ScoredSentence] = []
    for demand in demands(question):
        if any(mentions(vocabulary(each.text), demand) for each in (*found, *added)):
            continue
        rest = (each for each in assessment.sentences if mentions(vocabulary(each.text), demand))
        other = next((each for each in rest if each.score >= OTHERS * assessment.sentences[0].score), None)
        if other and not any(overlap(other, each) for each in (*found, *added)):
            added.append(other)
    return added[: MAX_SENTENCES - len(found)]


def alike(sentence: ScoredSentence, other: ScoredSentence) -> bool:
    """Whether they say the same, or overlap."""
    first, second = stems(sentence.text), stems(other.text)
    return overlap(sentence, other) or len(first & second) > SAME * min(len(first), len(second))


def overlap(sentence: ScoredSentence, other: ScoredSentence) -> bool:
    mine, its = sentence.quote, other.quote
    return mine.n == its.n and mine.start < its.end and its.start < mine.end


def ordered(found: Sequence[ScoredSentence], sources: Sequence[Source]) -> list[ScoredSentence]:
    """The document of the best sentence first; within a document as they stand there."""
    hits = {source.n: source.hit for source in sources}
    documents = list(dict.fromkeys(hits[sentence.quote.n].document_id for sentence in found))
    return sorted(
        found,
        key=lambda each: (
            documents.index(hits[each.quote.n].document_id),
            hits[each.quote.n].page,
            hits[each.quote.n].start + each.quote.start,
        ),
    )
