from __future__ import annotations

from pathlib import Path

import pytest

from documents.exceptions import UnreadableDocument
from documents.parsing import markdown, text
from documents.parsing.text import MANY_SHEETS, PAGE_CHARACTERS, SHORT_SHEET, decode, parse
from documents.parsing.types import Parser

GERMAN = "Die Grüße aus Köln kommen spät, weil der Zug in Düsseldorf über eine Stunde stand."
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. Широкая электрификация южных губерний."
POLISH = "Zażółć gęślą jaźń. Dziś wieczorem pójdziemy na długi spacer wzdłuż rzeki, a później wrócimy. " * 8


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "latin-1"),
        ("“Curly” quotes – and €", "cp1252"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "utf-32"),
        (RUSSIAN * 5, "cp1251"),
        (POLISH, "cp1250"),
    ],
)
def test_decodes(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).removeprefix("\ufeff") == text


def test_utf8_cut_in_a_character_stays_utf8() -> None:
    assert decode((GERMAN * 3).encode()[:-1] + b"\xc3").startswith(GERMAN)


def parsed(folder: Path, content: bytes) -> list[str]:
    path = folder / "file"
    path.write_bytes(content)
    document = parse(str(path))
    assert [page.number for page in document.pages] == list(range(1, len(document.pages) + 1))
    for page in document.pages:
        assert all(page.text[b.start : b.end].strip() == page.text[b.start : b.end] for b in page.blocks)
    return [page.text for page in document.pages]


def test_cleans_what_postgres_refuses(tmp_path: Path) -> None:
    assert parsed(tmp_path, b"one\0two\r\nthree\rfour\x07") == ["onetwo\nthree\nfour"]


def test_form_feeds_end_pages(tmp_path: Path) -> None:
    assert parsed(tmp_path, b"first\fsecond\f") == ["first", "second"]


def test_a_flood_of_form_feeds_makes_few_pages(tmp_path: Path) -> None:
    pages = parsed(tmp_path, b"a\f" * 100_000)
    assert len(pages) < 40
    assert "".join(pages).count("a") == 100_000
    assert all(len(page) <= PAGE_CHARACTERS * 1.3 for page in pages)


def test_a_flood_of_empty_sheets_makes_no_pages(tmp_path: Path) -> None:
    assert parsed(tmp_path, b"first" + b"\f" * 100_000 + b"last") == ["first\n\nlast"]


def test_a_long_print_keeps_its_pages(tmp_path: Path) -> None:
    sheets = [f"{n} " + "words " * (SHORT_SHEET // 5) for n in range(MANY_SHEETS + 500)]
    assert parsed(tmp_path, "\f".join(sheets).encode())[:-1] == sheets[:-1]


@pytest.mark.parametrize("parse", [text.parse, markdown.parse])
def test_too_many_pages_are_refused(parse: Parser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_PAGES", 2)
    path = tmp_path / "file"
    path.write_text("\n\n".join(["A paragraph of some words."] * 2_000))
    with pytest.raises(UnreadableDocument, match="more than 2 pages"):
        parse(str(path))


def test_nothing_but_space_is_one_empty_page(tmp_path: Path) -> None:
    assert parsed(tmp_path, b" \n\n\t ") == [""]


def test_a_long_text_is_cut_at_blank_lines(tmp_path: Path) -> None:
    paragraphs = [f"Paragraph {n} " + "word " * 60 for n in range(200)]
    pages = parsed(tmp_path, "\n\n".join(paragraphs).encode())
    assert all(len(page) <= PAGE_CHARACTERS * 1.3 for page in pages)
    assert all(page.startswith("Paragraph") for page in pages)
    assert "".join("".join(pages).split()) == "".join("".join(paragraphs).split())


def test_a_text_without_any_break_is_cut_too(tmp_path: Path) -> None:
    assert sum(map(len, parsed(tmp_path, b"x" * 50_000))) == 50_000


def test_paragraphs_and_lists(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("Some words\nmore words\n\n\n- one\n- two\n")
    page = parse(str(path)).pages[0]
    assert [(b.kind, page.text[b.start : b.end]) for b in page.blocks] == [
        ("paragraph", "Some words\nmore words"),
        ("list", "- one\n- two"),
    ]
