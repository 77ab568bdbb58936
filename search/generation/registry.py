"""Which generator answers: the language model when one is configured, else quotes of the sources."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from search.generation.base import Generator

GENERATORS = {
    "llm": "search.generation.llm.LLMGenerator",
    "embedded": "search.generation.embedded.EmbeddedGenerator",
    "extractive": "search.generation.extractive.ExtractiveGenerator",
}


def get_generator() -> Generator:
    if settings.LLM_BASE_URL:
        return load("llm")
    return load("embedded" if settings.LLM_MODEL == "embedded" else "extractive")


def get_fallback() -> Generator:
    """What answers when the language model does not: needs nothing outside this machine."""
    return load("extractive")


@cache
def load(name: str) -> Generator:
    generator: Generator = import_string(GENERATORS[name])()
    return generator
