"""Spreadsheets: Excel workbooks and CSV. Rows become lines of tables that keep their header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time
from io import StringIO
from itertools import islice
from typing import Any

from python_calamine import CalamineWorkbook, PasswordError, SheetTypeEnum

from documents.exceptions import UnreadableDocument
from documents.parsing import archive, containers
from documents.parsing.builder import PageBuilder
from documents.parsing.office import ooxml
from documents.parsing.text import read_text
from documents.parsing.types import ParsedDocument, Report, unheard

#: Cells between the outermost filled ones, empty ones included: each takes 32 bytes to read.
MAX_AREA = 10_000_000
#: A filled cell's attributes. Nothing here may be read twice: a hostile sheet is made of half a tag.
_CELL = re.compile(rb"<(?:\w+:)?c\s([^<>]*+)(?<!/)>")
_REFERENCE = re.compile(rb"""(?:^|\s)r\s{0,9}=\s{0,9}["']([A-Z]{1,3})(\d{1,7})["']""")
_LONGEST_TAG = 64 * 1024
_WINDOW = 1024 * 1024

_DELIMITERS = ",;\t|"
_SAMPLE = 64 * 1024
_SAMPLE_ROWS = 200
_DECLARED = re.compile(r"sep=([,;\t|])[ \t]*\n", re.IGNORECASE)
#: A field with more lines is the work of a quotation mark that was never closed.
_MOST_LINES_OF_A_FIELD = 1_000
_LONGEST_FIELD = 2**31 - 1

_NUMBER = re.compile(r"[(-]?[$€£]?\s?-?\d[\d.,'\s]*(?:[eE][+-]?\d+)?\s?[%€$£)]?")
_YEAR = re.compile(r"(?:19|20)\d\d")

Row = Sequence[str]


def parse_xlsx(path: str, report: Report = unheard) -> ParsedDocument:
    """Read an .xlsx (or .xlsm) file: every sheet begins a page that has its name. Raises
    ``UnreadableDocument``."""
    archive.check(path)
    _refuse_scattered_cells(path)
    with archive.damage_named():
        try:
            workbook = _opened(path)
        except PasswordError as error:
            raise UnreadableDocument(archive.ENCRYPTED) from error
        metadata = ooxml.metadata(path)
        builder = PageBuilder()
        sheets = [sheet.name for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        for done, name in enumerate(sheets, start=1):
            rows = ([_shown(cell) for cell in row] for row in workbook.get_sheet_by_name(name).iter_rows())
            _sheet(builder, name, rows)
            report(done, len(sheets))
    return builder.build(title=metadata.get("title", ""), metadata=metadata, heading_is_title=False)


def parse_csv(path: str, report: Report = unheard) -> ParsedDocument:
    """Read comma-separated values, or such separated by semicolons, tabs or bars, in any encoding."""
    text = read_text(path)
    declared = _DECLARED.match(text)
    text = text[declared.end() :] if declared else text
    builder = PageBuilder()
    for table in _tables(_rows_of(text, declared[1] if declared else _delimiter(text))):
        _table(builder, table)
    return builder.build()


# Workbooks


def _opened(path: str) -> CalamineWorkbook:
    """calamine finds no workbook of another name; where there is none, it says so best of the file itself."""
    with archive.opened(path) as source:
        names = source.namelist()
    if "xl/workbook.xml" not in names and "xlsx" in map(containers.kind_of_part, names):
        return CalamineWorkbook.from_filelike(ooxml.accepted(path))
    return CalamineWorkbook.from_path(path)


def _sheet(builder: PageBuilder, name: str, rows: Iterator[Row]) -> None:
    builder.end_page(name)
    for index, table in enumerate(_tables(rows)):
        if not index:
            builder.heading(name, 1)
        _table(builder, table)


def _shown(cell: Any) -> str:
    """A cell as people see it, dates as in ISO 8601."""
    return cell if type(cell) is str else _FORMS.get(type(cell), str)(cell)


def _float(number: float) -> str:
    """With the fifteen digits that Excel knows: 0.3 and not 0.30000000000000004."""
    return f"{number:.0f}" if number.is_integer() and abs(number) < 1e15 else f"{number:.15g}"


_FORMS: dict[type, Callable[[Any], str]] = {
    bool: lambda value: "TRUE" if value else "FALSE",
    float: _float,
    datetime: lambda moment: moment.isoformat(" ", "seconds").removesuffix(" 00:00:00"),
    time: lambda clock: clock.isoformat("seconds"),
    date: date.isoformat,
}


def _refuse_scattered_cells(path: str) -> None:
    """A cell at the far end of a sheet would make the reader lay out the billions of empty ones before it."""
    with archive.opened(path) as source:
        for name in source.namelist():
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                with archive.damage_named(), source.open(name) as file:
                    area = _area(file)
                if area > MAX_AREA:
                    raise UnreadableDocument(
                        "A sheet of this workbook has filled cells too far apart, with millions of empty "
                        "ones between. Delete the cells that stand far off and upload it again."
                    )


def _area(file: Any) -> int:
    """How many cells the rectangle around the filled ones of a sheet holds."""
    top, bottom, columns = 2**31, 0, set[bytes]()
    rest = b""
    while chunk := file.read(_WINDOW):
        window = rest + chunk
        archive.refuse_entities(window)
        for attributes in _CELL.findall(window):
            if found := _REFERENCE.search(attributes):
                columns.add(found[1])
                top, bottom = min(top, int(found[2])), max(bottom, int(found[2]))
        rest = window[max(window.rfind(b"<"), len(window) - _LONGEST_TAG) :]
    if not columns:
        return 0
    numbers = [_column(column) for column in columns]
    return (bottom - top + 1) * (max(numbers) - min(numbers) + 1)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


# Tables, of either kind


def _tables(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows between blank ones. A table that goes on after a blank row, or ends with its totals, is one."""
    table: list[Row] = []
    gap = 0
    for row in rows:
        if not any(cell.strip() for cell in row):
            gap += 1
            continue
        if gap and table and not (_goes_on(table, row) or (gap == 1 and _is_total(table, row))):
            yield table
            table = []
        table.append(row)
        gap = 0
    if table:
        yield table


def _goes_on(table: list[Row], row: Row) -> bool:
    """Whether a row after a blank one has values below the columns of the table above."""
    return len(table) > 1 and _extent(row) == _extent(table[-1]) and not _names_columns(row)


def _is_total(table: list[Row], row: Row) -> bool:
    """Whether a row of fewer cells has its numbers, and none but these, below numbers of the table."""
    last = table[-1]
    numbers = [index for index, cell in enumerate(row) if _is_number(cell.strip())]
    below = (index < len(last) and _is_number(last[index].strip()) for index in numbers)
    return len(table) > 1 and bool(numbers) and all(below) and _filled(row) < _filled(last)


def _extent(row: Row) -> tuple[int, int]:
    filled = [index for index, cell in enumerate(row) if cell.strip()]
    return filled[0], filled[-1]


def _table(builder: PageBuilder, rows: list[Row]) -> None:
    """Single cells above a table are its caption, and stand before it as paragraphs."""
    captions = _captions(rows)
    for row in rows[:captions]:
        builder.paragraph(" ".join(row))
    rows = rows[captions:]
    if not rows:
        return
    first = min(_extent(row)[0] for row in rows)
    builder.table((row[first:] for row in rows), header=1 if _names_columns(rows[0]) else 0)


def _captions(rows: list[Row]) -> int:
    """How many rows at the top have one cell only, where others below have more."""
    if len(rows) == 1:
        return 1 if _filled(rows[0]) == 1 else 0
    count = next((index for index, row in enumerate(rows) if _filled(row) > 1), 0)
    return min(count, 5)


def _filled(row: Row) -> int:
    return sum(1 for cell in row if cell.strip())


def _names_columns(row: Row) -> bool:
    """Whether a first row is a header: it holds words, and no numbers but years."""
    cells = [cell.strip() for cell in row if cell.strip()]
    return not all(map(_is_number, cells)) and not any(
        _is_number(cell) and not _YEAR.fullmatch(cell) for cell in cells
    )


def _is_number(cell: str) -> bool:
    return len(cell) < 40 and _NUMBER.fullmatch(cell) is not None


# CSV


def _delimiter(text: str) -> str:
    """The sign that cuts most of the first rows into equally many fields, at least two."""
    sample = text[:_SAMPLE]
    if len(text) > _SAMPLE:
        sample = sample[: sample.rfind("\n") + 1] or sample
    return max(_DELIMITERS, key=lambda delimiter: _regularity(sample, delimiter))


def _regularity(sample: str, delimiter: str) -> tuple[float, int]:
    rows = list(islice(_rows_of(sample, delimiter), _SAMPLE_ROWS))
    widths = Counter(len(row) for row in rows if len(row) > 1)
    if not widths:
        return 0.0, 0
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    return count / len(rows), width


def _rows_of(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST_FIELD)
    rows = list(csv.reader(StringIO(text, newline="\n"), delimiter=delimiter))
    if any(cell.count("\n") > _MOST_LINES_OF_A_FIELD for row in rows for cell in row):
        rows = list(csv.reader(StringIO(text, newline="\n"), delimiter=delimiter, quoting=csv.QUOTE_NONE))
    return iter(rows)
