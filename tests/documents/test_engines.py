"""Which engine runs where, that it is loaded once, ahead of need, and how much memory it takes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from documents.embedding import onnx, registry, warming, weights
from documents.embedding.batching import length_sorted
from documents.exceptions import EmbeddingUnavailable
from documents.spaces import ensure_active_space

MODEL = weights.PACKAGED_MODEL
TEXTS = ["Herons stand still.", "", "A long text about the cathedral and its towers. " * 60, "Rye bread."] * 3
MOST_RESIDENT_MB = 450


@pytest.fixture
def no_gpu_known() -> Iterator[None]:
    """What was found out of this machine is found out anew, before and after."""
    for known in (registry.has_gpu, registry.get_passage_embedder):
        known.cache_clear()
    yield
    for known in (registry.has_gpu, registry.get_passage_embedder):
        known.cache_clear()


# --- Which engine -------------------------------------------------------------------------------


def test_without_a_gpu_everything_is_onnx(settings: Any, monkeypatch: Any, no_gpu_known: None) -> None:
    settings.EMBEDDING_ENGINE = "auto"
    monkeypatch.setattr(registry, "GPU_DEVICES", ())
    monkeypatch.setattr(registry, "find_spec", lambda name: pytest.fail("looked for torch"))
    assert (registry.query_engine(), registry.passage_engine()) == ("onnx", "onnx")
    assert registry.get_passage_embedder(MODEL) is registry.get_embedder(MODEL)
    assert registry.passages_at_once(64) == 64


@pytest.mark.parametrize(
    ("engine", "installed", "sees", "expected", "at_once"),
    [
        ("auto", True, True, "torch", registry.PASSAGES_ON_GPU),
        ("auto", True, False, "onnx", 64),
        ("auto", False, True, "onnx", 64),
        ("onnx", True, True, "onnx", 64),
        ("torch", True, True, "torch", registry.PASSAGES_ON_GPU),
        ("torch", True, False, "torch", 64),
        ("fake", True, True, "fake", 64),
    ],
)
def test_passages_go_to_torch_where_there_is_a_gpu(
    engine: str,
    installed: bool,
    sees: bool,
    expected: str,
    at_once: int,
    settings: Any,
    monkeypatch: Any,
    no_gpu_known: None,
) -> None:
    torch = pytest.importorskip("torch", reason="needs requirements/ml.txt")
    settings.EMBEDDING_ENGINE = engine
    monkeypatch.setattr(registry, "GPU_DEVICES", ("/dev/null",))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: sees)
    if not installed:
        monkeypatch.setattr(registry, "find_spec", lambda name: None)
    assert registry.passage_engine() == expected
    assert registry.passages_at_once(64) == at_once
    assert registry.query_engine() == ("fake" if engine == "fake" else "onnx")


def test_on_a_gpu_torch_works_in_bfloat16_with_many_tokens_at_once(monkeypatch: Any) -> None:
    torch = pytest.importorskip("torch", reason="needs requirements/ml.txt")
    from documents.embedding import torch as engine

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    place = engine.best_place()
    assert (place.device, place.dtype) == ("cuda", "bfloat16")
    assert [len(batch) for batch in length_sorted([256] * 300, place.budget)] == [256, 44]


def test_torch_in_bfloat16_gives_the_same_space(monkeypatch: Any) -> None:
    """The numbers of a GPU, on this processor."""
    pytest.importorskip("sentence_transformers", reason="needs requirements/ml.txt")
    from documents.embedding import torch as engine

    exact = registry.load_engine("torch", MODEL)
    wanted, tokens = exact.embed(TEXTS), exact.encode(TEXTS)
    monkeypatch.setattr(engine, "best_place", lambda: engine.Place("cpu", "bfloat16", engine.TOKENS_ON_GPU))
    half = registry.load_engine("torch", MODEL)
    given: list[int] = []
    encode = half._loaded().encode  # type: ignore[attr-defined]

    def counting(texts: Sequence[str], **options: Any) -> Any:
        given.append(len(texts))
        return encode(texts, **options)

    monkeypatch.setattr(half._loaded(), "encode", counting)  # type: ignore[attr-defined]
    vectors = half.embed(TEXTS)
    assert given == [len(TEXTS)]
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
    assert (vectors * wanted).sum(axis=1).min() > 0.99
    for one, other in zip(half.encode(TEXTS), tokens, strict=True):
        assert one.tokens.shape == other.tokens.shape
        assert float(one.vector @ other.vector) > 0.99
    assert half.embed([]).shape == (0, 384)
    assert half.encode([]) == []


# --- Loading ------------------------------------------------------------------------------------


def test_many_threads_load_the_model_once(monkeypatch: Any) -> None:
    loaded: list[onnx.OnnxSession] = []
    Session = onnx.OnnxSession

    def slow(*given: Any) -> onnx.OnnxSession:
        time.sleep(0.2)  # long enough for all to come
        loaded.append(Session(*given))
        return loaded[-1]

    monkeypatch.setattr(onnx, "OnnxSession", slow)
    embedder, start = registry.load_engine("onnx", MODEL), threading.Barrier(8)

    def embed(text: str) -> Any:
        start.wait()
        return embedder.embed([text])[0]

    with ThreadPoolExecutor(8) as pool:
        vectors = list(pool.map(embed, ["Herons stand still."] * 8))
    assert len(loaded) == 1
    assert all(np.array_equal(vectors[0], each) for each in vectors)


class Warmed:
    """Notes what it is asked for, and in which thread."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.models, self.done = error, list[str](), threading.Event()

    def __call__(self, model: str) -> Any:
        self.models.append(model)
        self.thread = threading.current_thread()
        self.done.set()
        if self.error:
            raise self.error
        return self

    def encode(self, texts: Sequence[str]) -> list[Any]:
        return []


