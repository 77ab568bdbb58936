"""PowerPoint presentations: one page for each slide, its shapes in reading order, then its notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree
from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.shapes.base import BaseShape
from pptx.slide import Slide

from documents.parsing import archive
from documents.parsing.builder import PageBuilder, one_line
from documents.parsing.numerals import letters, roman
from documents.parsing.office import ooxml
from documents.parsing.types import ParsedDocument, Report, unheard

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
#: They repeat on every slide.
_FURNITURE = (
    PP_PLACEHOLDER.DATE,
    PP_PLACEHOLDER.FOOTER,
    PP_PLACEHOLDER.HEADER,
    PP_PLACEHOLDER.SLIDE_NUMBER,
)
#: Placeholders whose paragraphs are bullets unless they say otherwise.
_BULLETED = (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT, PP_PLACEHOLDER.VERTICAL_BODY)
#: Shapes whose tops differ by less (in EMU, a fifth of an inch) stand beside each other.
_BAND = 914_400 // 5
_NOTES_LEVEL = 3


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """Read a .pptx file (or .ppsx, .potx, .pptm). Hidden slides are read. Raises ``UnreadableDocument``."""
    with archive.damage_named():
        slides = list(Presentation(ooxml.accepted(path)).slides)  # type: ignore[arg-type]
        builder = PageBuilder("1")
        for number, slide in enumerate(slides, start=1):
            builder.end_page(str(number))
            _slide(builder, slide, number)
            report(number, len(slides))
        metadata = ooxml.metadata(path)
        return builder.build(title=metadata.get("title") or _first_title(slides), metadata=metadata)


def _first_title(slides: list[Slide]) -> str:
    return _title(slides[0]) if slides else ""


def _slide(builder: PageBuilder, slide: Slide, number: int) -> None:
    title = slide.shapes.title
    builder.heading(_title(slide) or f"Slide {number}", 1)
    shown = [shape for shape in slide.shapes if title is None or shape.shape_id != title.shape_id]
    for shape in _in_order(shown):
        _shape(builder, shape)
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        notes = [text for paragraph in frame.paragraphs if (text := _text(paragraph))]
        if notes:
            builder.heading("Notes", _NOTES_LEVEL)
            builder.paragraph("\n".join(notes))


def _title(slide: Slide) -> str:
    title = slide.shapes.title
    return "" if title is None else one_line(title.text_frame.text.replace("\v", " "))


def _in_order(shapes: Iterable[BaseShape]) -> list[BaseShape]:
    """From top to bottom, in bands from left to right; what has no place comes where the file has it."""
    placed = [(shape.top or 0, shape.left or 0, shape) for shape in shapes]
    placed.sort(key=lambda item: item[0])
    bands: list[list[tuple[int, int, BaseShape]]] = []
    for item in placed:
        if not bands or item[0] - bands[-1][0][0] > _BAND:
            bands.append([])
        bands[-1].append(item)
    return [shape for band in bands for _, _, shape in sorted(band, key=lambda item: item[1])]


def _shape(builder: PageBuilder, shape: Any) -> None:
    if shape.is_placeholder and shape.placeholder_format.type in _FURNITURE:
        return
    if hasattr(shape, "shapes"):
        for inner in _in_order(shape.shapes):
            _shape(builder, inner)
    elif getattr(shape, "has_table", False):
        _table(builder, shape.table)
    elif getattr(shape, "has_chart", False):
        _chart(builder, shape.chart)
    elif shape.has_text_frame:
        _frame(builder, shape)
    else:
        _diagram(builder, shape)


def _frame(builder: PageBuilder, shape: Any) -> None:
    """A text frame: its bullets as lists, what stands between them as paragraphs."""
    bulleted = shape.is_placeholder and shape.placeholder_format.type in _BULLETED
    paragraphs = [paragraph for paragraph in shape.text_frame.paragraphs if _text(paragraph)]
    items: list[tuple[int, str, str]] = []
    counts: dict[int, int] = {}
    for paragraph in paragraphs:
        marker = _marker(paragraph, counts, bulleted=bulleted and len(paragraphs) > 1)
        if marker:
            items.append((paragraph.level, marker, _text(paragraph)))
        else:
            builder.items(items)
            items = []
            builder.paragraph(_text(paragraph))
    builder.items(items)


def _marker(paragraph: Any, counts: dict[int, int], *, bulleted: bool) -> str:
    """The bullet or number before a paragraph. ``counts`` holds the numbers so far, by level."""
    level = paragraph.level
    properties = paragraph._p.pPr
    numbered = None if properties is None else properties.find(_A + "buAutoNum")
    for deeper in [found for found in counts if found > level or (found == level and numbered is None)]:
        del counts[deeper]
    if numbered is not None:
        counts[level] = counts[level] + 1 if level in counts else _start(numbered)
        return _numbered(counts[level], numbered.get("type", ""))
    if properties is not None and properties.find(_A + "buNone") is not None:
        return ""
    own = properties is not None and (
        properties.find(_A + "buChar") is not None or properties.find(_A + "buBlip") is not None
    )
    return "-" if own or bulleted else ""


def _start(numbered: etree._Element) -> int:
    text = numbered.get("startAt", "1")
    return int(text) if text.isdigit() and len(text) < 6 else 1


def _numbered(number: int, kind: str) -> str:
    """``kind`` is a name such as "alphaLcParenR": letters, lower case, a parenthesis on the right."""
    written = str(number)
    if kind.startswith("alpha"):
        written = letters(number)
    elif kind.startswith("roman"):
        written = roman(number)
    if "Uc" in kind:
        written = written.upper()
    if kind.endswith("ParenBoth"):
        return f"({written})"
    return written + (")" if kind.endswith("ParenR") else ".")


def _text(paragraph: Any) -> str:
    return paragraph.text.replace("\v", "\n").strip()


def _table(builder: PageBuilder, table: Any) -> None:
    rows = [["" if cell.is_spanned else _cell(cell) for cell in row.cells] for row in table.rows]
    builder.table(rows, header=1 if table.first_row else 0)


def _cell(cell: Any) -> str:
    return " ".join(filter(None, (_text(paragraph) for paragraph in cell.text_frame.paragraphs)))


def _chart(builder: PageBuilder, chart: Any) -> None:
    """A chart's title, and its numbers as a table. Read from the XML: its counts of points may be lies."""
    if chart.has_title and chart.chart_title.has_text_frame:
        builder.paragraph(chart.chart_title.text_frame.text.replace("\v", "\n"))
    series = list(chart._chartSpace.iter(_C + "ser"))
    labels: dict[int, str] = {}
    for one in series:
        labels |= _points(one, "cat") or _points(one, "xVal")
    values = [_points(one, "val") or _points(one, "yVal") for one in series]
    names = ["".join(text.text or "" for text in one.iterfind(f"{_C}tx//{_C}v")) for one in series]
    indexes = sorted(set(labels).union(*values))
    rows = [
        [labels.get(index, ""), *(_number(found.get(index, "")) for found in values)] for index in indexes
    ]
    builder.table([["Category", *names], *rows])


def _points(series: etree._Element, role: str) -> dict[int, str]:
    """The cached values of a series by their indexes; of categories in levels, the finest."""
    holder = series.find(_C + role)
    parent = None if holder is None else next(holder.iter(_C + "lvl", _C + "strCache", _C + "numCache"), None)
    points = () if parent is None else parent.iterfind(_C + "pt")
    return {int(point.get("idx", "0")): point.findtext(_C + "v", "") for point in points}


def _number(text: str) -> str:
    """As a spreadsheet shows it: 0.1 and not 0.10000000000000001."""
    try:
        return f"{float(text):.15g}"
    except ValueError:
        return text


def _diagram(builder: PageBuilder, shape: Any) -> None:
    """The words of a SmartArt drawing, which stand in a part of their own."""
    for link in shape._element.iter(f"{{{_DIAGRAM}}}relIds"):
        root = archive.parse_xml(shape.part.related_part(link.get(_R + "dm")).blob)
        builder.items((0, "-", text) for text in _paragraphs(root))


def _paragraphs(root: etree._Element) -> Iterator[str]:
    for paragraph in root.iter(_A + "p"):
        yield "".join(text.text or "" for text in paragraph.iter(_A + "t"))
