"""Making this CPU's own int8 ONNX file of a model: export, quantise, check against torch, keep."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from documents.embedding import weights
from documents.embedding.base import ModelCard
from documents.embedding.onnx import POOLED_OUTPUT, TOKEN_OUTPUT, OnnxSession
from documents.embedding.registry import prepared_folder
from documents.exceptions import EmbeddingUnavailable

#: int8 moves vectors a little. Below this mean cosine to torch the file is refused.
LEAST_MEAN_COSINE = 0.985
SAMPLE = (
    "What is the capital of France?",
    "The pump delivers 40 litres per minute at a pressure of 6 bar.",
    "Patients were randomised to receive either the drug or a placebo for twelve weeks.",
    "Net cash provided by operating activities rose by 4 % to $1,577 million in fiscal 2018.",
    "Der Vertrag endet mit einer Frist von drei Monaten zum Ende des Jahres.",
    "In 1900, the discovery of radioactivity changed the estimate of the age of the Earth. " * 6,
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was made: the file, and its mean cosine similarity to torch on the sample."""

    path: Path
    mean_cosine: float
    seconds: float


def prepare(model: str, *, force: bool = False, say: Callable[[str], None] = print) -> Prepared:
    """Export, quantise and check ``model``; atomic, so a kill in the middle leaves nothing behind."""
    started = time.perf_counter()
    files, card = weights.locate(model), weights.model_card(model)
    folder = prepared_folder(card)
    if (folder / "model.int8.onnx").exists() and not force:
        say(f"already prepared: {folder / 'model.int8.onnx'}")
        return Prepared(folder / "model.int8.onnx", check(files, card, folder / "model.int8.onnx"), 0.0)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        work = Path(name)
        say("exporting")
        export(files, card, work / "model.onnx")
        say("quantising")
        quantise(work / "model.onnx", work / "model.int8.onnx")
        say("checking against torch")
        cosine = check(files, card, work / "model.int8.onnx")
        folder.mkdir(exist_ok=True)
        shutil.move(work / "model.int8.onnx", folder / "model.int8.onnx")
    return Prepared(folder / "model.int8.onnx", cosine, time.perf_counter() - started)


def export(files: weights.ModelFiles, card: ModelCard, target: Path) -> None:
    """The whole sentence-transformers model, pooling included, so that every pooling works alike."""
    torch, model = load_on_cpu(files)

    class Pooled(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            out = model(features)
            return out[POOLED_OUTPUT], out["token_embeddings"]

    rows, width = (
        torch.export.Dim("rows", min=1, max=4096),
        torch.export.Dim("width", min=2, max=card.max_tokens),
    )
    ids = torch.ones((2, 9), dtype=torch.int64)
    torch.onnx.export(
        Pooled().eval(),
        (ids, torch.ones_like(ids)),
        str(target),
        dynamo=True,
        external_data=False,
        verbose=False,
        input_names=["input_ids", "attention_mask"],
        output_names=[POOLED_OUTPUT, TOKEN_OUTPUT],
        dynamic_shapes=({0: rows, 1: width}, {0: rows, 1: width}),
    )


def load_on_cpu(files: weights.ModelFiles) -> tuple[Any, Any]:
    try:
        import onnx  # noqa: F401 - asked for here, so that the message comes before the work
        import onnxscript  # noqa: F401
        import torch
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise EmbeddingUnavailable(
            "prepare_models needs requirements/ml.txt (torch, sentence-transformers, onnx, onnxscript)."
        ) from error
    return torch, SentenceTransformer(str(files.folder), device="cpu", local_files_only=True).eval()


def quantise(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # Without VNNI the int8 products of full range saturate; 7 bits do not.
    quantize_dynamic(
        source, target, per_channel=True, reduce_range=not has_vnni(), weight_type=QuantType.QInt8
    )


def has_vnni() -> bool:
    try:
        return "vnni" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def check(files: weights.ModelFiles, card: ModelCard, path: Path, texts: Sequence[str] = SAMPLE) -> float:
    """Mean cosine of the file's vectors to torch's. Raises when it is too low to be the same model."""
    import numpy as np

    _, model = load_on_cpu(files)
    wanted = model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    session = OnnxSession(path, files.tokenizer, card.max_tokens)
    got, _ = session.run([encoding.ids for encoding in session.tokenizer.encode_batch(list(texts))])
    got = got / np.linalg.norm(got, axis=1, keepdims=True)
    mean = float((wanted * got).sum(axis=1).mean())
    if mean < LEAST_MEAN_COSINE:
        raise EmbeddingUnavailable(f"The quantised model is too far from torch: mean cosine {mean:.4f}.")
    return mean
