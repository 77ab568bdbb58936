"""A language model behind any OpenAI-compatible address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from django.conf import settings

from search.exceptions import GenerationFailed
from search.generation.base import Stopped
from search.generation.breaker import breaker
from search.generation.client import Call, Endpoint, streamed
from search.generation.cutting import Draft
from search.prompts import Prompt, composed
from search.types import GenerationRequest, Piece, Prompted


class LLMGenerator:
    """Streams the model's words; sentences are cut from the stream with the sources they name."""

    remote = True

    @property
    def name(self) -> str:
        return f"llm:{settings.LLM_MODEL or 'default'}"

    def endpoint(self) -> Endpoint:
        return configured()

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        endpoint = self.endpoint()
        prompt = composed(request, endpoint.context_tokens)
        draft = Draft(prompt)
        try:
            with breaker.attempt(), closing(streamed(call(endpoint, prompt))) as stream:
                yield Prompted(prompt.messages)
                yield from draft.pieces(stream)
        except Stopped:
            pass
        except GenerationFailed:
            if draft.said:
                yield draft.used()
            raise
        yield from draft.rest()
        yield draft.used()


def configured() -> Endpoint:
    """The server that the settings name."""
    return Endpoint(
        base_url=settings.LLM_BASE_URL,
        model=settings.LLM_MODEL or "default",
        api_key=settings.LLM_API_KEY,
        context_tokens=settings.LLM_CONTEXT_TOKENS,
    )


def call(endpoint: Endpoint, prompt: Prompt) -> Call:
    return Call(
        endpoint=endpoint,
        messages=prompt.messages,
        max_tokens=prompt.answer_tokens,
        first_token_seconds=settings.LLM_FIRST_TOKEN_SECONDS,
        total_seconds=settings.LLM_TIMEOUT_SECONDS,
    )
