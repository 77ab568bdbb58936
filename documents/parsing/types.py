"""What a parser hands to the chunker: plain, frozen, picklable data (it crosses a process border)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

BlockKind = Literal["heading", "paragraph", "list", "table", "code"]

#: A rectangle on a page in PDF points, origin top left: (x0, y0, x1, y1).
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of one page's text that belongs together.

    ``start`` and ``end`` are character offsets into ``ParsedPage.text``. ``level`` is the depth of
    a heading (1 = title) and 0 for everything else. ``title`` holds a heading's words without
    markup, for formats whose text has any.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Where one line of text stands on the page: offsets into the page's text, and its box."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """One page; ``number`` starts at 1. ``width`` and ``height`` are points, or None without a layout."""

    number: int
    text: str
    blocks: tuple[Block, ...]
    width: float | None = None
    height: float | None = None
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A whole file, read. ``title`` is what the file itself says it is called, or empty."""

    pages: tuple[ParsedPage, ...]
    title: str = ""
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def has_text(self) -> bool:
        return any(page.text.strip() for page in self.pages)


class Parser(Protocol):
    """Reads one family of file formats. Runs in a child process: it may be killed at any time."""

    def __call__(self, path: str) -> ParsedDocument:
        """Read the file at ``path``. Raise ``UnreadableDocument`` with a reason fit for users."""
        ...
