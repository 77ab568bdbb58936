"""ONNX Runtime, int8: the engine that needs no torch. Loads at the first call, once per process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from documents import memory, metrics
from documents.embedding.base import Encoding, ModelCard
from documents.embedding.batching import length_sorted, unit
from documents.embedding.tokenizer import load_tokenizer
from documents.embedding.weights import ModelFiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

#: What ``prepare_models`` names the outputs; the ready-made file has token vectors alone.
POOLED_OUTPUT = "sentence_embedding"
TOKEN_OUTPUT = "token_embeddings"  # noqa: S105 - no secret
#: Two calls on a thread each do twice the work of one; one call on two threads 1.1 to 1.5 times. A call takes
#: some 40 MB for itself, so what there is of further cores goes to threads.
MOST_CALLS = 4


class OnnxSession:
    """One ONNX file and its tokenizer, loaded."""

    def __init__(self, path: Path, tokenizer: Path, max_tokens: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, cores() // MOST_CALLS)
        # The arena keeps the largest batch's memory for ever; without it a worker stays small.
        options.enable_cpu_mem_arena = False
        # Laid out in advance, what a batch of long passages needs stands all at once: 40 MB more.
        options.enable_mem_pattern = False
        # Threads that wait for the next run by spinning take the cores from numpy and Postgres.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.tokenizer = load_tokenizer(tokenizer, max_tokens)
        # The weights are unpacked more than once on the way in: 50 MB of the ready-made file's 160.
        memory.give_back()
        self.inputs = {entry.name for entry in self.session.get_inputs()}
        self.pooled = POOLED_OUTPUT in {entry.name for entry in self.session.get_outputs()}

    def run(self, token_ids: Sequence[Sequence[int]]) -> tuple[Vectors, Vectors]:
        """Of one batch, not yet normalised: (batch, dimensions) and (batch, width, dimensions)."""
        import numpy as np

        width = max(len(ids) for ids in token_ids)
        ids = np.zeros((len(token_ids), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(token_ids):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feed: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self.inputs:
            feed["token_type_ids"] = np.zeros_like(ids)
        if self.pooled:
            pooled, tokens = self.session.run([POOLED_OUTPUT, TOKEN_OUTPUT], feed)
            return pooled, tokens
        tokens = self.session.run(None, feed)[0]
        summed = np.einsum("bsd,bs->bd", tokens, mask.astype(np.float32))
        return (summed / mask.sum(axis=1, keepdims=True)).astype(np.float32), tokens


@cache
def calls() -> ThreadPoolExecutor:
    """The model's calls let go of the interpreter."""
    return ThreadPoolExecutor(min(cores(), MOST_CALLS), thread_name_prefix="model")


def cores() -> int:
    return len(os.sched_getaffinity(0))


class OnnxEmbedder:
    """``Embedder`` by ONNX Runtime, of the best file there is, or of the one at ``path``."""

    def __init__(self, files: ModelFiles, card: ModelCard, path: Path | None = None) -> None:
        from documents.embedding.registry import onnx_file

        self.card = card
        self._files = files
        self._path = path or onnx_file(files, card)
        self._lock = threading.Lock()
        self._session: OnnxSession | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        session = self._loaded()
        encoded = session.tokenizer.encode_batch(list(texts))
        vectors = np.empty((len(texts), self.card.dimensions), dtype=np.float32)
        for batch, (pooled, _) in self._run(session, [each.ids for each in encoded]):
            vectors[batch] = unit(pooled)
        return vectors

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        import numpy as np

        session = self._loaded()
        encoded = session.tokenizer.encode_batch(list(texts))
        found: dict[int, Encoding] = {}
        for batch, (pooled, tokens) in self._run(session, [each.ids for each in encoded]):
            for index, vector, row in zip(batch, unit(pooled), tokens, strict=True):
                added = np.array(encoded[index].special_tokens_mask, dtype=bool)
                found[index] = Encoding(vector, unit(row[: len(added)][~added]))
        return [found[index] for index in range(len(texts))]

    def _run(
        self, session: OnnxSession, token_ids: Sequence[Sequence[int]]
    ) -> Iterator[tuple[list[int], tuple[Vectors, Vectors]]]:
        """Batches of texts, by index, and what ``OnnxSession.run`` makes of each: several at once."""
        batches = list(length_sorted([len(ids) for ids in token_ids]))

        def run(batch: list[int]) -> tuple[Vectors, Vectors]:
            metrics.count_batch("onnx", [len(token_ids[index]) for index in batch])
            return session.run([token_ids[index] for index in batch])

        # A query is one batch, and changes no thread.
        yield from zip(batches, (map if len(batches) == 1 else calls().map)(run, batches), strict=True)

    def _loaded(self) -> OnnxSession:
        if self._session is None:
            with self._lock:
                if self._session is None:
                    started = time.perf_counter()
                    session = OnnxSession(self._path, self._files.tokenizer, self.card.max_tokens)
                    metrics.model_load_seconds.labels("onnx").observe(time.perf_counter() - started)
                    self._session = session
        return self._session
