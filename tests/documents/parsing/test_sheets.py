from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from documents.exceptions import UnreadableDocument
from documents.parsing.detection import detect
from documents.parsing.jail import parse_in_jail
from documents.parsing.office import sheets
from documents.parsing.office.sheets import parse_csv, parse_xlsx
from documents.parsing.types import ParsedDocument
from tests.documents.parsing.ooxml_factory import blocks, replaced, rezip, texts, with_numbered_part
from tests.documents.parsing.test_archive import BILLION

Sheet = dict[tuple[int, int], Any]


def saved(folder: Path, **sheets: Sheet) -> Path:
    """A workbook with these cells, by row and column."""
    path = folder / "file.xlsx"
    with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd"}) as book:
        book.set_properties({"title": "Figures", "author": "Ada"})
        for name, cells in sheets.items():
            sheet = book.add_worksheet(name)
            for (row, column), value in cells.items():
                sheet.write(row, column, value)
    return path


def grid(*rows: Sequence[Any], at: tuple[int, int] = (0, 0)) -> Sheet:
    top, left = at
    return {
        (top + y, left + x): value
        for y, row in enumerate(rows)
        for x, value in enumerate(row)
        if value is not None
    }


def read(folder: Path, **sheets: Sheet) -> ParsedDocument:
    return parse_xlsx(str(saved(folder, **sheets)))


def test_each_sheet_begins_a_page_with_its_name(tmp_path: Path) -> None:
    parsed = read(
        tmp_path,
        Stock=grid(["Part", "Count"], ["Seal", 2]),
        Empty={},
        Prices=grid(["Part", "Price"], ["Seal", 1.5], at=(2, 3)),
    )
    assert [(page.label, page.text) for page in parsed.pages] == [
        ("Stock", "Stock\n\nPart | Count\nSeal | 2"),
        ("Prices", "Prices\n\nPart | Price\nSeal | 1.5"),
    ]
    assert [block.header for page in parsed.pages for block in page.blocks] == [
        "",
        "Part | Count",
        "",
        "Part | Price",
    ]
    assert (parsed.title, parsed.metadata["author"]) == ("Figures", "Ada")


def test_cells_read_as_people_see_them(tmp_path: Path) -> None:
    values = [
        12.0,
        0.1 + 0.2,
        -3,
        123456789012345.0,
        True,
        datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 13, 30),
        "two\nlines",
        "=1+1",
    ]
    path = tmp_path / "file.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        day, moment, clock = (
            book.add_format({"num_format": form}) for form in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm", "hh:mm")
        )
        sheet = book.add_worksheet("S")
        for row, value in enumerate(values):
            form = {datetime.date: day, datetime.datetime: moment}.get(type(value))
            sheet.write(row, 1, value, form)
            sheet.write(row, 0, f"k{row}")
        sheet.write(len(values), 0, "time")
        sheet.write(len(values), 1, datetime.time(9, 5), clock)
    assert parse_xlsx(str(path)).pages[0].text.split("\n")[2:] == [
        "k0 | 12",
        "k1 | 0.3",
        "k2 | -3",
        "k3 | 123456789012345",
        "k4 | TRUE",
        "k5 | 2024-02-29",
        "k6 | 2024-02-29 13:30:00",
        "k7 | two lines",
        "k8 | 0",
        "time | 09:05:00",
    ]


def test_tables_of_one_sheet_are_separate_and_captions_stand_before_them(tmp_path: Path) -> None:
    parsed = read(
        tmp_path,
        S=grid(
            ["Sales of the year"],
            ["Region", "2023", "2024"],
            ["North", 1, 2],
            [],
            ["South", 3, 4],
            [],
            ["Staff"],
            [],
            ["Name", "Role"],
            ["Ada", "Engineer"],
            [],
            ["Prepared by Bob"],
        ),
    )
    assert blocks(parsed) == [
        ("heading", "S"),
        ("paragraph", "Sales of the year"),
        ("table", "Region | 2023 | 2024\nNorth | 1 | 2\nSouth | 3 | 4"),
        ("paragraph", "Staff"),
        ("table", "Name | Role\nAda | Engineer"),
        ("paragraph", "Prepared by Bob"),
    ]
    assert [block.header for block in parsed.pages[0].blocks if block.kind == "table"] == [
        "Region | 2023 | 2024",
        "Name | Role",
    ]


