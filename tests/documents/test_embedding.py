"""The engines: the same space from each, the pinned weights, and no torch where none is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from documents.embedding import queries, registry, tokens, weights
from documents.embedding.batching import TOKEN_BUDGET, length_sorted
from documents.exceptions import EmbeddingUnavailable

MODEL = weights.PACKAGED_MODEL
TEXTS = [
    "How many litres does the pump move?",
    "Pump P-101 moves 40 litres per minute.",
    "Herons stand still for hours.",
    "A long text about the cathedral and its towers. " * 60,
    "",
]


def test_weights_are_the_pinned_ones() -> None:
    card = registry.model_card(MODEL)
    assert card.revision == weights.PACKAGED_SHA256
    assert (card.dimensions, card.max_tokens) == (384, 256)


def test_other_weights_in_the_package_are_refused(monkeypatch: Any) -> None:
    monkeypatch.setattr(weights, "PACKAGED_SHA256", "0" * 64)
    with pytest.raises(EmbeddingUnavailable, match="not the pinned ones"):
        weights.packaged_folder()


def test_a_model_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EmbeddingUnavailable, match="safetensors"):
        weights.model_card(str(tmp_path))


def test_onnx_gives_unit_vectors_in_the_order_of_the_texts() -> None:
    embedder = registry.get_embedder(MODEL)
    together = embedder.embed(TEXTS)
    assert together.shape == (len(TEXTS), 384)
    assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-3)
    for row, text in enumerate(TEXTS):
        alone = embedder.embed([text])[0]
        assert float(alone @ together[row]) > 0.97
    assert float(together[0] @ together[1]) > float(together[0] @ together[2]) + 0.2


def test_onnx_and_torch_agree() -> None:
    pytest.importorskip("sentence_transformers", reason="needs requirements/ml.txt")
    torch = registry.load_engine("torch", MODEL).embed(TEXTS)
    onnx = registry.get_embedder(MODEL).embed(TEXTS)
    assert (torch * onnx).sum(axis=1).min() > 0.97


def test_prepare_makes_a_file_that_the_engine_then_uses(settings: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs requirements/ml.txt")
    from documents.embedding.prepare import prepare

    settings.MODELS_DIR = tmp_path
    made = prepare(MODEL, say=lambda line: None)
    assert made.mean_cosine > 0.985
    assert made.path == registry.onnx_file(weights.locate(MODEL), registry.model_card(MODEL))
    fresh = registry.load_engine("onnx", MODEL).embed(TEXTS)
    ready_made = registry.get_embedder(MODEL).embed(TEXTS)
    assert (fresh * ready_made).sum(axis=1).min() > 0.95


def test_the_fake_is_deterministic_and_sees_words(settings: Any) -> None:
    fake = registry.load_engine("fake", MODEL)
    first, second, other = fake.embed(["red heron", "heron red", "blue whale"])
    assert np.allclose(first, second)
    assert float(first @ other) < 0.1


def test_batches_are_sorted_and_within_the_budget() -> None:
    lengths = [5, 200, 17, 256, 90, 3000, 1, 64] * 9
    batches = list(length_sorted(lengths))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        widest = max(lengths[index] for index in batch)
        assert len(batch) == 1 or widest * len(batch) <= TOKEN_BUDGET


def test_embedding_a_query_imports_no_torch() -> None:
    code = (
        "import os, sys, django\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "django.setup()\n"
        "from documents.embedding.registry import get_embedder\n"
        f"get_embedder({MODEL!r}).embed(['hello'])\n"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_query_that_comes_again_costs_no_model(monkeypatch: Any) -> None:
    first = queries.encode_query(MODEL, "herons at dawn")
    monkeypatch.setattr(queries, "get_embedder", lambda model: pytest.fail("embedded again"))
    again = queries.encode_query(MODEL, "herons at dawn")
    assert np.array_equal(again.vector, first.vector)
    assert np.allclose(again.tokens, first.tokens, atol=1e-3)


@pytest.mark.parametrize("engine", ["onnx", "torch", "fake"])
def test_the_vectors_of_tokens_come_with_that_of_the_text(engine: str) -> None:
    embedder = registry.load_engine(engine, MODEL)
    long, short = embedder.encode(["Herons stand in the shallow water at dawn.", "Herons"])
    assert np.allclose(
        long.vector, embedder.embed(["Herons stand in the shallow water at dawn."])[0], atol=1e-3
    )
    assert long.tokens.shape[0] > short.tokens.shape[0] >= 1
    assert np.allclose(np.linalg.norm(long.tokens, axis=1), 1.0, atol=1e-3)


def test_both_engines_give_the_same_tokens() -> None:
    text = "The tram network of Velmora opened in 1904."
    torch, onnx = (registry.load_engine(name, MODEL).encode([text])[0] for name in ("torch", "onnx"))
    assert torch.tokens.shape == onnx.tokens.shape
    assert (torch.tokens * onnx.tokens).sum(axis=1).min() > 0.8


def test_packed_tokens_keep_who_is_near_to_whom() -> None:
    embedder = registry.get_embedder(MODEL)
    passages = ["Herons nest in tall trees.", "The bakery sells rye bread.", ""]
    packed = [tokens.pack(each.tokens) for each in embedder.encode(passages)[:2]] + [b""]
    question = embedder.encode(["Where do herons nest?"])[0]
    matches = tokens.best_matches(tokens.rotated(question.tokens), packed)
    assert matches.shape == (3, len(question.tokens))
    herons, bakery, empty = matches.mean(axis=1)
    assert herons > bakery > empty == -1.0
    assert len(packed[0]) % 16 == 0


def test_models_of_few_dimensions_are_packed_too() -> None:
    small = np.eye(4, dtype=np.float32)
    matches = tokens.best_matches(tokens.rotated(small), [tokens.pack(small)])
    assert matches.shape == (1, 4)
    assert np.isfinite(matches).all()
