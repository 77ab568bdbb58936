"""The invariant between passages and the vocabularies of their collections."""

from __future__ import annotations

from collections.abc import Sequence

from documents import vocabulary
from documents.integrity.types import Check, rows

#: One statement: it sees passages and words of the same moment.
WRONG = f"""
    SELECT DISTINCT collection_id FROM ({vocabulary.HELD.format(which="")}) held
    FULL JOIN documents_word kept USING (collection_id, word)
    WHERE held.documents IS DISTINCT FROM kept.documents"""


def wrong_vocabularies() -> list[str]:
    """Keys of collections in which a word is counted that is not there, or one that is there is not."""
    return rows(WRONG)


def count_again(collections: Sequence[str]) -> None:
    for collection in collections:
        vocabulary.count_again(int(collection))


CHECKS = (
    Check("collections whose vocabulary is not that of their passages", wrong_vocabularies, count_again),
)
