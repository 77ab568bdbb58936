"""sentence-transformers on torch: the GPU's engine, and the yardstick of the other. Worker only."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from documents import metrics
from documents.embedding.base import Encoding, ModelCard
from documents.embedding.batching import length_sorted, unit
from documents.embedding.weights import ModelFiles
from documents.exceptions import EmbeddingUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

#: Padded tokens in one batch; on a GPU 256 passages of 256 tokens.
TOKENS_ON_GPU = 65_536
TOKENS_ON_CPU = 512


@dataclass(frozen=True, slots=True)
class Place:
    """Where the model runs, in which of torch's number types, and how many padded tokens it gets at once."""

    device: str
    dtype: str
    budget: int


def best_place() -> Place:
    import torch

    if torch.cuda.is_available():
        return Place("cuda", "bfloat16", TOKENS_ON_GPU)
    return Place("cpu", "float32", TOKENS_ON_CPU)


class TorchEmbedder:
    """``Embedder`` by sentence-transformers; on a GPU in bfloat16, on a CPU in float32."""

    def __init__(self, files: ModelFiles, card: ModelCard) -> None:
        self.card = card
        self._files = files
        self._lock = threading.Lock()
        self._model: Any = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        vectors = np.empty((len(texts), self.card.dimensions), dtype=np.float32)
        for batch, encoded in self._encoded(texts):
            vectors[batch] = encoded
        return unit(vectors)

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        added = added_tokens(self._loaded().tokenizer)
        found: dict[int, Encoding] = {}
        for batch, rows in self._encoded(texts, output_value=None):
            found |= {index: encoding_of(row, added) for index, row in zip(batch, rows, strict=True)}
        return [found[index] for index in range(len(texts))]

    def _encoded(self, texts: Sequence[str], **wanted: Any) -> Iterator[tuple[list[int], Any]]:
        """Indices of each batch, and what the model makes of it."""
        model = self._loaded()
        for batch in length_sorted(lengths(model, texts), best_place().budget):
            metrics.embedding_batch_passages.observe(len(batch))
            part = [texts[index] for index in batch]
            yield batch, model.encode(part, batch_size=len(part), show_progress_bar=False, **wanted)

    def _loaded(self) -> Any:
        if self._model is None:
            with self._lock:
                if self._model is None:
                    started = time.perf_counter()
                    self._model = load(self._files)
                    metrics.model_load_seconds.labels("torch").observe(time.perf_counter() - started)
        return self._model


def lengths(model: Any, texts: Sequence[str]) -> list[int]:
    """In tokens, cut as the model cuts them."""
    if not texts:
        return []
    encoded = model.tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)
    return [len(ids) for ids in encoded["input_ids"]]


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
    place = best_place()
    return SentenceTransformer(
        str(files.folder),
        device=place.device,
        local_files_only=True,
        model_kwargs={"torch_dtype": getattr(torch, place.dtype)},
    )
