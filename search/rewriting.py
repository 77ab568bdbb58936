"""Follow-up questions, made into questions that stand for themselves."""

from __future__ import annotations

from collections.abc import Sequence

from search.types import Turn
from search.words import clean, content_words

#: A question of fewer content words than this is read together with the one before it.
FOLLOW_UP_WORDS = 3


def standalone(question: str, history: Sequence[Turn]) -> str:
    """What to look for: a short follow-up is read together with the question before it."""
    if history and len(content_words(question)) < FOLLOW_UP_WORDS:
        return clean(f"{history[-1].question} {question}")
    return clean(question)
