"""What a hostile file is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Hostile:
    """A file of the hostile set. ``make`` gives the same bytes each time it is called."""

    id: str
    filename: str
    make: Callable[[], bytes]
