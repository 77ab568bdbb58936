"""What Word's styles and list definitions say about a paragraph: heading, list, number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from lxml import etree

from documents.parsing.numerals import letters, ordinal, roman
from documents.parsing.office.word_text import W, is_on

#: Word keeps the names of its own styles in English, whatever language it speaks.
_HEADING = re.compile(r"heading ?([1-9])", re.IGNORECASE)
_LIST_DEPTH = re.compile(r"list (?:bullet|number|continue) ([2-5])", re.IGNORECASE)
_PLACE = re.compile(r"%([1-9])")
_LEVELS = 9
_DEEPEST_CHAIN = 20


@dataclass(frozen=True, slots=True)
class Style:
    """``heading`` is 0 for text, ``list_id`` empty outside lists; ``depth`` is a list's, by indentation."""

    heading: int = 0
    is_title: bool = False
    list_id: str = ""
    level: int | None = None
    depth: int = 0
    breaks_page: bool = False


class Styles:
    """The style of each paragraph: its own properties above those of its named style's ancestors."""

    def __init__(self, root: etree._Element) -> None:
        self._elements = {style.get(W + "styleId", ""): style for style in root.iterfind(W + "style")}
        self._known: dict[str, Style] = {}
        self._default = next(
            (key for key, style in self._elements.items() if _is_default_of_paragraphs(style)), ""
        )

    def of(self, paragraph: etree._Element) -> tuple[str, Style]:
        """The id of the named style, and what holds for the paragraph."""
        properties = paragraph.find(W + "pPr")
        key = value(properties, "pStyle") or self._default
        return key, _with_own(self.named(key), properties)

    def named(self, key: str, depth: int = 0) -> Style:
        if key not in self._known:
            self._known[key] = self._read(key, depth)
        return self._known[key]

    def _read(self, key: str, depth: int) -> Style:
        element = self._elements.get(key)
        if element is None or depth > _DEEPEST_CHAIN:
            # Files made by programs name styles that they do not define.
            found = _HEADING.fullmatch(key)
            return Style(heading=int(found[1]) if found else 0, is_title=key == "Title")
        name = value(element, "name")
        parent = value(element, "basedOn")
        inherited = replace(
            self.named(parent, depth + 1) if parent else Style(), is_title=name.lower() == "title"
        )
        if found := _HEADING.fullmatch(name) or _HEADING.fullmatch(key):
            inherited = replace(inherited, heading=int(found[1]))
        if found := _LIST_DEPTH.fullmatch(name):
            inherited = replace(inherited, depth=int(found[1]) - 1)
        return _with_own(inherited, element.find(W + "pPr"))


def _with_own(style: Style, properties: etree._Element | None) -> Style:
    if properties is None:
        return style
    if outline := value(properties, "outlineLvl"):
        style = replace(style, heading=(number(outline, _LEVELS) + 1) % (_LEVELS + 1))
    if properties.find(W + "pageBreakBefore") is not None:
        style = replace(style, breaks_page=is_on(properties, "pageBreakBefore"))
    listed = properties.find(W + "numPr")
    if listed is None:
        return style
    level = value(listed, "ilvl")
    return replace(
        style,
        list_id=value(listed, "numId") or style.list_id,
        level=number(level, 0) if level else style.level,
    )


def _is_default_of_paragraphs(style: etree._Element) -> bool:
    return style.get(W + "type") == "paragraph" and style.get(W + "default") in ("1", "true")


@dataclass(slots=True)
class _Level:
    start: int = 1
    format: str = "decimal"
    text: str = ""
    style: str = ""
    all_decimal: bool = False


@dataclass(slots=True)
class _List:
    """Lists of one definition (``abstract``) count on together, unless one starts afresh."""

    abstract: str
    levels: dict[int, _Level]
    restarts: dict[int, int] = field(default_factory=dict)


