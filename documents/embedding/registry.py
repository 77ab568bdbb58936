"""Which engine embeds, decided once per process and imported on first use."""

from __future__ import annotations

from functools import lru_cache
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


def model_card(model: str) -> ModelCard:
    """What a new space has to know of ``model``. Raises ``EmbeddingUnavailable``."""
    return weights.model_card(model)


@lru_cache(maxsize=4)
def get_embedder(model: str) -> Embedder:
    """The engine for queries. Never torch: a process that serves HTTP calls this."""
    return load_engine("fake" if settings.EMBEDDING_ENGINE == "fake" else "onnx", model)


@lru_cache(maxsize=4)
def get_passage_embedder(model: str) -> Embedder:
    """The engine for passages, in the worker: torch when ``EMBEDDING_ENGINE`` asks for it."""
    if settings.EMBEDDING_ENGINE in ("torch", "fake"):
        return load_engine(settings.EMBEDDING_ENGINE, model)
    return get_embedder(model)


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
