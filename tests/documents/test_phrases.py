"""Passages that hold a phrase, or do not: by words, folded."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.db.models import F, Value

from documents import lexical
from documents.expressions import Bm25Score
from documents.models import Chunk
from tests.indexed import indexed_document
from tests.people import research

pytestmark = pytest.mark.django_db

TEXTS = {
    "net": "Net sales increased by four percent. The gross margin fell.",
    "other": "Sales were net of tax, and margins increased grossly in the draft.",
    "cafe": "The Café Zürich was opened in 1,577 with a long-term lease for pump P-103.",
    "station": "新しい東京駅は一九一四年に開業した。",
}


@pytest.fixture(scope="module")
def _texts(module_rows: None) -> None:
    for name, text in TEXTS.items():
        indexed_document(research(), text, title=name, filename=f"{name}.txt")
    cache.clear()


def saying(phrases: Sequence[str] = (), without: Sequence[str] = ()) -> set[str]:
    """The titles of those found."""
    return {*Chunk.objects.all().saying(phrases, without).values_list("document__title", flat=True)}


HOLDING: dict[str, set[str]] = {
    "net sales": {"net"},
    "NET  Sales increased": {"net"},
    "sales net": set(),
    "net sale": set(),
    "et sales": set(),
    "cafe zurich": {"cafe"},
    "Café": {"cafe"},
    "caf": set(),
    "1577": {"cafe"},
    "1,577 with": {"cafe"},
    "577": set(),
    "1": set(),
    "long term lease": {"cafe"},
    "P-103": {"cafe"},
    "pump P-103": {"cafe"},
    "of": {"other"},
    "net of tax": {"other"},
    "percent. The gross": {"net"},
    "東京駅": {"station"},
    "東京タワー": set(),
}


@pytest.mark.usefixtures("_texts")
def test_a_phrase_is_held_word_for_word() -> None:
    assert {phrase: saying([phrase]) for phrase in HOLDING} == HOLDING
    others = {phrase: TEXTS.keys() - holding for phrase, holding in HOLDING.items()}
    assert {phrase: saying(without=[phrase]) for phrase in HOLDING} == others


@pytest.mark.usefixtures("_texts")
def test_several_are_all_held_and_none_of_the_excluded() -> None:
    assert saying(["net", "sales"]) == {"net", "other"}
    assert saying(["net", "sales"], ["draft"]) == {"net"}
    assert saying(["net"], ["margin", "margins"]) == set()
    assert saying(without=["drafts"]) == TEXTS.keys()


@pytest.mark.usefixtures("_texts")
def test_odd_phrases_raise_nothing() -> None:
    for odd in ("", "?!", "½ (⑴ [x", "\\m.*", "%", "a" * 5000, "'; --", "😀"):
        saying([odd])
        saying(without=[odd])


@pytest.mark.usefixtures("_texts")
@pytest.mark.parametrize("backend", ["bm25", "tsvector"])
def test_the_lexical_leg_goes_on_until_it_has_what_says_so(backend: lexical.Backend, alice: User) -> None:
    allowed = Chunk.objects.visible_to(alice).saying(["net of tax"])
    ((pk, _),) = allowed.lexical(lexical.terms_of("net sales increased gross"), 1, backend)
    assert Chunk.objects.get(pk=pk).document.title == "other"


@pytest.mark.usefixtures("_texts")
def test_access_is_decided_in_the_same_query(alice: User, charlie: User) -> None:
    assert Chunk.objects.visible_to(alice).saying(["net"]).count() == 2
    assert Chunk.objects.visible_to(charlie).saying(["net"]).count() == 0
    assert Chunk.objects.visible_to(charlie).saying(without=["net"]).count() == 0


@pytest.mark.usefixtures("_texts")
def test_passages_are_asked_row_by_row_inside_the_lexical_index(alice: User) -> None:
    score = Bm25Score(F("terms"), Value("net sale"), index=lexical.PASSAGES.bm25)
    allowed = Chunk.objects.visible_to(alice).saying(["net sales"], ["draft"])
    with connection.cursor() as cursor:
        for kind in ("seqscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{kind} = off")
    plan = allowed.annotate(score=score).order_by("score").values("pk", "score")[:5].explain()
    assert f"Index Scan using {lexical.PASSAGES.bm25}" in plan
    # The cheap question comes first: only who passes it is asked for the pattern.
    assert plan.index("strpos") < plan.index("unaccent")


@pytest.mark.usefixtures("_texts")
def test_a_phrase_costs_one_question_more(django_assert_num_queries: object) -> None:
    lexical.languages()
    with django_assert_num_queries(1):  # type: ignore[operator]
        Chunk.objects.all().saying(["net sales", "gross margin"], ["draft"])
    with django_assert_num_queries(0):  # type: ignore[operator]
        Chunk.objects.all().saying()