@pytest.mark.parametrize(
    ("total", "line"),
    [
        ([None, None, None, 30], " |  |  | 30"),
        (["Total", None, 3, 30], "Total |  | 3 | 30"),
    ],
)
@pytest.mark.parametrize("gap", [0, 1])
def test_totals_are_a_row_of_their_table_below_their_columns(
    tmp_path: Path, total: list[Any], line: str, gap: int
) -> None:
    rows = [["Region", "Quarter", "Units", "Revenue"], ["North", "Q1", 1, 10], ["South", "Q2", 2, 20]]
    parsed = read(tmp_path, S=grid(*rows, *[[]] * gap, total))
    assert blocks(parsed)[1:] == [
        ("table", f"Region | Quarter | Units | Revenue\nNorth | Q1 | 1 | 10\nSouth | Q2 | 2 | 20\n{line}")
    ]


def test_other_values_below_a_table_are_none_of_its_rows(tmp_path: Path) -> None:
    rows = [["Region", "Quarter", "Units"], ["North", "Q1", 1], ["South", "Q2", 2]]
    parsed = read(tmp_path, S=grid(*rows, [], ["Rate", 0.5], ["Limit", 7]))
    assert blocks(parsed)[2] == ("table", "Rate | 0.5\nLimit | 7")
    apart = read(tmp_path, S=grid(*rows, [], [], [None, None, 3]))
    assert blocks(apart)[2] == ("paragraph", "3")


def test_the_name_of_a_sheet_is_no_title(tmp_path: Path) -> None:
    path = tmp_path / "file.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("Sheet1").write(0, 0, "words")
    parsed = parse_xlsx(str(path))
    assert (parsed.title, texts(parsed)) == ("", ["Sheet1", "words"])


def test_a_table_of_numbers_alone_has_no_header(tmp_path: Path) -> None:
    parsed = read(tmp_path, S=grid([1, 2], [3, 4]))
    assert parsed.pages[0].blocks[1].header == ""


def test_a_long_sheet_keeps_name_and_header_on_every_page(tmp_path: Path) -> None:
    rows = [[f"part {n}", n] for n in range(3_000)]
    pages = read(tmp_path, Stock=grid(["Part", "Count"], *rows)).pages
    assert len(pages) > 3
    assert {page.label for page in pages} == {"Stock"}
    assert {page.blocks[-1].header for page in pages} == {"Part | Count"}


def test_cells_at_the_far_end_are_refused_with_a_way_out(tmp_path: Path) -> None:
    path = saved(tmp_path, S={(0, 0): "a", (1_048_575, 16_383): "z"})
    with pytest.raises(UnreadableDocument, match=r"too far apart.*Delete"):
        parse_xlsx(str(path))


def test_a_few_cells_in_a_tall_sheet_are_read(tmp_path: Path) -> None:
    assert texts(read(tmp_path, S={(0, 0): "top", (1_048_575, 1): "bottom"})) == ["S", "top", "bottom"]


@pytest.mark.parametrize(
    "flood",
    [
        b"<c " * 7_000_000,
        b"<c " + b'r="A1" ' * 3_000_000,
        b"<" + b"x" * 20_000_000,
        b"<c " + b" " * 20_000_000,
    ],
    ids=["tags", "references", "letters", "blanks"],
)
def test_a_flood_of_half_a_tag_is_read_through_once(flood: bytes) -> None:
    started = time.process_time()
    assert sheets._area(BytesIO(flood)) == 0
    assert time.process_time() - started < 5


