"""The support check: spans are found or left out, never forced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from documents.embedding.registry import get_embedder
from documents.embedding.weights import PACKAGED_MODEL
from documents.exceptions import EmbeddingUnavailable
from search.support import check, checking, entailment
from search.support.entailment import SimilarityJudge, Verdict
from search.types import Doubt, DraftSentence, Quote, Sentence
from tests.search.examples import BREAD, HERONS, TRAMS, a_source

REPORT = (
    "Revenue increased by 12 percent to $3.2 billion in fiscal year 2018, driven by higher sales in Europe. "
    "Operating costs fell. Employees may carry over up to five days of annual leave. Requests are submitted "
    "to Human Resources before 31 March."
)
SOURCES = {
    1: a_source(1),
    2: a_source(2, "Rye bread rises slowly.", title="Bread"),
    3: a_source(3, TRAMS, title="Trams"),
    4: a_source(4, BREAD, title="Bread"),
    5: a_source(5, REPORT, title="Report"),
}


@pytest.fixture(autouse=True)
def _real_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the packaged model, without a space."""
    monkeypatch.setattr(entailment, "embed", lambda texts: get_embedder(PACKAGED_MODEL).embed(texts))


def checked(text: str, *cited: int) -> Sentence:
    return check(DraftSentence(text, cited=cited), SOURCES)


def quoted(text: str, *cited: int) -> list[str]:
    return [SOURCES[q.n].hit.text[q.start : q.end] for q in checked(text, *cited).quotes]


# --- Where the span is found


def test_a_paraphrase_is_located_in_the_source_it_names() -> None:
    text = "There were 214 breeding pairs at Lake Ormund in 1987."
    assert quoted(text, 1) == ["The colony at Lake Ormund counted 214 breeding pairs in 1987."]
    assert checked(text, 1).supported


def test_two_sentences_in_a_row_may_carry_it_together() -> None:
    text = "Grey herons fish at dusk, and the colony at Lake Ormund counted 214 breeding pairs in 1987."
    assert quoted(text, 1) == [HERONS[: HERONS.index(" Anders")]]


def test_each_source_that_carries_it_is_cited_and_no_other() -> None:
    sentence = checked("Rye bread rises slowly.", 1, 2, 4)
    assert (sentence.citations, sentence.doubts) == ((2, 4), ())


def test_another_source_does_not_carry_it() -> None:
    assert checked("The colony counted breeding pairs.", 2).doubts == (Doubt("nothing"),)


@pytest.mark.parametrize("cited", [(), (9,)])
def test_without_a_source_that_it_names_nothing_is_cited(cited: tuple[int, ...]) -> None:
    sentence = checked("Grey herons fish at dusk.", *cited)
    assert (sentence.citations, sentence.supported, sentence.doubts) == ((), False, (Doubt("nothing"),))


def test_a_quote_has_to_be_verbatim_but_for_white_space() -> None:
    end = HERONS.index(".") + 1
    good = DraftSentence("Grey  herons fish at dusk.", quotes=(Quote(1, 0, end),), span=(0, 4))
    bad = DraftSentence("Grey herons fish at dawn.", quotes=(Quote(1, 0, end),))
    assert (check(good, SOURCES).citations, check(good, SOURCES).span) == ((1,), (0, 4))
    assert (check(bad, SOURCES).citations, check(bad, SOURCES).doubts) == ((), (Doubt("nothing"),))


# --- What is supported, and what is not


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (1, "The observatory was founded by Anders Lindqvist in 1923."),
        (1, "Lindqvist established the observatory in 1923."),
        (1, "In 1987, 214 pairs bred in the colony at Lake Ormund."),
        (1, "Herons fish in the evening."),
        (3, "Velmora's tram network began operating in 1904."),
        (3, "The trams opened in 1904 and had 11 carriages."),
        (3, "The depot burnt down twice."),
        (3, "Line 7 is still in service and goes to the harbour."),
        (4, "A sourdough starter requires flour, water, and five days of patience."),
        (4, "The crust is scored before the bread is baked."),
        (4, "Rye bread is slow to rise."),
        (5, "In FY2018 revenue grew by 12% and reached $3.2 billion."),
        (5, "Sales in Europe drove the revenue growth."),
        (5, "Operating costs decreased."),
        (5, "You can carry over at most five days of annual leave."),
        (5, "Requests must be sent to HR by 31 March."),
    ],
)
def test_other_words_for_what_a_source_says_are_supported(n: int, text: str) -> None:
    sentence = checked(text, n)
    assert (sentence.citations, sentence.doubts) == ((n,), ())


@pytest.mark.parametrize(
    ("n", "text", "kind"),
    [
        (1, "The colony counted 241 breeding pairs in 1987.", "number"),
        (3, "The trams opened in 1904 with twelve carriages.", "number"),
        (5, "Revenue increased by 12 percent to $3.2 million.", "unit"),
        (1, "Mara Holt founded the observatory in 1923.", "name"),
        (5, "Requests are submitted to Human Resources before 31 May.", "name"),
        (1, "Grey herons do not fish at dusk.", "negation"),
        (5, "Employees may not carry over annual leave.", "negation"),
        (3, "The tram network of Velmora closed in 1904.", "opposite"),
        (5, "Revenue decreased by 12 percent.", "opposite"),
        (1, "The moon is made of cheese.", "nothing"),
    ],
)
def test_what_a_source_says_otherwise_is_not(n: int, text: str, kind: str) -> None:
    sentence = checked(text, n)
    assert (sentence.citations, sentence.supported) == ((), False)
    assert kind in [doubt.kind for doubt in sentence.doubts]


class Judge:
    """Says the same of every span."""

    def __init__(self, **given: bool) -> None:
        self.verdict = Verdict(**given)

    def judge(self, claim: str, premises: Sequence[str]) -> list[Verdict]:
        return [self.verdict] * len(premises)


FEW_WORDS, MANY_WORDS = "Herons are nocturnal hunters of small fish.", "Grey herons fish at dusk."


@pytest.mark.parametrize(
    ("given", "text", "supported", "doubt"),
    [
        ({"entails": True}, FEW_WORDS, True, None),
        ({}, FEW_WORDS, False, "nothing"),
        ({}, MANY_WORDS, True, None),
        ({"unlike": True}, MANY_WORDS, False, "nothing"),
        ({"contradicts": True}, MANY_WORDS, False, "meaning"),
        ({"entails": True}, "Grey herons fish 3 times at dusk.", False, "number"),
    ],
)
def test_meaning_decides_beside_words(
    given: dict[str, bool], text: str, supported: bool, doubt: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "get_entailment", lambda: Judge(**given))
    sentence = checked(text, 1)
    assert (sentence.supported, [each.kind for each in sentence.doubts]) == (
        supported,
        [doubt] if doubt else [],
    )


def test_without_an_engine_words_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(texts: Any) -> None:
        raise EmbeddingUnavailable

    monkeypatch.setattr(entailment, "embed", unavailable)
    assert SimilarityJudge().judge("a", ["b", "c"]) == [Verdict(), Verdict()]
    assert checked(MANY_WORDS, 1).supported
    assert not checked(FEW_WORDS, 1).supported
