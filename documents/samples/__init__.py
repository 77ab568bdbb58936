"""A few documents of an invented waterworks, in several formats, to try the portal on, and questions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "files"


@dataclass(frozen=True, slots=True)
class Sample:
    """A file, what it is called, and what is suggested to ask about it."""

    filename: str
    title: str
    questions: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        return FOLDER / self.filename


SAMPLES = (
    Sample("operations-handbook.pdf", "Operations handbook", ("How often is the chlorine level measured?",)),
    Sample(
        "pump-service-contract.docx",
        "Service contract for the pumps",
        ("How much notice is needed to end the service contract?",),
    ),
    Sample("night-shift-notes.md", "Night shift notes, March", ("Why was pump P-2 stopped in March?",)),
    Sample(
        "visiting.html",
        "Visiting the waterworks",
        ("When are the waterworks open to visitors?", "How long does a guided tour take?"),
    ),
    Sample("cloudy-water.eml", "Letter to Mr Okafor", ("Why was the water in Mill Lane cloudy?",)),
    Sample("water-figures.xlsx", "Water figures 2024"),
    Sample("maintenance-log.csv", "Maintenance log 2025"),
)


@cache
def digests() -> dict[str, Sample]:
    """The samples by the SHA-256 of their bytes, which is how a collection knows that it has them."""
    return {hashlib.sha256(sample.path.read_bytes()).hexdigest(): sample for sample in SAMPLES}


def questions(found: Iterable[str]) -> list[str]:
    """What can be asked where the samples of these digests have been read."""
    ready = {digests()[digest] for digest in found}
    return [question for sample in SAMPLES if sample in ready for question in sample.questions]
