"""Citation numbers never change once they were shown."""

from __future__ import annotations

from search.numbering import Numbering
from search.types import Quote, Sentence
from tests.search.examples import HERONS, TRAMS, a_source

SOURCES = [a_source(1, HERONS), a_source(2, TRAMS)]


def said(*quotes: Quote) -> Sentence:
    return Sentence("…", tuple(q.n for q in quotes), True, quotes)


def test_by_quote_each_quote_has_its_own_number_in_order() -> None:
    first, second = Quote(2, 0, 10), Quote(1, 0, 5)
    numbering = Numbering(SOURCES)
    shown = numbering.by_quote([first, second])
    assert [(e.n, e.quote) for e in shown.evidence] == [(1, TRAMS[:10]), (2, HERONS[:5])]
    assert numbering.cite(said(second)).citations == (2,)


def test_by_source_the_quote_is_the_passage_until_words_of_it_are_cited() -> None:
    numbering = Numbering(SOURCES)
    assert [e.quote for e in numbering.by_source().evidence] == [HERONS, TRAMS]
    sentence = numbering.cite(said(Quote(2, 0, 10)))
    assert sentence.citations == (2,)
    (evidence,) = numbering.cited_by([sentence])
    assert evidence.quote == TRAMS[:10]


def test_a_second_quote_of_the_same_source_widens_the_first() -> None:
    numbering = Numbering(SOURCES)
    numbering.by_source()
    sentences = [numbering.cite(said(Quote(1, 30, 40))), numbering.cite(said(Quote(1, 5, 12)))]
    assert [(e.start, e.end) for e in numbering.cited_by(sentences)] == [(5, 40)]


def test_a_fallback_goes_on_behind_the_numbers_that_were_shown() -> None:
    numbering = Numbering(SOURCES)
    numbering.by_source()
    shown = numbering.by_quote([Quote(1, 0, 5)])
    assert [e.n for e in shown.evidence] == [1, 2, 3]
