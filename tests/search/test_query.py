"""What is written into the search field, as words and operators."""

from __future__ import annotations

import random
from datetime import date

import pytest

from documents.parsing.registry import PARSERS
from search.exceptions import BadRequest
from search.query import KINDS, reworded, understood
from search.types import Filters, Query

pytestmark = pytest.mark.django_db
NOTHING = Filters()


def read(raw: str, filters: Filters = NOTHING) -> Query:
    return understood(raw, filters)


def test_plain_words_are_text_and_terms() -> None:
    query = read("When do the herons  nest?")
    assert query.text == "When do the herons nest?"
    assert query.terms == ("heron", "nest")
    assert (query.phrases, query.without, query.filters) == ((), (), NOTHING)


@pytest.mark.parametrize(
    "written",
    ['"Lake Ormund"', "“Lake Ormund”", "„Lake Ormund“", "«Lake Ormund»", "»Lake Ormund«", "「Lake Ormund」"],
)
def test_a_phrase_in_any_quotes_is_required_and_stays_in_the_text(written: str) -> None:
    query = read(f"herons at {written} today")
    assert query.phrases == ("Lake Ormund",)
    assert query.text == "herons at Lake Ormund today"


@pytest.mark.parametrize(
    "written", ['a 5" pipe', 'pipes of 5" or 6" bore', '"', 'never "closed', '""', '"?!"']
)
def test_inches_and_lonely_quotes_are_no_phrases(written: str) -> None:
    assert read(written).phrases == ()


def test_words_and_phrases_behind_a_minus_are_excluded_and_leave_the_text() -> None:
    query = read('herons -draft -"grey heron" -P-103, nests')
    assert query.without == ("draft", "grey heron", "P-103")
    assert query.phrases == ()
    assert query.text == "herons nests"


@pytest.mark.parametrize(
    "written",
    ["P-103", "-5 °C", "long-term", "1990-1995", "- draft", "--force", "3 -", "a -- b", "est-il", "-"],
)
def test_other_hyphens_exclude_nothing(written: str) -> None:
    query = read(written)
    assert query.without == ()
    assert query.text == written


def test_a_number_is_excluded_in_quotes() -> None:
    assert read('sales -"2021"').without == ("2021",)


def test_operators_narrow_the_filters_and_leave_the_text() -> None:
    query = read('title:"Annual Report" tag:Finance type:pdf revenue')
    assert query.text == "revenue"
    assert query.filters == Filters(titles=("Annual Report",), tags=("finance",), kinds=("pdf",))


def test_names_of_operators_may_be_capital_and_values_of_any_quotes() -> None:
    assert read("Title:„Jahresbericht 2024“ TAG:“north sea”").filters == Filters(
        titles=("Jahresbericht 2024",), tags=("north sea",)
    )


def test_operators_that_come_again_add_up_and_join_the_parameters() -> None:
    given = Filters(collections=("research",), tags=("old",), kinds=("pdf",), titles=("a",))
    merged = read("tag:new tag:old type:word type:pdf title:b", given).filters
    assert merged == Filters(
        collections=("research",), tags=("old", "new"), kinds=("pdf", "docx"), titles=("a", "b")
    )


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("word", "docx"),
        ("Excel", "xlsx"),
        ("mail", "email"),
        (".PDF", "pdf"),
        ("jpg", "image"),
        ("txt", "text"),
    ],
)
def test_types_have_the_names_that_people_use(written: str, kind: str) -> None:
    assert read(f"type:{written}").filters.kinds == (kind,)


def test_every_name_of_a_type_is_of_one_that_can_be_read() -> None:
    assert set(KINDS.values()) == set(PARSERS)


@pytest.mark.parametrize(
    ("written", "before"),
    [("2024", date(2024, 1, 1)), ("2024-05", date(2024, 5, 1)), ("2024-5-9", date(2024, 5, 9))],
)
def test_before_ends_where_the_period_begins(written: str, before: date) -> None:
    assert read(f"before:{written}").filters == Filters(before=before)


@pytest.mark.parametrize(
    ("written", "since"),
    [
        ("2023", date(2024, 1, 1)),
        ("2023-11", date(2023, 12, 1)),
        ("2023-12", date(2024, 1, 1)),
        ("2024-02-28", date(2024, 2, 29)),
        ('"2023/12/31"', date(2024, 1, 1)),
    ],
)
def test_after_begins_where_the_period_is_over(written: str, since: date) -> None:
    assert read(f"after:{written}").filters == Filters(since=since)


