"""The exact answer within a sentence, where the question asks for a name, number, date or place."""

from __future__ import annotations

import re

from search.answer_kind import DATE, AnswerKind, Span, kind_of, things
from search.quantities import asked_for, is_told
from search.words import WORD, content_words, stem, stems

YEAR = re.compile(r"\b(?:1[0-9]|20)\d\d\b")
YEAR_ASKED = re.compile(r"\b(?:what|which) (?:\w+ )?year\b", re.IGNORECASE)
#: What is counted or measured: "how many *people* …", "what percentage".
COUNTED = re.compile(r"\bhow (?:many|much) ((?:\S+ ?){1,3})", re.IGNORECASE)
#: A clause's end keeps words apart as so many words do.
CLAUSE = re.compile(r"[,;:()—–]")
CLAUSE_WORDS = 2
#: What a thing of exactly the asked form is worth, in words of the question beside it.
FITTING = 1.0
#: What a number of the asked quantity is worth: more than its place among the words of the question.
MEASURED = 4.0


def answer_span(question: str, sentence: str) -> Span | None:
    """Where in ``sentence`` the asked thing stands; None where it asks for none, or holds none.

    Of several the one nearest to the words of the question: what the question says itself is no answer.
    """
    kind = kind_of(question)
    wanted = {stem(word) for word in content_words(question)}
    found = [narrowed(question, sentence, span, kind) for span in things(sentence, kind)]
    fresh = [span for span in found if is_news(sentence[slice(*span)], wanted)]
    if not fresh:
        return None
    places = [match.start() for match in WORD.finditer(sentence) if stem(match.group()) in wanted]

    def worth(span: Span) -> float:
        form = fit(question, sentence, span, kind)
        return nearness(sentence, span, places) + form - known(sentence[slice(*span)], wanted)

    return max(fresh, key=worth)


def known(thing: str, wanted: set[str]) -> float:
    """The share of its words that the question says itself: "Pump P-101" is no answer about P-101."""
    said = stems(thing)
    return len(said & wanted) / len(said)


def is_news(thing: str, wanted: set[str]) -> bool:
    """Whether the question does not say it itself."""
    return not stems(thing) <= wanted


def narrowed(question: str, sentence: str, span: Span, kind: AnswerKind) -> Span:
    """Who is asked for a year is told no day; who is asked how many points is told no points."""
    if kind == "date" and YEAR_ASKED.search(question):
        years = list(YEAR.finditer(sentence, *span))
        return years[0].span() if len(years) == 1 else span
    if kind == "number":
        said = list(WORD.finditer(sentence, *span))
        if len(said) > 1 and stem(said[-1].group()) in stems(question):
            return span[0], said[-2].end()
    return span


def fit(question: str, sentence: str, span: Span, kind: AnswerKind) -> float:
    """How well the form of a number fits what is asked: counted things, quantities."""
    if kind != "number":
        return 0.0
    thing, behind = sentence[slice(*span)], sentence[span[1] : span[1] + 40]
    score = -FITTING if DATE.fullmatch(thing) else 0.0
    if counted := COUNTED.search(question):
        named = [stem(word) for word in content_words(counted.group(1))[:2]]
        following = [stem(word) for word in WORD.findall(behind)[:3]]
        score += FITTING * bool(set(named) & set(following))
    return score + MEASURED * is_told(asked_for(question), sentence, span)


def nearness(sentence: str, span: Span, places: list[int]) -> float:
    """The words of the question around it: each counts the more the nearer it stands."""
    outside = [place for place in places if not span[0] <= place < span[1]]
    return sum(1 / (1 + distance(sentence, span, place)) for place in outside)


def distance(sentence: str, span: Span, place: int) -> int:
    """Words and clauses between a thing and a word that begins at ``place``."""
    between = sentence[span[1] : place] if place >= span[1] else sentence[place : span[0]]
    return len(WORD.findall(between)) + CLAUSE_WORDS * len(CLAUSE.findall(between))
