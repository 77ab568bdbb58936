"""What the log of an answer holds, and every reader of it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

EventType = Literal["started", "sources", "token", "sentence", "done", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an answer's log. ``seq`` rises by one from 1."""

    answer: UUID
    seq: int
    type: EventType
    payload: dict[str, Any]
