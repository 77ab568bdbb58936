"""What an OpenDocument's styles say: page breaks, titles, and how lists and headings are numbered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from documents.parsing.numerals import letters, roman

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_FO = "{urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0}"
_DEEPEST_CHAIN = 20


@dataclass(frozen=True, slots=True)
class Style:
    is_title: bool = False
    breaks_before: bool = False
    breaks_after: bool = False


@dataclass(frozen=True, slots=True)
class _Level:
    """``format`` is "1", "a", "A", "i", "I", empty for no number, or "-" for a bullet."""

    format: str = "-"
    prefix: str = ""
    suffix: str = ""
    start: int = 1
    shown: int = 1


@dataclass(slots=True)
class ListStyle:
    """Counts the items of the lists that share a style."""

    levels: dict[int, _Level] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)

    def begin(self, depth: int, *, goes_on: bool) -> None:
        """A list starts at ``depth``: it counts afresh unless it goes on."""
        if not goes_on:
            self._forget(depth)

    def next_marker(self, depth: int, start: int | None = None) -> str:
        level = self.levels.get(depth, _Level())
        following = self.counts[depth] + 1 if depth in self.counts else level.start
        self._forget(depth)
        self.counts[depth] = following if start is None else start
        if level.format == "-":
            return "-"
        above = range(max(0, depth - level.shown + 1), depth)
        numbers = filter(None, (self._written(index) for index in (*above, depth)))
        number = ".".join(numbers)
        return f"{level.prefix}{number}{level.suffix}".strip() if number else ""

    def _forget(self, depth: int) -> None:
        for deeper in [found for found in self.counts if found >= depth]:
            del self.counts[deeper]

    def _written(self, depth: int) -> str:
        level = self.levels.get(depth, _Level("1"))
        count = self.counts.get(depth, level.start)
        match level.format:
            case "i":
                return roman(count)
            case "I":
                return roman(count).upper()
            case "a":
                return letters(count)
            case "A":
                return letters(count).upper()
            case "" | "-":
                return ""
        return str(count)


class Styles:
    """The styles of a document: its own (automatic) ones and the named ones."""

    def __init__(self, content: etree._Element, styles: etree._Element | None) -> None:
        roots = [root for root in (styles, content) if root is not None]
        self._paragraphs = {
            style.get(_STYLE + "name", ""): style
            for root in roots
            for style in root.iter(_STYLE + "style")
            if style.get(_STYLE + "family") == "paragraph"
        }
        self._lists = {
            style.get(_STYLE + "name", ""): ListStyle(dict(_levels(style)))
            for root in roots
            for style in root.iter(TEXT + "list-style")
        }
        outlines = [style for root in roots for style in root.iter(TEXT + "outline-style")]
        self.outline = ListStyle(dict(_levels(outlines[0]))) if outlines else ListStyle()
        #: Headings have no bullets: without an outline they are not numbered.
        self.outline.levels = {depth: self.outline.levels.get(depth, _Level("")) for depth in range(10)}

    def of(self, paragraph: etree._Element) -> Style:
        chain = list(self._chain(paragraph.get(TEXT + "style-name", "")))
        properties = [style.find(_STYLE + "paragraph-properties") for style in chain]
        breaks = [found for found in properties if found is not None]
        return Style(
            is_title="Title"
            in (paragraph.get(TEXT + "style-name"), *(s.get(_STYLE + "name") for s in chain)),
            breaks_before=_first(breaks, "break-before") == "page"
            or any(style.get(_STYLE + "master-page-name") for style in chain[:1]),
            breaks_after=_first(breaks, "break-after") == "page",
        )

    def list_of(self, element: etree._Element, outer: ListStyle | None = None) -> ListStyle:
        """The style of a list; one that names none has that of the list around it."""
        name = element.get(TEXT + "style-name", "")
        return self._lists.get(name) or outer or ListStyle()

    def _chain(self, name: str) -> Iterator[etree._Element]:
        for _ in range(_DEEPEST_CHAIN):
            style = self._paragraphs.get(name)
            if style is None:
                return
            yield style
            name = style.get(_STYLE + "parent-style-name", "")


def _first(properties: list[etree._Element], name: str) -> str:
    return next((found for element in properties if (found := element.get(_FO + name))), "")


def _levels(style: etree._Element) -> Iterator[tuple[int, _Level]]:
    for element in style:
        if not isinstance(element.tag, str):
            continue
        is_bullet = element.tag != TEXT + "list-level-style-number" and "outline" not in element.tag
        yield (
            small(element.get(TEXT + "level"), 1) - 1,
            _Level(
                format="-" if is_bullet else element.get(_STYLE + "num-format", ""),
                prefix=element.get(_STYLE + "num-prefix", ""),
                suffix=element.get(_STYLE + "num-suffix", ""),
                start=small(element.get(TEXT + "start-value"), 1),
                shown=small(element.get(TEXT + "display-levels"), 1),
            ),
        )


def small(text: str | None, default: int) -> int:
    """A small number from an attribute; what is absurd is the ``default``."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else default
