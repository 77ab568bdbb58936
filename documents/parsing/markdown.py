"""Markdown: its source is kept as the text, so that offsets and quotes are verbatim."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate, zip_longest

from markdown_it import MarkdownIt
from markdown_it.token import Token

from documents.parsing.text import PAGE_CHARACTERS, counted, page_spans, read_text
from documents.parsing.types import Block, BlockKind, ParsedDocument, ParsedPage, Report, unheard

KINDS: dict[str, BlockKind] = {
    "heading_open": "heading",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
}

_FRONT_MATTER = re.compile(r"---[ \t]*\n((?:[^\n]*\n){0,200}?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_KEY = re.compile(r"^(\w[\w -]*):[ \t]*(\S.*)?$", re.MULTILINE)
_KEPT_KEYS = ("title", "author", "date", "description", "lang", "language")
_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_MARKUP = re.compile(r"\\(?=[!-/:-@\[-`{-~])|<[^>]+>|\*+|`+|(?<!\w)_+|_+(?!\w)|[ \t]*\{#[\w-]+\}$")


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """Read a Markdown file: blocks by its own structure, pages of about 10,000 characters."""
    text = read_text(path).replace("\f", "\n")
    metadata, text = _front_matter(text)
    blocks = list(_blocks(text))
    title = metadata.get("title") or next(
        (b.title for b in blocks if b.kind == "heading" and b.level == 1), ""
    )
    return ParsedDocument(counted(_pages(text, blocks)), title, metadata)


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """The simple ``key: value`` lines of a YAML header, and the text without it."""
    text = text.lstrip("\n")
    header = _FRONT_MATTER.match(text)
    if not header or not _KEY.search(header[1]):
        return {}, text
    found = {key.lower(): (value or "").strip().strip("\"'") for key, value in _KEY.findall(header[1])}
    return {key: found[key] for key in _KEPT_KEYS if found.get(key)}, text[header.end() :]


def _blocks(text: str) -> Iterator[Block]:
    """The top-level blocks, with offsets into the whole text."""
    # Inline markup is not needed for blocks, and it is where nearly all of the time would go.
    tokens = MarkdownIt("commonmark").enable("table").disable("inline").parse(text)
    line_starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    for token, following in zip_longest(tokens, tokens[1:]):
        if token.level == 0 and token.nesting >= 0 and token.map:
            first, last = token.map
            yield from _block(text, token, following, line_starts[first], min(line_starts[last], len(text)))


def _block(text: str, token: Token, following: Token | None, start: int, end: int) -> Iterator[Block]:
    end = start + len(text[start:end].rstrip())
    if start >= end or token.type == "hr":
        return
    kind = KINDS.get(token.type, "paragraph")
    if kind == "heading" and following is not None:
        yield Block(kind, start, end, int(token.tag[1:]), _plain(following.content))
    elif kind == "table":
        yield Block(kind, start, end, header=text[start : text.index("\n", start)].strip())
    else:
        yield Block(kind, start, end)


def _plain(heading: str) -> str:
    return " ".join(_MARKUP.sub("", _LINK.sub(r"\1", heading)).split())


def _pages(text: str, blocks: list[Block]) -> Iterator[ParsedPage]:
    """Pages end between blocks; a block longer than a page is cut as plain text is."""
    pieces = [piece for block in blocks for piece in _pieces(text, block)]
    start, number, inside = 0, 1, list[Block]()
    for piece in pieces:
        if inside and piece.end - start > PAGE_CHARACTERS and not _only_headings(inside):
            # Headings at the foot of a page move on with what they govern.
            moved = _trailing_headings(inside)
            kept = inside[: len(inside) - len(moved)]
            end = (moved or [piece])[0].start
            yield _page(number, text, start, end, kept)
            start, number, inside = end, number + 1, moved
        inside.append(piece)
    yield _page(number, text, start, len(text), inside)


def _pieces(text: str, block: Block) -> Iterator[Block]:
    if block.kind == "heading":
        yield block
        return
    for start, end in page_spans(text[block.start : block.end]):
        yield replace(block, start=block.start + start, end=block.start + end)


def _only_headings(blocks: Iterable[Block]) -> bool:
    return all(block.kind == "heading" for block in blocks)


def _trailing_headings(blocks: list[Block]) -> list[Block]:
    count = 0
    while blocks[-1 - count].kind == "heading":
        count += 1
    return blocks[len(blocks) - count :]


def _page(number: int, text: str, start: int, end: int, blocks: list[Block]) -> ParsedPage:
    page = text[start:end].rstrip()
    shifted = (replace(b, start=b.start - start, end=min(b.end - start, len(page))) for b in blocks)
    return ParsedPage(number, page, tuple(shifted))
