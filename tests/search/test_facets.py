"""Counts by collection, type, tag and year, and searches of nothing but operators."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User

from documents.models import Chunk, Collection, Document
from documents.services import collection_create, collection_update, document_delete, document_update
from search.browsing import newest
from search.exceptions import BadRequest
from search.facets import facets_of
from search.query import understood
from search.types import Filters, SearchRequest
from tests.search.examples import BREAD, HERONS, TRAMS

Make = Callable[..., Document]
NO_FILTERS = Filters()
NOTHING: dict[str, dict[str, int]] = {"collection": {}, "type": {}, "tag": {}, "year": {}}


@pytest.fixture
def library(collection: Collection, alice: User, make_document: Make) -> dict[str, Document]:
    """Three of alice's, which bob may read, and one that is hers alone."""
    own = collection_create(owner=alice, name="Own", slug="own")
    made = {
        "herons": make_document(collection, HERONS, title="Herons"),
        "trams": make_document(collection, TRAMS, title="Trams", filename="trams.md"),
        "bread": make_document(collection, BREAD, title="Bread"),
        "secret": make_document(own, HERONS.replace("Grey", "White"), title="White herons"),
    }
    described(made["herons"], ["birds", "lake"], date(2023, 4, 5))
    described(made["secret"], ["birds"], date(2023, 12, 31))
    described(made["bread"], ["food"], date(1999, 1, 1))
    return made


def described(document: Document, tags: list[str], dated: date) -> None:
    Document.objects.filter(pk=document.pk).update(tags=tags, dated=dated)


def counts(user: User, query: str, filters: Filters = NO_FILTERS, **given: Any) -> dict[str, dict[str, int]]:
    facets = facets_of(SearchRequest(query, filters=filters, **given), user)
    return {name: {each.value: each.count for each in values} for name, values in facets.items()}


def test_documents_that_match_by_words_are_counted(library: dict[str, Document], alice: User) -> None:
    assert counts(alice, "herons", mode="keyword") == {
        "collection": {"own": 1, "research": 1},
        "type": {"text": 2},
        "tag": {"birds": 2, "lake": 1},
        "year": {"2023": 2},
    }


def test_a_document_counts_once_however_many_passages_match(
    collection: Collection, make_document: Make, alice: User
) -> None:
    long = make_document(collection, "\n\n".join(["herons " * 120] * 4), title="Herons")
    assert long.chunk_count > 1
    assert counts(alice, "herons")["type"] == {"text": 1}


def test_only_what_its_reader_may_see_is_counted(
    library: dict[str, Document], bob: User, charlie: User
) -> None:
    assert counts(bob, "herons", mode="keyword")["collection"] == {"research": 1}
    assert counts(bob, "herons")["tag"].get("birds") == 1
    assert counts(charlie, "herons") == NOTHING
    unseen = counts(charlie, "type:text", Filters(collections=("own",)))
    assert unseen == NOTHING


def test_a_facet_is_counted_as_if_its_own_filter_were_not_set(
    library: dict[str, Document], alice: User
) -> None:
    found = counts(alice, "herons tag:lake", Filters(collections=("research",)), mode="keyword")
    assert found["tag"] == {"birds": 1, "lake": 1}
    assert found["collection"] == {"research": 1}
    assert found["type"] == {"text": 1}
    dated = counts(alice, "after:1998 before:2000")
    assert dated["year"] == {"2023": 2, "1999": 1}
    assert dated["tag"] == {"food": 1}


def test_a_query_of_nothing_but_filters_counts_every_document_they_leave(
    library: dict[str, Document], alice: User, bob: User
) -> None:
    assert counts(alice, "type:text")["collection"] == {"research": 2, "own": 1}
    assert counts(alice, "type:text")["type"] == {"text": 3, "markdown": 1}
    assert counts(bob, "type:text")["collection"] == {"research": 2}


def test_a_query_without_anything_counts_nothing(library: dict[str, Document], alice: User) -> None:
    assert counts(alice, '""')["type"] == {}


def test_the_label_is_what_people_read(library: dict[str, Document], alice: User) -> None:
    facets = facets_of(SearchRequest("herons", mode="keyword"), alice)
    assert {each.label for each in facets["collection"]} == {"Own", "Research"}
    assert [each.label for each in facets["type"]] == ["Text"]


