"""A language model behind any OpenAI-compatible address. The client is imported at first use."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.conf import settings

from documents.sentences import sentences
from search.exceptions import GenerationFailed
from search.prompts import REFUSAL, messages
from search.types import DraftSentence, GenerationRequest, Piece, Token

MAX_TOKENS = 500
#: [1], [1][2], [1, 2], also "[source 1]": what models write in spite of the rule.
MARK = re.compile(r"\s*[\[【](?:source\s*)?(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)[\]】]", re.IGNORECASE)
#: Marks behind the full stop belong to the sentence before it.
STOP_THEN_MARKS = re.compile(rf"([.!?…]+[\"'”’)]*)((?:{MARK.pattern})+)", re.IGNORECASE)
#: A mark that the stream has not finished yet.
OPEN_MARK = re.compile(r"[\[【][^\]】]{0,20}\Z")


class LLMGenerator:
    """Streams the model's words; sentences are cut from the stream with the sources they name."""

    remote = True

    @property
    def name(self) -> str:
        return f"llm:{settings.LLM_MODEL or 'default'}"

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        known = {source.n for source in request.sources}
        pending = ""
        for delta in past_refusal(deltas(request)):
            yield Token(delta)
            finished, pending = cut(pending + delta)
            for text in finished:
                yield from drafted(text, known)
        yield from drafted(pending, known)


def past_refusal(stream: Iterator[str]) -> Iterator[str]:
    """The stream, held back while it may still turn out to be nothing but the refusal."""
    held, open_ = "", True
    for delta in stream:
        held += delta
        if open_ and could_be_refusal(held):
            continue
        open_ = False
        yield held
        held = ""
    if open_ and not held.strip():
        raise GenerationFailed("The language model returned no text.")


def could_be_refusal(text: str) -> bool:
    said = bare(text)
    return bare(REFUSAL).startswith(said) or said == bare(REFUSAL)


def bare(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.casefold())


def cut(text: str) -> tuple[list[str], str]:
    """The sentences that are surely over, and the rest. One is over when another has begun."""
    text = STOP_THEN_MARKS.sub(r"\2\1", text)
    spans = sentences(text)
    if len(spans) < 2 or OPEN_MARK.search(text):
        return [], text
    return [text[start:end] for start, end in spans[:-1]], text[spans[-1][0] :]


def drafted(text: str, known: set[int]) -> Iterator[DraftSentence]:
    """The sentence without its marks, which become its sources. Nothing of a bare mark or refusal."""
    text = STOP_THEN_MARKS.sub(r"\2\1", text)
    cited = [int(n) for found in MARK.findall(text) for n in re.findall(r"\d+", found)]
    said = " ".join(MARK.sub("", text).split())
    if bare(said) and bare(said) != bare(REFUSAL):
        yield DraftSentence(said, cited=tuple(dict.fromkeys(n for n in cited if n in known)))


def deltas(request: GenerationRequest) -> Iterator[str]:
    """The model's text as it comes. Every failure of the client becomes ``GenerationFailed``."""
    import httpx
    import openai

    deadline = time.monotonic() + settings.LLM_TIMEOUT_SECONDS
    try:
        with begin(request) as stream:
            for chunk in stream:
                if time.monotonic() > deadline:
                    raise GenerationFailed("The language model took too long.")
                if chunk.choices and (text := chunk.choices[0].delta.content):
                    yield text
    except (openai.OpenAIError, httpx.HTTPError) as error:
        raise GenerationFailed(f"The language model did not answer: {type(error).__name__}.") from error


def begin(request: GenerationRequest) -> Any:
    return client(
        settings.LLM_BASE_URL, settings.LLM_API_KEY, settings.LLM_TIMEOUT_SECONDS
    ).chat.completions.create(
        model=settings.LLM_MODEL or "default",
        messages=messages(request),
        max_tokens=MAX_TOKENS,
        temperature=0,
        stream=True,
    )


@cache
def client(base_url: str, api_key: str, timeout: float) -> Any:
    from openai import OpenAI

    return OpenAI(base_url=base_url, api_key=api_key or "none", timeout=timeout, max_retries=1)
