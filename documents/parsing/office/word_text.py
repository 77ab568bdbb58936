"""The words of one Word paragraph, as its readers see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lxml import etree

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"

#: Marks in ``Words.text``. XML cannot hold these characters, so nobody else has written them.
PAGE_BREAK, RENDERED_BREAK = "\f", "\v"

#: What is not read: properties, tracked deletions, codes of fields, pronunciation above words.
DROPPED = frozenset(
    W + name for name in ("pPr", "rPr", "del", "moveFrom", "instrText", "delText", "fldData", "rt", "sdtPr")
)
_SIGNS = {
    W + "tab": "\t",
    W + "ptab": "\t",
    W + "cr": "\n",
    W + "noBreakHyphen": "-",
    W + "lastRenderedPageBreak": RENDERED_BREAK,
}
_LETTERS = frozenset((W + "t", _MATH + "t"))
_NOTES = {W + "footnoteReference": "footnotes", W + "endnoteReference": "endnotes"}
_PICTURES = frozenset((W + "drawing", W + "pict", W + "object"))


@dataclass(frozen=True, slots=True)
class Reference:
    """A note that the text refers to: ``kind`` is "footnotes" or "endnotes"."""

    kind: str
    key: str
    marker: str


@dataclass(slots=True)
class Words:
    """``parts`` joined are the text; ``boxes`` are the text boxes anchored in it."""

    parts: list[str] = field(default_factory=list)
    notes: list[Reference] = field(default_factory=list)
    boxes: list[etree._Element] = field(default_factory=list)
    has_picture: bool = False

    @property
    def text(self) -> str:
        return "".join(self.parts)


class WordReader:
    """Reads paragraphs in the order of the document, and counts their notes."""

    def __init__(self) -> None:
        self._counts = {"footnotes": 0, "endnotes": 0}

    def read(self, paragraph: etree._Element) -> Words:
        words = Words()
        self._walk(paragraph, words)
        return words

    def _walk(self, element: etree._Element, words: Words) -> None:
        for child in seen(element):
            tag = child.tag
            if tag in _LETTERS:
                words.parts.append(child.text or "")
            elif tag in _SIGNS:
                words.parts.append(_SIGNS[tag])
            elif tag == W + "br":
                words.parts.append(PAGE_BREAK if child.get(W + "type") == "page" else "\n")
            elif tag in _NOTES:
                words.parts.append(self._refer(_NOTES[tag], child, words))
            elif tag == W + "txbxContent":
                words.boxes.append(child)
            elif not (tag == W + "r" and _is_hidden(child)):
                words.has_picture = words.has_picture or tag in _PICTURES
                self._walk(child, words)

    def _refer(self, kind: str, reference: etree._Element, words: Words) -> str:
        self._counts[kind] += 1
        marker = f"[{'e' if kind == 'endnotes' else ''}{self._counts[kind]}]"
        words.notes.append(Reference(kind, reference.get(W + "id", ""), marker))
        return marker


def seen(element: etree._Element) -> Iterator[etree._Element]:
    """The children that are shown. Of alternatives (a text box for new and for old readers), one."""
    for child in element:
        if child.tag == _MC + "AlternateContent":
            yield from _alternative(child)
        elif isinstance(child.tag, str) and child.tag not in DROPPED:
            yield child


def _alternative(alternatives: etree._Element) -> Iterable[etree._Element]:
    chosen = next((branch for branch in alternatives if len(branch)), None)
    return () if chosen is None else seen(chosen)


def is_on(properties: etree._Element | None, name: str) -> bool:
    """Whether a switch of Word's ("w:vanish", say) is there and not off."""
    switch = None if properties is None else properties.find(W + name)
    return switch is not None and switch.get(W + "val", "1") not in ("0", "false", "off")


def _is_hidden(run: etree._Element) -> bool:
    return is_on(run.find(W + "rPr"), "vanish")
