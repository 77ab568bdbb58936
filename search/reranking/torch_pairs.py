"""Scoring pairs by a ``CrossEncoder`` of sentence-transformers, on torch. Imported when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.reranking.files import RerankerUnavailable, model_folder, refuse_labels
from search.reranking.pairs import fitting

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from search.reranking.pairs import Scores

BATCH_ON_CPU = 8
BATCH_ON_GPU = 256


class TorchPairScorer:
    """A ``PairScorer`` on a GPU in bfloat16 where there is one, else on the CPU."""

    def __init__(self, model: str) -> None:
        self._model = load(model, model_folder(model))
        self._tokenizer = measuring(self._model)

    def scores(self, query: str, passages: Sequence[str]) -> Scores:
        import torch

        found: Scores = self._model.predict(
            fitting(query, passages, self._tokenizer, self._model.max_seq_length),
            batch_size=BATCH_ON_GPU if self._model.device.type == "cuda" else BATCH_ON_CPU,
            # Whatever the model ends in, the order is that of its logits; a sigmoid makes the best alike.
            activation_fn=torch.nn.Identity(),
            show_progress_bar=False,
        )
        return found


def load(model: str, folder: Path, device: str | None = None) -> Any:
    """The ``CrossEncoder`` of ``folder``; ``model`` names it in messages. Code of the model's is not run."""
    try:
        import torch
        from sentence_transformers import CrossEncoder
    except ImportError as error:
        raise RerankerUnavailable(
            f"RERANKER_MODEL={model} was not prepared (python manage.py prepare_models), and torch "
            "(requirements/ml.txt) is not installed here."
        ) from error
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    loaded = CrossEncoder(
        str(folder),
        device=device,
        local_files_only=True,
        model_kwargs={"torch_dtype": dtype, "use_safetensors": True},
    )
    refuse_labels(model, loaded.num_labels)
    return loaded


def measuring(model: Any) -> Tokenizer:
    """The model's tokenizer once more, for counting: sentence-transformers sets its own to cut and pad."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
