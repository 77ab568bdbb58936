"""sentence-transformers on torch: the GPU's engine, and the yardstick of the other. Worker only."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from documents import metrics
from documents.embedding.base import Encoding, ModelCard
from documents.embedding.weights import ModelFiles
from documents.exceptions import EmbeddingUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

BATCH_ON_CPU = 8
BATCH_ON_GPU = 256


class TorchEmbedder:
    """``Embedder`` by sentence-transformers; on a GPU in bfloat16, on a CPU in float32."""

    def __init__(self, files: ModelFiles, card: ModelCard) -> None:
        self.card = card
        self._files = files
        self._lock = threading.Lock()
        self._model: Any = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        model = self._loaded()
        batch = BATCH_ON_GPU if model.device.type == "cuda" else BATCH_ON_CPU
        vectors: Vectors = model.encode(
            list(texts), batch_size=batch, normalize_embeddings=True, show_progress_bar=False
        )
        return vectors

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        model = self._loaded()
        batch = BATCH_ON_GPU if model.device.type == "cuda" else BATCH_ON_CPU
        rows = model.encode(list(texts), batch_size=batch, output_value=None, show_progress_bar=False)
        return [encoding_of(row, added_tokens(model.tokenizer)) for row in rows]

    def _loaded(self) -> Any:
        if self._model is None:
            with self._lock:
                if self._model is None:
                    started = time.perf_counter()
                    self._model = load(self._files)
                    metrics.model_load_seconds.labels("torch").observe(time.perf_counter() - started)
        return self._model


def added_tokens(tokenizer: Any) -> set[int]:
    """Those that stand around a text, as opposed to one of its words that the model does not know."""
    around = ("cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id", "pad_token_id")
    return {found for name in around if (found := getattr(tokenizer, name, None)) is not None}


def encoding_of(row: Any, special: set[int]) -> Encoding:
    """One text's features as sentence-transformers gives them, without the tokens that the model adds."""
    import torch

    pairs = zip(row["input_ids"].tolist(), row["attention_mask"].tolist(), strict=True)
    own = [bool(mask) and token not in special for token, mask in pairs]
    tokens = row["token_embeddings"][torch.tensor(own)]
    normalise = torch.nn.functional.normalize
    return Encoding(
        normalise(row["sentence_embedding"].float(), dim=0).cpu().numpy(),
        normalise(tokens.float(), dim=1).cpu().numpy(),
    )


def load(files: ModelFiles) -> Any:
    """The sentence-transformers model, from its folder, on the best device there is."""
    try:
        import torch
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise EmbeddingUnavailable(
            "The torch engine needs requirements/ml.txt (torch, sentence-transformers)."
        ) from error
    cuda = torch.cuda.is_available()
    return SentenceTransformer(
        str(files.folder),
        device="cuda" if cuda else "cpu",
        local_files_only=True,
        model_kwargs={"torch_dtype": torch.bfloat16 if cuda else torch.float32},
    )