def test_a_wrong_operator_is_refused(alice: User) -> None:
    with pytest.raises(BadRequest):
        facets_of(SearchRequest("type:nonsense"), alice)


def test_facets_cost_few_statements(
    library: dict[str, Document], alice: User, settings: Any, django_assert_max_num_queries: Any
) -> None:
    settings.CACHE_TTL_SECONDS = 0
    facets_of(SearchRequest("herons"), alice)
    with django_assert_max_num_queries(16):
        facets_of(SearchRequest("herons"), alice)
    with django_assert_max_num_queries(6):
        facets_of(SearchRequest("type:text"), alice)


def test_what_was_counted_is_kept(
    library: dict[str, Document], alice: User, django_assert_num_queries: Any
) -> None:
    request = SearchRequest("herons by the lake", filters=Filters(collections=("research",)))
    found = facets_of(request, alice)
    with django_assert_num_queries(2):  # what alice may see, and how its collections are called
        assert facets_of(request, alice) == found
    collection_update(collection=Collection.objects.get(slug="own"), name="Mine")
    assert {each.label for each in facets_of(request, alice)["collection"]} == {"Mine", "Research"}


def test_a_change_anywhere_is_counted(library: dict[str, Document], alice: User) -> None:
    """Also in a collection that the request leaves out: its count stands beside the others."""
    narrowed = Filters(collections=("research",))
    assert counts(alice, "herons", narrowed, mode="keyword")["collection"] == {"own": 1, "research": 1}
    document_update(document=library["herons"], user=alice, tags=["waders"])
    assert counts(alice, "herons", narrowed, mode="keyword")["tag"] == {"waders": 1}
    document_delete(document=library["secret"], user=alice)
    assert counts(alice, "herons", narrowed, mode="keyword")["collection"] == {"research": 1}


# --- Nothing but operators ---------------------------------------------------------------------


def titles(user: User, query: str, k: int = 10, filters: Filters = NO_FILTERS) -> list[str]:
    found = [each.chunk_id for each in newest(understood(query, filters), user, k)]
    chunks = Chunk.objects.select_related("document").in_bulk(found)
    return [chunks[pk].document.title for pk in found]


def test_the_newest_documents_that_fit_come_first(
    library: dict[str, Document], alice: User, bob: User, charlie: User
) -> None:
    assert titles(alice, "type:text") == ["White herons", "Bread", "Herons"]
    assert titles(alice, "type:text", k=2) == ["White herons", "Bread"]
    assert titles(bob, "type:text") == ["Bread", "Herons"]
    assert titles(charlie, "type:text") == []
    assert titles(bob, "tag:food") == ["Bread"]
    assert titles(bob, "after:2000") == ["Herons"]
    assert titles(alice, "", filters=Filters(collections=("own",))) == ["White herons"]


def test_a_query_without_anything_finds_nothing(library: dict[str, Document], alice: User) -> None:
    assert titles(alice, '""') == []


def test_an_exclusion_alone_leaves_passages_out(
    library: dict[str, Document], bob: User, collection: Collection, make_document: Make
) -> None:
    assert titles(bob, "-colony") == ["Bread", "Trams"]
    long = make_document(collection, f"{HERONS}\n\n" + "word " * 600, title="Long")
    first = newest(understood("-colony", Filters()), bob, 1)[0]
    assert long.chunks.get(pk=first.chunk_id).ordinal > 0


def test_documents_that_are_excluded_take_no_place(
    library: dict[str, Document], bob: User, collection: Collection, make_document: Make
) -> None:
    make_document(collection, "Another colony of herons.", title="Newest")
    assert titles(bob, "-colony", k=2) == ["Bread", "Trams"]


def test_a_document_without_passages_is_not_shown(
    library: dict[str, Document], upload: Make, collection: Collection, bob: User
) -> None:
    upload(collection, "not read yet", title="Waiting")
    assert "Waiting" not in titles(bob, "type:text")


def test_browsing_is_one_statement(
    library: dict[str, Document], alice: User, django_assert_num_queries: Any
) -> None:
    query = understood("type:text", Filters())
    with django_assert_num_queries(1):
        newest(query, alice, 10)