def test_a_sheet_of_half_tags_ends_with_a_sentence(tmp_path: Path) -> None:
    rows = b"<worksheet><sheetData><row>" + b"<c " * 3_000_000
    path = rezip(saved(tmp_path, S={(0, 0): "a"}), {"xl/worksheets/sheet1.xml": lambda _: rows})
    started = time.monotonic()
    with pytest.raises(UnreadableDocument):
        parse_in_jail(str(path), "xlsx")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("cells", "area"),
    [
        (b'<c r="A1"><v>1</v></c><c s="3" r="C2" t="s"><v>1</v></c>', 6),
        (b"<x:c r='B7'>1</x:c><c\n r = \"B9\">", 3),
        (b'<c r="A1">1</c><c r="ZZ900" s="3"/><cols r="Z9">', 1),
        (b"", 0),
    ],
)
def test_the_area_is_that_of_the_filled_cells(cells: bytes, area: int) -> None:
    assert sheets._area(BytesIO(cells)) == area


def test_a_cell_across_the_border_of_two_readings_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_WINDOW", 7)
    assert sheets._area(BytesIO(b'<c r="A1"><v>1</v></c><c s="3" r="C2" t="s"><v>1</v></c>')) == 6


def test_a_workbook_whose_main_part_has_a_number_is_read(tmp_path: Path) -> None:
    path = with_numbered_part(saved(tmp_path, S=grid(["a", "b"], ["c", 1])), "xl/workbook")
    with path.open("rb") as file:
        assert detect(file, "file.xlsx").kind == "xlsx"
    assert texts(parse_in_jail(str(path), "xlsx")) == ["S", "a | b\nc | 1"]


def test_a_workbook_with_macros_is_read(tmp_path: Path) -> None:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    path = saved(tmp_path, S=grid(["a", "b"], ["c", 1]))
    rezip(
        path, {"[Content_Types].xml": replaced(kind, "application/vnd.ms-excel.sheet.macroEnabled.main+xml")}
    )
    assert texts(parse_xlsx(str(path))) == ["S", "a | b\nc | 1"]


def test_hidden_sheets_are_read_and_sheets_of_charts_are_not(tmp_path: Path) -> None:
    path = tmp_path / "file.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("A").write(0, 0, "seen")
        hidden = book.add_worksheet("B")
        hidden.write(0, 0, "hidden")
        hidden.hide()
        chart = book.add_chart({"type": "bar"})
        chart.add_series({"values": "=A!$A$1:$A$2"})
        book.add_chartsheet("C").set_chart(chart)
    assert texts(parse_xlsx(str(path))) == ["A", "seen", "B", "hidden"]


@pytest.mark.parametrize("name", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
@pytest.mark.parametrize("content", [b"<broken", BILLION])
def test_a_damaged_workbook_is_refused_with_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    path = rezip(saved(tmp_path, S=grid(["a", "b"], ["c", 1])), {name: lambda _: content})
    started = time.monotonic()
    with pytest.raises(UnreadableDocument):
        parse_in_jail(str(path), "xlsx")
    assert time.monotonic() - started < 10


def test_a_truncated_workbook_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, S=grid(["a", "b"]))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableDocument, match="damaged"):
        parse_xlsx(str(path))


def test_workbooks_work_in_the_jail(tmp_path: Path) -> None:
    path = saved(tmp_path, S=grid(["a", "b"], ["c", 1]))
    assert parse_in_jail(str(path), "xlsx") == parse_xlsx(str(path))


# CSV


def csv_of(folder: Path, content: str | bytes) -> ParsedDocument:
    path = folder / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return parse_csv(str(path))


