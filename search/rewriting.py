"""Follow-up questions, made into questions that stand for themselves."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import closing

from django.conf import settings
from django.db import connection

from search.anaphora import marks, resolved
from search.exceptions import GenerationFailed
from search.generation.breaker import breaker
from search.generation.client import Call, streamed
from search.generation.llm import configured
from search.metrics import count_tokens
from search.prompts import rewriting_messages
from search.types import Turn, Used
from search.words import clean

logger = logging.getLogger(__name__)

#: A search waits for it: when the model is not as fast as this, the rule decides.
SECONDS = 4.0
TOKENS = 120
#: A question that grows by more characters than this was answered, or made up.
GROWTH = 300


def standalone(
    question: str, history: Sequence[Turn], should_stop: Callable[[], bool] = lambda: False
) -> str:
    """What to look for. A language model puts in what a follow-up leaves out, where one is configured.

    The embedded model is too small for that: its rewritings are worse than the rule's.
    """
    question = clean(question)
    if not history:
        return question
    if settings.LLM_BASE_URL and breaker.closed and (found := by_model(question, history, should_stop)):
        return found
    return resolved(question, history)


def by_model(question: str, history: Sequence[Turn], should_stop: Callable[[], bool]) -> str | None:
    """The model's rewriting; None when it fails, is stopped, or is none."""
    if not connection.in_atomic_block:
        connection.close()  # back to the pool
    try:
        written = clean(reply(question, history, should_stop))
    except GenerationFailed as error:
        logger.warning("the question was not rewritten: %s", error)
        return None
    return written if is_rewriting(written, question) else None


def reply(question: str, history: Sequence[Turn], should_stop: Callable[[], bool]) -> str:
    call = Call(configured(), rewriting_messages(question, history), TOKENS, SECONDS, SECONDS, tries=1)
    text = ""
    with closing(streamed(call)) as stream:
        for got in stream:
            if should_stop():
                return ""
            if isinstance(got, str):
                text += got
            elif isinstance(got, Used):
                count_tokens(got)
    return re.sub(r"^\s*(?:Q|Question|Last question|Rewritten question):\s*", "", text, flags=re.IGNORECASE)


def is_rewriting(written: str, question: str) -> bool:
    """Whether it still asks for what the question asks for: its names and numbers are in it."""
    folded = written.casefold()
    kept = all(mark.casefold() in folded for mark in marks(question))
    return bool(written) and len(written) <= len(question) + GROWTH and kept
