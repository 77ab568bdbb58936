"""Making this CPU's own int8 ONNX file of a cross-encoder: export, quantise, check against torch, keep."""

from __future__ import annotations

import inspect
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from documents.embedding.prepare import quantise
from search.reranking.files import (
    ONNX_FILE,
    TOKENIZER_FILE,
    Card,
    RerankerUnavailable,
    model_folder,
    prepared_card,
    prepared_folder,
    revision,
    write_card,
)
from search.reranking.onnx_pairs import OnnxPairScorer
from search.reranking.torch_pairs import load

if TYPE_CHECKING:
    from search.reranking.pairs import Scores

#: int8 moves scores a little. Below this correlation with torch's the file is refused.
LEAST_CORRELATION = 0.95
QUESTIONS = (
    "What is the capital of France?",
    "How much water does the pump deliver?",
    "Was the drug better than a placebo?",
    "How did the cash flow from operations develop in 2018?",
    "Mit welcher Frist endet der Vertrag?",
)
PASSAGES = (
    "Paris is the capital of France and its largest city.",
    "The pump delivers 40 litres of water per minute at a pressure of 6 bar.",
    "Patients were randomised to receive either the drug or a placebo for twelve weeks.",
    "Net cash provided by operating activities rose by 4 % to $1,577 million in fiscal 2018.",
    "Der Vertrag endet mit einer Frist von drei Monaten zum Ende des Jahres.",
    "In 1900, the discovery of radioactivity changed the estimate of the age of the Earth. " * 6,
)


@dataclass(frozen=True, slots=True)
class PreparedReranker:
    """What was made: the file, and the correlation of its scores with torch's on the sample."""

    path: Path
    correlation: float
    seconds: float


def prepare(model: str, *, force: bool = False, say: Callable[[str], None] = print) -> PreparedReranker:
    """Export, quantise and check ``model``, fetched where it is a name. Raises ``RerankerUnavailable``.

    A folder appears whole or not at all. The same weights are not done twice.
    """
    started = time.perf_counter()
    source, target = model_folder(model, fetch=True), prepared_folder(model)
    encoder = load_on_cpu(model, source)
    if not force and (card := prepared_card(model)) and card.revision == revision(source):
        say(f"already prepared: {target / ONNX_FILE}")
        return PreparedReranker(target / ONNX_FILE, check(encoder, target, card), 0.0)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        work = Path(name) / "made"
        correlation = make(encoder, card_of(model, encoder, revision(source)), work, say)
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
    return PreparedReranker(target / ONNX_FILE, correlation, time.perf_counter() - started)


def load_on_cpu(model: str, source: Path) -> Any:
    try:
        import onnx  # noqa: F401 - asked for here, so that the message comes before the work
        import onnxscript  # noqa: F401
        import sentence_transformers  # noqa: F401
    except ImportError as error:
        raise RerankerUnavailable(
            "prepare_models needs requirements/ml.txt (torch, sentence-transformers, onnx, onnxscript)."
        ) from error
    encoder = load(model, source, device="cpu").eval()
    if not type(encoder.model).__name__.endswith("ForSequenceClassification"):
        raise RerankerUnavailable(
            f"RERANKER_MODEL={model} cannot be prepared, as it has no head of its own. It runs on torch."
        )
    return encoder


def make(encoder: Any, card: Card, folder: Path, say: Callable[[str], None]) -> float:
    """Everything that scoring without torch needs, in ``folder``; how well its scores correlate."""
    folder.mkdir()
    write_card(card, folder)
    encoder.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER_FILE))
    say("exporting the reranker")
    whole = folder.parent / "model.onnx"
    export(encoder, card.max_tokens, whole)
    say("quantising")
    quantise(whole, folder / ONNX_FILE)
    say("checking against torch")
    return check(encoder, folder, card)


def card_of(model: str, encoder: Any, weights: str) -> Card:
    return Card(model, weights, encoder.max_seq_length, encoder.tokenizer.pad_token_id or 0)


def export(encoder: Any, max_tokens: int, target: Path) -> None:
    """The model with its head, without the activation: from token ids to a logit for each pair."""
    import torch

    names = input_names(encoder)

    class Logits(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder.model

        def forward(self, *inputs: Any) -> Any:
            return self.encoder(**dict(zip(names, inputs, strict=True))).logits

    dims = {0: torch.export.Dim("rows", min=1, max=4096), 1: torch.export.Dim("width", min=2, max=max_tokens)}
    ids = torch.ones((2, 9), dtype=torch.int64)
    torch.onnx.export(
        Logits().eval(),
        tuple(ids.clone() for _ in names),
        str(target),
        dynamo=True,
        external_data=False,
        verbose=False,
        input_names=names,
        output_names=["logits"],
        dynamic_shapes=(tuple(dims for _ in names),),
    )


def input_names(encoder: Any) -> list[str]:
    """What the tokenizer gives and the model takes; not every model tells the pair's texts apart by types."""
    given, taken = encoder.tokenizer.model_input_names, inspect.signature(encoder.model.forward).parameters
    known = ("input_ids", "attention_mask", "token_type_ids")
    return [name for name in known if name in given and name in taken]


def check(encoder: Any, folder: Path, card: Card) -> float:
    """Correlation of the file's scores with torch's. Raises when it is too low to rank alike."""
    import numpy as np
    import torch

    pairs = list(product(QUESTIONS, PASSAGES))
    wanted = encoder.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    scorer = OnnxPairScorer(folder, card)
    got = np.concatenate([scorer.scores(question, PASSAGES) for question in QUESTIONS])
    found = correlation(wanted, got)
    if found < LEAST_CORRELATION:
        raise RerankerUnavailable(
            f"The quantised reranker is too far from torch: correlation of scores {found:.3f}."
        )
    return found


def correlation(wanted: Scores, got: Scores) -> float:
    """Pearson's. 0 where either scores every pair alike."""
    import numpy as np

    if min(float(wanted.std()), float(got.std())) < 1e-9:
        return 0.0
    return float(np.corrcoef(wanted, got)[0, 1])
