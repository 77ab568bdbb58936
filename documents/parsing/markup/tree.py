"""From a tree of HTML elements to the blocks of a page; what HTML, e-books and mails share.

Trees are walked, never descended into by recursion: a file decides how deep they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from documents.parsing.builder import PageBuilder, one_line
from documents.parsing.markup.tables import read_table

HEADINGS = {f"h{level}": level for level in range(1, 7)}
#: A longer one is a tag that nobody closed, not a heading.
MAX_HEADING = 300

_BLOCKS = frozenset(
    {
        "html",
        "body",
        "div",
        "p",
        "section",
        "article",
        "main",
        "header",
        "footer",
        "aside",
        "nav",
        "address",
        "blockquote",
        "center",
        "details",
        "summary",
        "dialog",
        "fieldset",
        "legend",
        "figure",
        "figcaption",
        "form",
        "hgroup",
        "search",
        "hr",
        "tr",
        "td",
        "th",
        "tbody",
        "thead",
        "tfoot",
        "caption",
        "table",
        "textarea",
        "level1",
        "level2",
        "level3",
        "level4",
        "note",
    }
)
#: Nothing that a person would read there.
_UNREAD = frozenset(
    {
        "head",
        "title",
        "script",
        "style",
        "template",
        "noscript",
        "svg",
        "iframe",
        "audio",
        "video",
        "canvas",
        "select",
        "datalist",
        "map",
        "rp",
        "annotation",
        "annotation-xml",
    }
)
_CODE = ("pre", "listing", "xmp")
_LISTS = ("ul", "ol", "menu", "dir", "dl")
_HIDING_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
#: Where ``aria-hidden`` marks decoration; on a larger element it only says that something lies above it.
_DECORATION = frozenset({"span", "i", "b", "em", "a", "sup", "img"})
_BOILERPLATE = ("nav", "header", "footer", "aside")
_BOILERPLATE_ROLES = ("navigation", "banner", "contentinfo", "complementary", "search")
#: The text of links that only carry an anchor to their own heading.
_ANCHORS = ("¶", "#", "🔗")
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_EXPONENT = re.compile(r"[+−-]?\d{1,3}")
_SUPERSCRIPT = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")

Event = tuple[Literal["start", "end", "text"], str, etree._Element]
Test = Callable[[etree._Element], bool]


def write(root: etree._Element, builder: PageBuilder, *, below: int = 0, skipped: Test | None = None) -> None:
    """Write what a person would read of the page into the builder.

    ``below`` is the level of the heading that governs the whole; elements that are ``skipped`` are left
    out. Tags are expected in lower case and without namespaces.
    """
    _Writer(root, builder, below, skipped or (lambda element: False)).write()


def words(element: etree._Element, *, raw: bool = False) -> str:
    """The text inside an element; lines end where its blocks do. ``raw`` keeps blanks as they are."""
    parts: list[str] = []
    for event, value, _ in _Walk(element, raw=raw):
        if event == "text":
            parts.append(value)
        elif not raw and (value in _BLOCKS or value in ("li", "dt", "dd")):
            parts.append("\n")
    return "".join(parts)


class _Walk:
    """The events of reading a tree: elements that begin and end, and their text (as the event's value)."""

    def __init__(self, root: etree._Element, *, raw: bool = False) -> None:
        self._root = root
        self._raw = raw
        self._events = etree.iterwalk(root, events=("start", "end"))
        self._left_out: etree._Element | None = None

    def __iter__(self) -> Iterator[Event]:
        for event, element in self._events:
            if event == "start":
                yield from self._start(element)
            else:
                yield from self._end(element)

    def skip(self, element: etree._Element) -> None:
        """Go on after the element that has just begun; its end is not told."""
        self._left_out = element
        self._events.skip_subtree()

    def _start(self, element: etree._Element) -> Iterator[Event]:
        text = _own_text(element)
        if text is None and not _is_unread(element):
            yield "start", element.tag, element
            if self._left_out is not element:
                yield from self._text(element.text, element)
            return
        self.skip(element)
        if text:
            yield "text", text, element

    def _end(self, element: etree._Element) -> Iterator[Event]:
        if self._left_out is element:
            self._left_out = None
        else:
            yield "end", element.tag, element
        if element is not self._root:
            yield from self._text(element.tail, element)

    def _text(self, text: str | None, element: etree._Element) -> Iterator[Event]:
        if text:
            text = text.replace("\xad", "").replace("\u200b", "")
            yield "text", text if self._raw else _BLANKS.sub(" ", text), element


def _own_text(element: etree._Element) -> str | None:
    """What stands for the element as a whole; None for one that is to be read."""
    if element.tag == "br":
        return "\n"
    if element.tag == "img":
        return "" if _is_hidden(element) else f" {one_line(element.get('alt') or '')} "
    text = (element.text or "").strip()
    if element.tag == "sup" and not len(element) and _EXPONENT.fullmatch(text):
        return text.translate(_SUPERSCRIPT)
    return None


def _is_unread(element: etree._Element) -> bool:
    tag = element.tag
    if tag in _UNREAD or (tag == "dialog" and element.get("open") is None) or _is_hidden(element):
        return True
    if tag == "button":
        return not any(parent.tag in HEADINGS for parent in element.iterancestors())
    anchor = tag == "a" and not len(element) and (element.text or "").strip()
    return anchor in _ANCHORS and (element.get("href") or "").startswith("#")


def _is_hidden(element: etree._Element) -> bool:
    get = element.get
    return (
        (get("hidden") is not None and get("hidden") != "until-found")
        or bool(_HIDING_STYLE.search(get("style") or ""))
        or (get("aria-hidden") == "true" and element.tag in _DECORATION)
    )


@dataclass(slots=True)
class _List:
    """A list that is being read; ``number`` is that of the next item, 0 in lists without numbers."""

    number: int = 0
    style: str = "1"
    #: What stands between a term and its definition; after the first one, between definitions.
    separator: str = ": "


class _Writer:
    """Reads a tree and writes blocks. Text gathers until a block ends, items until their list does."""

    def __init__(self, root: etree._Element, builder: PageBuilder, below: int, skipped: Test) -> None:
        self._walk = _Walk(root)
        self._builder = builder
        self._below = below
        self._skipped = skipped
        self._has_content = _has_content(root)
        self._content_depth = 0
        self._text: list[str] = []
        self._lists: list[_List] = []
        self._items: list[tuple[int, str, str]] = []
        self._marker = ""

    def write(self) -> None:
        for event, value, element in self._walk:
            if event == "text":
                self._text.append(value)
            elif event == "start":
                self._start(value, element)
            else:
                self._end(value, element)
        self._flush()

    def _start(self, tag: str, element: etree._Element) -> None:
        if self._skipped(element):
            self._walk.skip(element)
        elif self._is_boilerplate(tag, element):
            self._walk.skip(element)
            if tag == "header":
                self._headings_of(element)
        elif tag in HEADINGS:
            self._heading(tag, element)
        elif tag == "table":
            self._table(element)
        elif tag in _CODE:
            self._flush()
            self._builder.code(words(element, raw=True))
            self._walk.skip(element)
        elif tag in _LISTS:
            self._end_text()
            number = _number(element.get("start"), 1) if tag == "ol" else 0
            self._lists.append(_List(number, element.get("type") or "1"))
        elif tag in ("li", "dt", "dd"):
            self._item(tag, element)
        elif tag in _BLOCKS:
            self._content_depth += _is_content(element)
            self._break()

    def _end(self, tag: str, element: etree._Element) -> None:
        if tag in _LISTS:
            self._end_text()
            if self._lists:
                self._lists.pop()
            if not self._lists:
                self._flush()
        elif tag == "li":
            self._end_text()
        elif tag in _BLOCKS:
            self._content_depth -= _is_content(element)
            self._break()

    def _is_boilerplate(self, tag: str, element: etree._Element) -> bool:
        if not self._has_content or (tag != "nav" and self._content_depth):
            return False
        return tag in _BOILERPLATE or element.get("role") in _BOILERPLATE_ROLES

    def _headings_of(self, header: etree._Element) -> None:
        """The page's name often stands in its header, beside the menu."""
        for heading in header.iter("h1"):
            self._flush()
            self._builder.heading(words(heading), 1 + self._below)

    def _heading(self, tag: str, element: etree._Element) -> None:
        text = one_line(words(element))
        if len(text) > MAX_HEADING:
            self._break()
            return
        self._flush()
        self._builder.heading(text, HEADINGS[tag] + self._below)
        self._walk.skip(element)

    def _table(self, element: etree._Element) -> None:
        rows, header = read_table(element, words)
        if not rows:
            self._break()
            return
        self._flush()
        if (caption := element.find("caption")) is not None:
            self._builder.paragraph(words(caption))
        self._builder.table(rows, header=header)
        self._walk.skip(element)

    # Lists

    def _item(self, tag: str, element: etree._Element) -> None:
        inner = self._lists[-1] if self._lists else _List()
        if tag == "dd" and self._marker and self._has_text():
            while self._text[-1].isspace():
                self._text.pop()
            self._text.append(inner.separator)
            inner.separator = "\n"
            return
        self._end_text()
        inner.separator = ": " if tag == "dt" else "\n"
        self._marker = "-"
        if inner.number:
            inner.number = _number(element.get("value"), inner.number)
            self._marker = f"{_numeral(inner.number, inner.style)}."
            inner.number += 1

    def _break(self) -> None:
        """A block begins or ends: a new line within an item, a new paragraph elsewhere."""
        if not self._lists:
            self._end_text()
        elif self._has_text() and not self._text[-1].endswith(("\n", ": ")):
            self._text.append("\n")

    def _has_text(self) -> bool:
        return any(not part.isspace() for part in self._text)

    def _end_text(self) -> None:
        text = "".join(self._text).strip()
        self._text.clear()
        if text and (self._lists or self._marker):
            self._items.append((max(len(self._lists) - 1, 0), self._marker, text))
        elif text:
            self._builder.paragraph(text)
        self._marker = "" if text or not self._lists else self._marker

    def _flush(self) -> None:
        self._end_text()
        if self._items:
            self._builder.items(self._items)
            self._items = []
        self._marker = ""


def _has_content(root: etree._Element) -> bool:
    """Whether the page says which part of it is to be read, and that part says something."""
    depth = 0
    for event, value, element in _Walk(root):
        if event == "text":
            if depth and value.strip():
                return True
        elif _is_content(element):
            depth += 1 if event == "start" else -1
    return False


def _is_content(element: etree._Element) -> bool:
    return element.tag in ("main", "article") or element.get("role") == "main"


def _number(value: str | None, default: int) -> int:
    return int(value) if value and re.fullmatch(r"[0-9]{1,6}", value) else default


def _numeral(number: int, style: str) -> str:
    if style in ("a", "A") and 1 <= number <= 26:
        return chr(ord(style) + number - 1)
    return str(number)
