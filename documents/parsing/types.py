"""What a parser hands to the chunker: plain, frozen, picklable data (it crosses a process border)."""

from __future__ import annotations

from collections.abc import Callable
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
    markup, for formats whose text has any. ``header`` is a table's header row, where the parser
    knows it; a table that began on an earlier page does not hold that row itself.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    title: str = ""
    header: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Where one line of text stands on the page: offsets into the page's text, and its box."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """One page; ``number`` starts at 1. ``width`` and ``height`` are points, or None without a layout.

    ``label`` is what the document itself calls the page ("iv", "A-3", a sheet's name), where that is
    not its number. ``is_picture`` marks a page that shows something but holds no text: text
    recognition may find some. ``recognised`` says that it did, ``examined`` that it has looked, whatever
    it found (``recognition`` says so, outside the jail).
    """

    number: int
    text: str
    blocks: tuple[Block, ...]
    width: float | None = None
    height: float | None = None
    lines: tuple[Line, ...] = ()
    label: str = ""
    is_picture: bool = False
    recognised: bool = False
    examined: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside the file (of a mail, say), which becomes a document of its own."""

    filename: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A whole file, read. ``title`` is what the file itself says it is called, or empty.

    ``metadata`` holds what the file says of itself under lower-case names: ``title``, ``author``,
    ``subject``, ``keywords``, ``created``, ``modified`` (ISO 8601), ``language`` (a code like "en").
    """

    pages: tuple[ParsedPage, ...]
    title: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()

    @property
    def has_text(self) -> bool:
        return any(page.text.strip() for page in self.pages)


#: Called with (pages read, pages in all) now and then while a parser works.
Report = Callable[[int, int], None]


def unheard(done: int, total: int) -> None:
    """A ``Report`` that nobody listens to."""


class Parser(Protocol):
    """Reads one family of file formats. Runs in a child process: it may be killed at any time."""

    def __call__(self, path: str, report: Report = unheard) -> ParsedDocument:
        """Read the file at ``path``. Raise ``UnreadableDocument`` with a reason fit for users."""
        ...
