"""Vectors of texts that come again and again, kept in the memory of a process by SHA-256 of the text."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Embed = Callable[[Sequence[str]], Floats]


class RecentVectors:
    """The last ``most``: 1.5 kB each, of 384 dimensions."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[bytes, Floats] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, revision: str, texts: Sequence[str], embed: Embed) -> Floats:
        """Unit vectors in the texts' order, (texts, dimensions); ``embed`` is asked for new ones only.

        ``revision`` is that of the model's weights. Raises what ``embed`` raises.
        """
        import numpy as np

        keys = [hashlib.sha256(f"{revision}\n{text}".encode()).digest() for text in texts]
        found = self._known(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            new = dict(zip(missing, embed(list(missing.values())), strict=True))
            self._keep(new)
            found |= new
        return np.stack([found[key] for key in keys])

    def _known(self, keys: Sequence[bytes]) -> dict[bytes, Floats]:
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
        return found

    def _keep(self, new: dict[bytes, Floats]) -> None:
        with self._lock:
            # Copies: a row of an array keeps all of it.
            self._kept |= {key: vector.copy() for key, vector in new.items()}
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