def test_the_model_is_loaded_beside_the_work(settings: Any, monkeypatch: Any) -> None:
    settings.MODEL_WARMING = True
    monkeypatch.setattr("documents.spaces.active_space", lambda: Space())
    get = Warmed()
    warming.begin(get, after=0.05)
    assert get.models == []  # the caller goes on
    assert get.done.wait(20)
    assert get.models == [MODEL]
    assert get.thread.daemon
    assert get.thread is not threading.main_thread()


class Space:
    model = MODEL


def test_it_is_not_where_it_is_switched_off(settings: Any) -> None:
    settings.MODEL_WARMING = False
    before = threading.active_count()
    warming.begin(Warmed(), after=60)
    assert threading.active_count() == before


@pytest.mark.django_db(transaction=True)
def test_a_model_that_cannot_be_loaded_ahead_harms_nobody(caplog: Any) -> None:
    get = Warmed(EmbeddingUnavailable("no file"))
    warming.warm(get, 0)
    assert get.models == []  # nothing serves yet
    ensure_active_space()
    with caplog.at_level("INFO"):
        warming.warm(get, 0)
    assert get.models == [MODEL]
    assert "not loaded ahead: no file" in caplog.text


# --- Memory -------------------------------------------------------------------------------------

EMBED_MUCH = """
import os, re
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
import documents.indexing, documents.worker
from documents.embedding.registry import get_passage_embedder
from documents.embedding.tokens import pack
embedder = get_passage_embedder({model!r})
text = "The pump moves forty litres per minute at a pressure of six bar. "
for step in range(3):
    for encoding in embedder.encode([text * (4 * number % 40 + 1) for number in range(16)]):
        pack(encoding.tokens)
# Not of getrusage: that begins with what the parent had.
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


def test_a_worker_that_embeds_stays_small() -> None:
    """Batches are bounded by their tokens and no arena is kept: more passages take no more memory."""
    code, root = EMBED_MUCH.format(model=MODEL), Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert int(done.stdout) < MOST_RESIDENT_MB
