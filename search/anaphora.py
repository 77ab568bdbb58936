"""What a follow-up question refers back to, by rules of English: no model is asked.

The question before is taken as it was understood itself, so names are carried through a whole conversation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from search.types import Turn
from search.words import STOP_WORDS, clean, content_words, is_name

#: A question of fewer content words than this, without a name, is read together with the one before it.
FEW_WORDS = 3

OPENER = re.compile(
    r"(?:(?:and|but|or|so|then|also|now)\b[\s,]*)*(?:(?:what|how) about\b|what of\b)?\s*", re.IGNORECASE
)
ASKING = re.compile(
    r"(?:in |at |on |for |by |from |since |until )?(?:who|whom|whose|what|which|when|where|why|how|is|are|was"
    r"|were|do|does|did|has|have|had|can|could|will|would|should)\b",
    re.IGNORECASE,
)
OWNER = re.compile(r"\b(?:its|their|theirs|his|hers|her(?=\s+\w))\b", re.IGNORECASE)
PRONOUN = re.compile(r"\b(?:it|they|them|he|him|she|her|(?:this|that) one)\b", re.IGNORECASE)
#: These point back too, but have their noun with them, or stand for a whole sentence.
POINTER = re.compile(
    r"\b(?:this|these|those|(?<!is )(?<!are )(?<!was )(?<!were )there"
    r"|that(?=\s*[?.!,]|\s*\Z|\s+(?:is|was|were|did|does|do|has|had|happen\w*|mean\w*)\b))\b",
    re.IGNORECASE,
)
PERSON = re.compile(r"\b(?:he|him|his|she|her|hers)\b", re.IGNORECASE)
#: "the observatory at" before a name.
NOUN_BEFORE = re.compile(
    r"\b(?:the|an?)\s+(?:[\w’'-]+\s+){1,3}?(?:of|at|in|for|from|by|on|near)\s+(?:the\s+)?\Z", re.IGNORECASE
)
#: Small words inside a name.
INSIDE = frozenset({"of", "de", "del", "la", "van", "von", "der", "den", "du", "the"})
TOKEN = re.compile(r"[^\W_](?:[\w’'./&-]*[^\W_])?")


@dataclass(frozen=True, slots=True)
class Name:
    """A name or a number as it stands in a question: ``text[start:end]``."""

    text: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        return not any(map(str.isalpha, self.text))


def resolved(question: str, history: Sequence[Turn]) -> str:
    """The question with what it leaves out; as it is, when it leaves nothing out."""
    earlier, answer = "", ""
    for turn in history:
        earlier, answer = resolve(clean(turn.question), earlier, answer), turn.answer
    return resolve(question, earlier, answer)


def resolve(question: str, earlier: str, answer: str = "") -> str:
    """One question after another, which was answered so."""
    if not earlier:
        return question
    opened = OPENER.match(question)
    rest = question[opened.end() :] if opened else question
    if swapped := swap(question, len(question) - len(rest), earlier):
        return swapped
    if refers(rest) and (name := antecedent(rest, earlier, answer)):
        return clean(insert(rest, name))
    if ASKING.match(rest) and names(rest):
        return rest[:1].upper() + rest[1:]
    follows = rest != question or refers(rest) or is_short(rest)
    return clean(f"{earlier} {question}") if follows else question


def refers(question: str) -> bool:
    return any(pattern.search(question) for pattern in (OWNER, PRONOUN, POINTER))


def is_short(question: str) -> bool:
    return len(content_words(question)) < FEW_WORDS and not names(question)


def swap(question: str, begin: int, earlier: str) -> str:
    """ "And in 1988?", "What about Velmora?": the earlier question about another name or number.

    From ``begin`` on it says what about.
    """
    others = names(question)
    if len(others) != 1:
        return ""
    (other,) = others
    beside = f"{question[begin : other.start]} {question[other.end :]}"
    before = [name for name in names(earlier) if name.is_number == other.is_number]
    if len(before) != 1 or content_words(beside) or ASKING.search(beside) or refers(beside):
        return ""
    return earlier[: before[0].start] + other.text + earlier[before[0].end :]


def antecedent(question: str, earlier: str, answer: str) -> str:
    """What a pronoun stands for: what the earlier question names, or who its answer was."""
    if PERSON.search(question) and re.match(r"who\b", earlier, re.IGNORECASE):
        people = [name for name in names(answer) if not name.is_number]
        if people:
            return people[0].text
    named = [name for name in names(earlier) if not name.is_number]
    if len(named) != 1:
        return ", ".join(name.text for name in named)
    before = NOUN_BEFORE.search(earlier, 0, named[0].start)
    return earlier[before.start() if before else named[0].start : named[0].end]


def insert(question: str, name: str) -> str:
    """The name in the place of the first pronoun, or behind the question where it has none to replace."""
    owner, pronoun = OWNER.search(question), PRONOUN.search(question)
    if "," in name or not (owner or pronoun):
        return f"{question} ({name})"
    first = min((found for found in (owner, pronoun) if found), key=lambda found: found.start())
    said = f"{name}’s" if first is owner else name
    return question[: first.start()] + said + question[first.end() :]


def marks(question: str) -> list[str]:
    """Its names and numbers, each as it is written."""
    return [name.text for name in names(question)]


def names(text: str) -> list[Name]:
    """Names of one or several words, and numbers, in their order."""
    found: list[Name] = []
    tokens = list(TOKEN.finditer(text))
    for token, following in zip_longest(tokens, tokens[1:]):
        if not is_mark(token.group()) or (begins(text, token) and not continues(token, following)):
            continue
        start, end = token.start(), token.start() + len(bare(token.group()))
        if found and is_joined(text[found[-1].end : start], text[start:end]) and not found[-1].is_number:
            start = found.pop().start
        found.append(Name(text[start:end], start, end))
    return found


def bare(word: str) -> str:
    return re.sub(r"[’']s\Z", "", word)


def is_mark(word: str) -> bool:
    if word.casefold() in STOP_WORDS:
        return False
    return is_name(word, first=False) or any(map(str.isdigit, word))


def begins(text: str, token: re.Match[str]) -> bool:
    """Whether it is the first word of a sentence, and has a capital for that alone."""
    before = text[: token.start()].rstrip(" \"'“‘(")
    return token.group()[1:].islower() and (not before or before[-1] in ".?!…:")


def continues(token: re.Match[str], following: re.Match[str] | None) -> bool:
    """Whether a name goes on, which makes its first word one too: "Lake Ormund"."""
    return following is not None and following.start() == token.end() + 1 and is_mark(following.group())


def is_joined(gap: str, word: str) -> bool:
    """Whether nothing but small words stands between two parts of a name; a number has to stand close."""
    if word[0].isdigit():
        return gap == " "
    return not gap.strip(" ") or (set(gap.split()) <= INSIDE and gap.replace(" ", "").isalpha())
