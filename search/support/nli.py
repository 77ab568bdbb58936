"""A natural language inference model as judge: ``NLI_MODEL``, a cross-encoder of three labels.

Runs on torch (``requirements/ml.txt``), imported at its first use; read from disk, nothing is downloaded.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from search.reranking.files import RerankerUnavailable, from_hub
from search.support.entailment import Verdict

logger = logging.getLogger(__name__)

LABELS = ("entailment", "neutral", "contradiction")
#: The probability from which on a label counts.
SURE = 0.5


class NliJudge:
    """Loaded once, at its first use. Where it cannot run it says so in the log, and decides nothing."""

    def __init__(self, model: str) -> None:
        self._name = model
        self._model: Any = None
        self._unavailable = False
        self._lock = threading.Lock()

    def judge(self, claim: str, premises: Sequence[str]) -> list[Verdict]:
        model = self._loaded()
        if model is None:
            return [Verdict()] * len(premises)
        rows = model.predict(
            [(premise, claim) for premise in premises], apply_softmax=True, show_progress_bar=False
        )
        return [verdict(dict(zip(labels(model), map(float, row), strict=True))) for row in rows]

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None and not self._unavailable:
                try:
                    self._model = load(self._name)
                except (RerankerUnavailable, OSError, ValueError) as error:
                    logger.warning("NLI_MODEL=%s does not run: %s", self._name, error)
                    self._unavailable = True
            return self._model


def verdict(shares: Mapping[str, float]) -> Verdict:
    """The model decides alone: what it does not find entailed is not carried by shared words either."""
    entails = shares["entailment"] >= SURE
    return Verdict(entails=entails, contradicts=shares["contradiction"] >= SURE, unlike=not entails)


def load(name: str) -> Any:
    """Raises ``RerankerUnavailable``, ``ValueError`` for a model with other labels."""
    try:
        from sentence_transformers import CrossEncoder
    except ImportError as error:
        raise RerankerUnavailable("torch (requirements/ml.txt) is not installed here.") from error
    folder = Path(name).expanduser()
    model = CrossEncoder(
        str(folder if folder.is_dir() else from_hub(name, fetch=False)), local_files_only=True
    )
    if sorted(labels(model)) != sorted(LABELS):
        raise ValueError(f"its labels are {labels(model)}, not {LABELS}.")
    return model


def labels(model: Any) -> list[str]:
    """Its labels, in the order of its output."""
    named: Mapping[int, str] = model.config.id2label
    return [named[index].casefold() for index in sorted(named)]