@pytest.mark.parametrize(
    "content",
    [
        "Name,Town\nAda,London\nBo,Bern\n",
        "Name;Town\r\nAda;London\r\nBo;Bern\r\n",
        "Name\tTown\rAda\tLondon\rBo\tBern",
        "Name|Town\nAda|London\nBo|Bern",
        'sep=;\n"Name";"Town"\nAda;London\nBo;Bern',
        "\ufeffName,Town\nAda,London\n\n\nBo,Bern",
    ],
)
def test_separators_are_found(tmp_path: Path, content: str) -> None:
    parsed = csv_of(tmp_path, content)
    assert texts(parsed)[0].startswith("Name | Town\nAda | London")
    assert "Bo | Bern" in parsed.pages[0].text
    assert parsed.pages[0].blocks[0].header == "Name | Town"


def test_commas_in_numbers_do_not_hide_the_semicolons(tmp_path: Path) -> None:
    assert texts(csv_of(tmp_path, "Art;Preis;Rabatt\nSeil;1,50;0,2\nHaken;2,75;0,1\n")) == [
        "Art | Preis | Rabatt\nSeil | 1,50 | 0,2\nHaken | 2,75 | 0,1"
    ]


def test_quoted_fields_hold_separators_quotes_and_newlines(tmp_path: Path) -> None:
    assert texts(csv_of(tmp_path, 'Name,Note\nAda,"says ""hi"",\nand goes"\n')) == [
        'Name | Note\nAda | says "hi", and goes'
    ]


def test_other_encodings_are_read(tmp_path: Path) -> None:
    assert texts(csv_of(tmp_path, "Straße;Größe\nKöln;5\n".encode("cp1252"))) == ["Straße | Größe\nKöln | 5"]
    assert texts(csv_of(tmp_path, "Name\tÅr\nÅsa\t3\n".encode("utf-16"))) == ["Name | År\nÅsa | 3"]


def test_ragged_rows_are_kept(tmp_path: Path) -> None:
    assert texts(csv_of(tmp_path, "a,b,c\n1\n1,2,3,4,5\n,,9\n")) == [
        "a | b | c\n1\n1 | 2 | 3 | 4 | 5\n |  | 9"
    ]


def test_values_without_names_have_no_header(tmp_path: Path) -> None:
    assert csv_of(tmp_path, "1,2\n3,4\n").pages[0].blocks[0].header == ""
    assert csv_of(tmp_path, "Seal,2\nBolt,7\n").pages[0].blocks[0].header == ""


def test_years_may_be_names_of_columns(tmp_path: Path) -> None:
    assert (
        csv_of(tmp_path, "Region,2023,2024\nNorth,1,2\n").pages[0].blocks[0].header == "Region | 2023 | 2024"
    )


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_rows(tmp_path: Path) -> None:
    rows = "".join(f"bolt {n},{n}\n" for n in range(5_000))
    parsed = csv_of(tmp_path, f'Part,Count\n"6 inch bolt,2\n{rows}')
    assert parsed.pages[0].text.startswith('Part | Count\n"6 inch bolt | 2\nbolt 0 | 0\n')
    assert {page.blocks[0].header for page in parsed.pages} == {"Part | Count"}


def test_a_huge_field_is_read(tmp_path: Path) -> None:
    parsed = csv_of(tmp_path, "Name,Text\nAda," + "word " * 100_000 + "\n")
    assert sum(len(page.text) for page in parsed.pages) > 490_000


def test_a_file_of_blank_lines_has_no_text(tmp_path: Path) -> None:
    assert not csv_of(tmp_path, "\n\n,,\n").has_text


def test_a_hundred_thousand_rows_are_read_in_seconds(tmp_path: Path) -> None:
    rows = "".join(f"{n},part {n},{n * 1.5},2024-01-0{n % 9 + 1},warehouse {n % 7}\n" for n in range(100_000))
    started = time.process_time()
    parsed = csv_of(tmp_path, "Id,Name,Price,Date,Place\n" + rows)
    assert time.process_time() - started < 20
    assert sum(page.text.count("\n") + 1 for page in parsed.pages) == 100_001


def test_csv_works_in_the_jail(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("Name,Town\nAda,London\n")
    assert parse_in_jail(str(path), "csv") == parse_csv(str(path))
