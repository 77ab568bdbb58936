"""The model's own tokenizer, without padding and truncation, for counting and for batching."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def load_tokenizer(path: Path, max_tokens: int | None = None) -> Tokenizer:
    """``tokenizer.json`` without its own padding; cut at ``max_tokens`` when given."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    if max_tokens is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(max_tokens)
    return tokenizer


class ModelTokenizer:
    """A ``TokenCounter``; loads at the first call, once, from whichever thread comes first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._tokenizer: Any = None

    def offsets(self, text: str) -> list[tuple[int, int]]:
        if self._tokenizer is None:
            with self._lock:
                self._tokenizer = self._tokenizer or load_tokenizer(self._path)
        spans: list[tuple[int, int]] = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return spans
