"""Pairs of query and passage, cut to what a model can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Encoding, Tokenizer

    Scores = NDArray[np.float32]

#: At least this share of the model's limit is left to the passage, however long the query.
LEAST_PASSAGE = 0.25


class PairScorer(Protocol):
    """Reads a query and a passage together. Loaded, and safe to be used by several threads."""

    def scores(self, query: str, passages: Sequence[str]) -> Scores:
        """One score for each passage, of shape (len(passages),): the model's logit, higher is better."""
        ...


def fitting(
    query: str, passages: Sequence[str], tokenizer: Tokenizer, max_tokens: int
) -> list[tuple[str, str]]:
    """The pairs, each at most ``max_tokens`` long with its special tokens.

    Passages are cut at the end. The query stays whole unless it leaves no room for any passage.
    ``tokenizer`` must not cut or pad by itself.
    """
    room = max_tokens - tokenizer.num_special_tokens_to_add(is_pair=True)
    asked, *read = tokenizer.encode_batch([query, *passages], add_special_tokens=False)
    most = room - int(room * LEAST_PASSAGE)
    left = room - min(len(asked.ids), most)
    return [
        (beginning(query, asked, most), beginning(text, encoding, left))
        for text, encoding in zip(passages, read, strict=True)
    ]


def beginning(text: str, encoding: Encoding, tokens: int) -> str:
    """``text`` up to the end of its token number ``tokens``."""
    return text if len(encoding.ids) <= tokens else text[: encoding.offsets[tokens - 1][1]]
