"""Scoring pairs by ONNX Runtime, int8, on the file that ``prepare_models`` made. Needs no torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from documents.embedding.batching import length_sorted
from documents.embedding.tokenizer import load_tokenizer
from search.reranking.files import ONNX_FILE, TOKENIZER_FILE, Card, refuse_labels
from search.reranking.pairs import fitting

if TYPE_CHECKING:
    from tokenizers import Encoding

    from search.reranking.pairs import Scores


class OnnxPairScorer:
    """A ``PairScorer`` on the files of ``folder``, loaded."""

    def __init__(self, folder: Path, card: Card) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        # The arena keeps the largest batch's memory for ever.
        options.enable_cpu_mem_arena = False
        # As for the embedding model: threads that spin take the cores from what has its turn next.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(folder / ONNX_FILE), options, providers=["CPUExecutionProvider"]
        )
        refuse_labels(card.model, self._session.get_outputs()[0].shape[-1])
        self._inputs = {entry.name for entry in self._session.get_inputs()}
        self._card = card
        self._measuring = load_tokenizer(folder / TOKENIZER_FILE)
        # A cut text may have a token more than before the cut, where words are joined to their neighbours.
        self._pairing = load_tokenizer(folder / TOKENIZER_FILE, card.max_tokens)

    def scores(self, query: str, passages: Sequence[str]) -> Scores:
        import numpy as np

        pairs = fitting(query, passages, self._measuring, self._card.max_tokens)
        encoded = self._pairing.encode_batch(pairs)
        found = np.empty(len(pairs), dtype=np.float32)
        for batch in length_sorted([len(encoding.ids) for encoding in encoded]):
            found[batch] = self._run([encoded[index] for index in batch])
        return found

    def _run(self, batch: Sequence[Encoding]) -> Scores:
        """One batch, padded to its longest pair."""
        import numpy as np

        shape = (len(batch), max(len(encoding.ids) for encoding in batch))
        ids = np.full(shape, self._card.pad_token, dtype=np.int64)
        mask, types = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, encoding in enumerate(batch):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
            types[row, : len(encoding.ids)] = encoding.type_ids
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        logits: Scores = self._session.run(
            None, {name: array for name, array in feed.items() if name in self._inputs}
        )[0]
        return logits[:, 0]
