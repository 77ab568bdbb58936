"""The support check: spans are found or left out, never forced."""

from __future__ import annotations

from search.support import check
from search.types import DraftSentence, Quote
from tests.search.examples import HERONS, a_source

SOURCES = {1: a_source(1), 2: a_source(2, "Rye bread rises slowly.", title="Bread")}


def quoted(draft: DraftSentence) -> list[str]:
    return [SOURCES[q.n].hit.text[q.start : q.end] for q in check(draft, SOURCES).quotes]


def test_a_paraphrase_is_located_in_the_source_it_names() -> None:
    draft = DraftSentence("There were 214 breeding pairs at Lake Ormund in 1987.", cited=(1,))
    assert quoted(draft) == ["The colony at Lake Ormund counted 214 breeding pairs in 1987."]
    assert check(draft, SOURCES).supported


def test_a_number_the_passage_does_not_hold_refutes_it() -> None:
    checked = check(DraftSentence("The colony counted 241 breeding pairs in 1987.", cited=(1,)), SOURCES)
    assert (checked.citations, checked.supported) == ((), False)


def test_another_source_does_not_carry_it() -> None:
    checked = check(DraftSentence("The colony counted breeding pairs.", cited=(2,)), SOURCES)
    assert not checked.supported


def test_without_a_named_source_nothing_is_cited() -> None:
    assert not check(DraftSentence("The colony counted 214 breeding pairs."), SOURCES).supported


def test_an_unknown_number_is_ignored() -> None:
    assert check(DraftSentence("Grey herons fish at dusk.", cited=(7,)), SOURCES).citations == ()


def test_a_quote_has_to_be_verbatim_but_for_white_space() -> None:
    end = HERONS.index(".") + 1
    good = DraftSentence("Grey  herons fish at dusk.", quotes=(Quote(1, 0, end),))
    bad = DraftSentence("Grey herons fish at dawn.", quotes=(Quote(1, 0, end),))
    assert check(good, SOURCES).citations == (1,)
    assert check(bad, SOURCES).citations == ()
