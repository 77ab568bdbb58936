"""Did you mean: only words that the reader may see, and nothing where every word is known."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.db import connection

from documents import vocabulary
from documents.models import Collection, Document
from documents.services import collection_create
from search.query import understood
from search.spelling import distance, suggestion
from search.types import Filters
from tests.conftest import MakeDocument
from tests.indexed import indexed_document
from tests.people import research
from tests.search.examples import BREAD, HERONS, TRAMS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True, scope="module")
def _documents(module_rows: None) -> None:
    for title, text in (("Herons", HERONS), ("Trams", TRAMS), ("Bread", BREAD)):
        indexed_document(research(), text, title=title, filename=f"{title}.txt")
    cache.clear()


def suggested(raw: str, user: User | AnonymousUser, **filters: tuple[str, ...]) -> str | None:
    return suggestion(understood(raw, Filters(**filters)), user, raw=raw)


MEANT = {
    "herns of Ormnud": "herons of Ormund",
    "sourdugh STRATER": "sourdough STARTER",
    "the tram netwrok": "the tram network",
    "hérns": "herons",
    "obsrvatry": "observatory",
    "deopt": "depot",
    'tag:herns -netwrok "grey herns"': 'tag:herns -netwrok "grey herons"',
}
KNOWN = (
    *("grey herons at Lake Ormund", "heron colonies", "what does the tram network do"),
    *("zygomorphic", "", "type:pdf", "?!", "the of"),
)


def test_an_unknown_word_gives_way_to_the_nearest_that_is_known(alice: User) -> None:
    assert {raw: suggested(raw, alice) for raw in MEANT} == MEANT


def test_what_is_known_in_any_form_or_near_to_nothing_is_left_alone(alice: User) -> None:
    assert {raw: suggested(raw, alice) for raw in KNOWN} == dict.fromkeys(KNOWN)


def test_a_right_word_that_nothing_holds_is_left_alone(alice: User) -> None:
    """One of four letters, one with another first letter, and one that is still being written."""
    for raw in ("bush trams", "merons of Ormund", "observ", "the sourd"):
        assert suggested(raw, alice) is None
    assert suggested("observator", alice) is None
    assert suggested("observator of Ormund", alice) == "observatory of Ormund"


def test_a_word_with_digits_is_never_corrected(alice: User) -> None:
    for raw in ("hern0ns", "herns-1", "depo7", "2O23 19O4", "tram7-netwrok"):
        assert suggested(raw, alice) is None


def test_only_words_that_the_reader_may_see_are_suggested(
    alice: User, bob: User, charlie: User, make_document: MakeDocument
) -> None:
    own = collection_create(owner=charlie, name="Charlie's", slug="charlies")
    make_document(own, "Quartz and feldspar.", title="Stones")
    assert suggested("herns", alice) == suggested("herns", bob) == "herons"
    assert suggested("herns", charlie) is None
    assert suggested("feldspaar", charlie) == "feldspar"
    assert suggested("feldspaar", alice) is None
    assert suggested("herns", AnonymousUser()) is None


def test_a_word_that_only_others_may_see_is_unknown(charlie: User, make_document: MakeDocument) -> None:
    """Whether ``herons`` is known tells nothing of Alice's documents."""
    own = collection_create(owner=charlie, name="Charlie's", slug="charlies")
    make_document(own, "Heroms is how some write it.", title="x")
    assert suggested("herons", charlie) == "heroms"


def test_a_filter_by_collection_narrows_the_words(alice: User, make_document: MakeDocument) -> None:
    other = collection_create(owner=alice, name="Stones", slug="stones")
    make_document(other, "Quartz and feldspar.", title="Stones")
    assert suggested("feldspaar herns", alice, collections=("stones",)) == "feldspar herns"


def test_of_words_as_near_the_one_in_more_documents_is_meant(
    alice: User, collection: Collection, make_document: MakeDocument
) -> None:
    make_document(collection, "A single flood.", title="a")
    for n in range(3):
        make_document(collection, f"The floor number {n}.", title=f"b{n}")
    assert suggested("flooz", alice) == "floor"


def test_nothing_of_a_deleted_document_is_suggested(alice: User) -> None:
    from documents.services import document_delete

    document_delete(document=Document.objects.get(title="Herons"), user=alice)
    assert suggested("herns", alice) is None


def test_neighbours_are_found_by_the_trigram_index(alice: User) -> None:
    sql, parameters = vocabulary.near_query(["herns"], alice, ["research"])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # as in a vocabulary of some size
        cursor.execute(f"EXPLAIN {sql}", parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Bitmap Index Scan on word_trigrams" in plan


def test_a_suggestion_is_one_question_and_its_setting(alice: User, django_assert_num_queries: object) -> None:
    query = understood("herns and netwrok", Filters())
    savepoint = 2
    with django_assert_num_queries(2 + savepoint):  # type: ignore[operator]
        assert suggestion(query, alice, raw=query.text) == "herons and network"
    code = understood("P-103 x 12", Filters())
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert suggestion(code, alice, raw=code.text) is None


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [("pump", "pump", 0), ("pmup", "pump", 1), ("pomp", "pump", 1), ("pum", "pump", 1), ("pumps", "pump", 1),
     ("ca", "abc", 3), ("", "abc", 3), ("recieve", "receive", 1)],
)  # fmt: skip
def test_letters_that_changed_places_are_one_mistake(one: str, other: str, edits: int) -> None:
    assert distance(one, other) == distance(other, one) == edits
