"""Which engine embeds, decided once per process and imported on first use."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings
from django.utils.module_loading import import_string

from documents.embedding import weights
from documents.embedding.base import Embedder, ModelCard, TokenCounter
from documents.exceptions import EmbeddingUnavailable

ENGINES = {
    "onnx": "documents.embedding.onnx.OnnxEmbedder",
    "torch": "documents.embedding.torch.TorchEmbedder",
    "fake": "documents.embedding.fake.FakeEmbedder",
}

#: What a GPU's driver makes: NVIDIA's, AMD's, that of Windows. Only there torch, slow to import, is asked.
GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
#: Passages that a GPU gets in one call.
PASSAGES_ON_GPU = 1024


def model_card(model: str) -> ModelCard:
    """What a new space has to know of ``model``. Raises ``EmbeddingUnavailable``."""
    return weights.model_card(model)


@lru_cache(maxsize=4)
def get_embedder(model: str) -> Embedder:
    """The engine for queries. Never torch: a process that serves HTTP calls this."""
    return load_engine(query_engine(), model)


@lru_cache(maxsize=4)
def get_passage_embedder(model: str) -> Embedder:
    """The engine for passages, in the worker."""
    engine = passage_engine()
    return get_embedder(model) if engine == query_engine() else load_engine(engine, model)


def query_engine() -> str:
    return "fake" if settings.EMBEDDING_ENGINE == "fake" else "onnx"


def passage_engine() -> str:
    """What ``EMBEDDING_ENGINE`` names; ``auto`` is torch where it finds a GPU, else ONNX Runtime."""
    if settings.EMBEDDING_ENGINE == "auto":
        return "torch" if has_gpu() else "onnx"
    return str(settings.EMBEDDING_ENGINE)


def passages_at_once(on_cpu: int) -> int:
    """How many the engine for passages is to get in one call."""
    return PASSAGES_ON_GPU if passage_engine() == "torch" and has_gpu() else on_cpu


@cache
def has_gpu() -> bool:
    """Whether the torch engine is installed and finds a GPU."""
    if not any(Path(device).exists() for device in GPU_DEVICES):
        return False
    if find_spec("torch") is None or find_spec("sentence_transformers") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


@lru_cache(maxsize=4)
def get_token_counter(model: str) -> TokenCounter:
    """The model's own tokenizer."""
    from documents.embedding.tokenizer import ModelTokenizer

    return ModelTokenizer(weights.locate(model).tokenizer)


def load_engine(engine: str, model: str) -> Embedder:
    embedder = import_string(ENGINES[engine])(weights.locate(model), model_card(model))
    assert hasattr(embedder, "embed")
    return embedder  # type: ignore[no-any-return]


def prepared_folder(card: ModelCard) -> Path:
    """Where ``prepare_models`` keeps what it made of these weights."""
    return Path(settings.MODELS_DIR) / card.revision[:16]


def onnx_file(files: weights.ModelFiles, card: ModelCard) -> Path:
    """The prepared file for these very weights, else the ready-made one of the packaged model."""
    prepared = prepared_folder(card) / "model.int8.onnx"
    if prepared.exists():
        return prepared
    if files.name == weights.PACKAGED_MODEL and (ready := weights.ready_onnx()):
        return ready
    raise EmbeddingUnavailable(
        f"There is no ONNX file for {files.name} yet. Run: python manage.py prepare_models "
        "(it needs requirements/ml.txt)."
    )
