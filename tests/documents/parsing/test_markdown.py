from __future__ import annotations

from pathlib import Path

from documents.parsing.markdown import parse
from documents.parsing.types import ParsedDocument

SOURCE = """\
# The *Grand* [Plan](http://example.org)

Some words.

Second level
------------

| a | b |
|---|---|
| 1 | 2 |

- one
- two

```python
# not a heading
```

### Third `level`
"""


def parsed(folder: Path, source: str) -> ParsedDocument:
    path = folder / "file.md"
    path.write_text(source, encoding="utf-8")
    return parse(str(path))


def test_blocks_are_verbatim_stretches(tmp_path: Path) -> None:
    page = parsed(tmp_path, SOURCE).pages[0]
    assert page.text == SOURCE.rstrip()
    assert [(b.kind, b.level) for b in page.blocks] == [
        ("heading", 1),
        ("paragraph", 0),
        ("heading", 2),
        ("table", 0),
        ("list", 0),
        ("code", 0),
        ("heading", 3),
    ]
    table = page.blocks[3]
    assert page.text[table.start : table.end] == "| a | b |\n|---|---|\n| 1 | 2 |"
    assert [b.header for b in page.blocks if b.header] == [table.header] == ["| a | b |"]


def test_headings_lose_their_markup(tmp_path: Path) -> None:
    document = parsed(tmp_path, SOURCE)
    titles = [b.title for b in document.pages[0].blocks if b.kind == "heading"]
    assert titles == ["The Grand Plan", "Second level", "Third level"]
    assert document.title == "The Grand Plan"


def test_front_matter_is_read_and_dropped(tmp_path: Path) -> None:
    document = parsed(tmp_path, '---\ntitle: "From the header"\nsecret: x\n---\n# Heading\n\nwords\n')
    assert document.title == "From the header"
    assert document.metadata == {"title": "From the header"}
    assert document.pages[0].text == "# Heading\n\nwords"


def test_a_rule_at_the_top_is_no_front_matter(tmp_path: Path) -> None:
    assert "first" in parsed(tmp_path, "---\n\nfirst\n\n---\n\nsecond\n").pages[0].text


def test_long_files_are_cut_between_blocks_and_headings_stay_with_their_text(tmp_path: Path) -> None:
    source = "\n".join(f"## Part {n}\n\n" + "word " * 300 + "\n" for n in range(60))
    pages = parsed(tmp_path, source).pages
    assert len(pages) > 5
    assert all(page.text.startswith("## Part") and page.blocks[-1].kind == "paragraph" for page in pages)
    assert "".join("".join(page.text for page in pages).split()) == "".join(source.split())


def test_a_table_over_several_pages_keeps_its_header_and_its_rows_whole(tmp_path: Path) -> None:
    rows = [f"| part {n} | {n} pieces in a box of {n} |" for n in range(1_000)]
    pages = parsed(tmp_path, "\n".join(["| name | stock |", "|---|---|", *rows])).pages
    assert len(pages) > 2
    assert {(b.kind, b.header) for page in pages for b in page.blocks} == {("table", "| name | stock |")}
    assert [line for page in pages for line in page.text.split("\n")][2:] == rows


def test_an_endless_code_block_is_cut(tmp_path: Path) -> None:
    pages = parsed(tmp_path, "```\n" + "line of code\n" * 5_000 + "```\n").pages
    assert len(pages) > 3
    assert {b.kind for page in pages for b in page.blocks} == {"code"}


def test_an_empty_file(tmp_path: Path) -> None:
    document = parsed(tmp_path, "\n")
    assert not document.has_text
    assert len(document.pages) == 1
