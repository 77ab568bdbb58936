"""What a check is, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import connection

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Check:
    """An invariant: ``find`` names whatever breaks it, ``mend`` puts right what it is given of that."""

    invariant: str
    find: Callable[[], Sequence[str]]
    mend: Callable[[Sequence[str]], None] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """An invariant and how often it is broken; ``examples`` says where."""

    invariant: str
    breaches: int
    examples: tuple[str, ...] = ()
    mendable: bool = False


def rows(sql: str, *parameters: str | int | None) -> list[str]:
    """The first column of every row that ``sql`` finds."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [str(row[0]) for row in cursor.fetchall()]