class Numbering:
    """Counts the items of lists as Word does."""

    def __init__(self, root: etree._Element | None, styles: Styles) -> None:
        self._styles = styles
        abstracts = {} if root is None else _by(root, "abstractNum", "abstractNumId")
        numbers = {} if root is None else _by(root, "num", "numId")
        self._lists = {key: self._list(num, abstracts, numbers) for key, num in numbers.items()}
        self._counts: dict[str, list[int | None]] = {}

    def marker(self, list_id: str, level: int) -> str:
        """The marker of the list's next item: "-" for bullets, empty where Word shows none."""
        found = self._lists.get(list_id)
        if found is None or level not in found.levels:
            return "-"
        counts = self._counts.setdefault(found.abstract, [None] * _LEVELS)
        if level in found.restarts:
            counts[level] = found.restarts.pop(level) - 1
        before = counts[level]
        counts[level] = found.levels[level].start if before is None else before + 1
        counts[level + 1 :] = [None] * (_LEVELS - level - 1)
        return _marker(found.levels, level, counts)

    def level_of(self, list_id: str, style: str) -> int:
        """The level that a list keeps for a paragraph style."""
        levels = self._lists[list_id].levels if list_id in self._lists else {}
        return next((index for index, level in levels.items() if level.style == style), 0)

    def _list(
        self, num: etree._Element, abstracts: dict[str, etree._Element], numbers: dict[str, etree._Element]
    ) -> _List:
        key = value(num, "abstractNumId")
        abstract = abstracts.get(key)
        if abstract is not None and (link := value(abstract, "numStyleLink")):
            linked = numbers.get(self._styles.named(link).list_id)
            key = key if linked is None else value(linked, "abstractNumId")
            abstract = abstracts.get(key)
        found = _List(key, {} if abstract is None else _levels(abstract))
        for override in num.iterfind(W + "lvlOverride"):
            level = number(override.get(W + "ilvl", ""), 0)
            found.levels.update(_levels(override))
            if level < _LEVELS and (start := value(override, "startOverride")):
                found.restarts[level] = number(start, 1)
        return found


def _marker(levels: dict[int, _Level], level: int, counts: list[int | None]) -> str:
    own = levels[level]
    if own.format == "bullet":
        return "-"
    if own.format == "none":
        return _PLACE.sub("", own.text).strip()

    def count(place: re.Match[str]) -> str:
        index = int(place[1]) - 1
        shown = levels.get(index, _Level())
        counted = counts[index]
        written = "decimal" if own.all_decimal else shown.format
        return _written(shown.start if counted is None else counted, written)

    return _PLACE.sub(count, own.text).strip()


def _written(count: int, how: str) -> str:
    match how:
        case "lowerRoman":
            return roman(count)
        case "upperRoman":
            return roman(count).upper()
        case "lowerLetter":
            return letters(count)
        case "upperLetter":
            return letters(count).upper()
        case "decimalZero":
            return f"{count:02}"
        case "ordinal":
            return ordinal(count)
        case "none":
            return ""
    return str(count)


def _levels(parent: etree._Element) -> dict[int, _Level]:
    found = {number(level.get(W + "ilvl", ""), 0): _level(level) for level in parent.iterfind(W + "lvl")}
    return {index: level for index, level in found.items() if index < _LEVELS}


def _level(element: etree._Element) -> _Level:
    return _Level(
        start=number(value(element, "start"), 1),
        format=value(element, "numFmt") or "decimal",
        text=value(element, "lvlText"),
        style=value(element, "pStyle"),
        all_decimal=is_on(element, "isLgl"),
    )


def _by(root: etree._Element, tag: str, attribute: str) -> dict[str, etree._Element]:
    return {element.get(W + attribute, ""): element for element in root.iterfind(W + tag)}


def value(parent: etree._Element | None, name: str) -> str:
    """What a child element such as ``<w:numId w:val="3"/>`` holds."""
    child = None if parent is None else parent.find(W + name)
    return "" if child is None else child.get(W + "val", "")


def number(text: str, default: int) -> int:
    """A small number; levels beyond Word's nine and absurd starts are the ``default``."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else default