def test_dates_narrow_each_other() -> None:
    given = Filters(since=date(2020, 1, 1), before=date(2022, 1, 1))
    assert read("after:2018 before:2021-06", given).filters == Filters(
        since=date(2020, 1, 1), before=date(2021, 6, 1)
    )
    assert read("after:2020 after:2018").filters.since == date(2021, 1, 1)


@pytest.mark.parametrize(
    "written", ["before:noon", "after:2024-13", "after:2023-02-30", "after:9999", "before:0000", "before:24"]
)
def test_what_is_no_date_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(BadRequest, match="2024-05-31"):
        read(f"herons {written}")


def test_an_unknown_type_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadRequest, match=r"no type “hologram”. Types: pdf, docx"):
        read("type:hologram")


@pytest.mark.parametrize("written", ["-tag:draft", "-type:pdf", "-before:2024", '-title:"a b"'])
def test_an_operator_cannot_be_excluded_and_says_so(written: str) -> None:
    with pytest.raises(BadRequest, match="cannot be excluded"):
        read(written)


@pytest.mark.parametrize(
    "written",
    ["note:this", "https://example.org/a", "title: Herons", "subtitle:x", "tag:", "tag:??", "(tag:x"],
)
def test_what_is_no_operator_is_words(written: str) -> None:
    query = read(written)
    assert query.filters == NOTHING
    assert query.text == written


def test_only_operators_are_a_query_without_words() -> None:
    query = read("type:pdf after:2023 -draft")
    assert (query.text, query.terms) == ("", ())
    assert query.filters == Filters(kinds=("pdf",), since=date(2024, 1, 1))


def test_a_pasted_text_full_of_quotes_requires_none_of_them() -> None:
    pasted = " ".join(f'he said "word {n}" again' for n in range(30))
    query = read(pasted)
    assert (query.phrases, query.without) == ((), ())
    assert query.text == pasted


def test_the_end_of_a_sentence_is_not_part_of_a_value() -> None:
    assert read("Which reports came out before:2021?").filters.before == date(2021, 1, 1)


PIECES = [
    *(
        '"',
        "“",
        "”",
        "„",
        "«",
        "」",
        "'",
        "-",
        "--",
        ":",
        " ",
        "  ",
        "\n",
        "\x00",
        "\ud800",
        "\u202e",
        "\\",
        "%",
    ),
    *("title:", "tag:", "TYPE:", "before:", "after:", "pdf", "2024", "2024-02", "99999", "-1", "٣", "²", "⒈"),
    *(
        "word",
        "Straße",
        "東京",
        "😀",
        "e\u0301",
        "(",
        "[",
        "*",
        "'; DROP TABLE",
        "a" * 300,
        "1,577",
        "&",
        "|",
        "!",
    ),
]


@pytest.mark.parametrize("seed", range(40))
def test_no_query_of_any_form_raises_anything_but_a_bad_request(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(25):
        raw = "".join(chance.choices(PIECES, k=chance.randrange(1, 25)))
        try:
            query = read(raw)
        except BadRequest:
            continue
        assert not set(query.text) & {"\x00", "\n"}
        assert all(term and " " not in term for term in query.terms)
        assert reworded(raw, {"word": "other"}) is not None


def test_a_query_without_end_is_cut() -> None:
    assert len(read("word " * 100_000).text.split()) == 1000
    assert read('"' * 20_000).phrases == ()
    assert read("-a" * 20_000).without == ()
    assert read("tag:" * 20_000).filters.tags


def test_other_words_take_the_place_of_some_and_operators_stay() -> None:
    raw = 'herns "grey herns" tag:herns -herns -"no herns" Herns’s herns-nest'
    better = 'herons "grey herons" tag:herns -herns -"no herns" Herns’s herons-nest'
    assert reworded(raw, {"herns": "herons"}) == better


def test_a_phrase_that_is_a_page_long_is_read_as_words() -> None:
    query = read('"' + "word " * 3000 + '"')
    assert query.phrases == ()
    assert "word word" in query.text
