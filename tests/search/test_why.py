"""Following one document through a search: a case for every step at which it can be lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from documents.models import Collection, Document, Embedding, Role, Status
from documents.services import collection_create, membership_set
from search.exceptions import BadRequest
from search.types import Filters, SearchRequest
from search.why import Trace, why
from tests.search.examples import BREAD, HERONS, TRAMS

Make = Callable[..., Document]
WHY = "/api/v1/search/why/"


@pytest.fixture
def herons(collection: Collection, make_document: Make) -> Document:
    return make_document(collection, HERONS, title="Herons")


@pytest.fixture
def others(collection: Collection, make_document: Make) -> list[Document]:
    return [
        make_document(collection, TRAMS, title="Trams"),
        make_document(collection, BREAD, title="Bread"),
    ]


def trace(document: Document, user: User, query: str = "grey herons", **given: Any) -> Trace:
    return why(request=SearchRequest(query, **given), document=document, user=user, asked_by=user)


def step(traced: Trace, name: str) -> Any:
    return next(step for step in traced.steps if step.name == name)


def test_a_document_that_is_found_is_said_to_be_so(
    herons: Document, others: list[Document], alice: User
) -> None:
    traced = trace(herons, alice)
    assert traced.lost_at is None
    assert traced.sentence == "Found: its best passage is number 1 of the 10 that are shown."
    names = [each.name for each in traced.steps]
    assert names[:2] == ["ready", "access"]
    assert [name for name in names if name in ("vector", "keyword", "document", "fusion", "cut")] == [
        "vector",
        "keyword",
        "document",
        "fusion",
        "cut",
    ]
    assert step(traced, "keyword").rank == step(traced, "cut").rank == 1
    assert traced.passages[0].ranks["result"] == 1


def test_a_document_that_was_never_read_is_lost_at_once(
    upload: Make, collection: Collection, alice: User
) -> None:
    failed = upload(collection, HERONS)
    failed.status, failed.reason = Status.FAILED, "The file is damaged."
    failed.save()
    traced = trace(failed, alice)
    assert traced.lost_at == "ready"
    assert "The file is damaged." in traced.sentence
    assert [each.name for each in traced.steps] == ["ready"]


def test_a_document_that_is_read_again_is_found_by_its_former_passages(herons: Document, alice: User) -> None:
    herons.status = Status.PROCESSING
    herons.save()
    traced = trace(herons, alice)
    assert traced.lost_at is None
    assert "former" in step(traced, "ready").detail


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        (Filters(collections=("elsewhere",)), "collection: elsewhere"),
        (Filters(tags=("birds",)), "tag: birds"),
        (Filters(kinds=("text",), titles=("trams",)), "title: trams"),
        (Filters(kinds=("pdf",)), "type: pdf"),
        (Filters(since=date(2024, 1, 1)), "since: 2024-01-01"),
        (Filters(before=date(2020, 1, 1)), "before: 2020-01-01"),
    ],
)
def test_the_very_filter_is_named(herons: Document, alice: User, filters: Filters, named: str) -> None:
    herons.dated = date(2022, 2, 2)
    herons.save()
    traced = trace(herons, alice, filters=filters)
    assert traced.lost_at == "filters"
    assert f"“{named}”" in traced.sentence


def test_an_operator_is_a_filter_too(herons: Document, alice: User) -> None:
    assert "type: pdf" in trace(herons, alice, "herons type:pdf").sentence
    passed = trace(herons, alice, "herons type:text title:heron")
    assert passed.lost_at is None
    assert step(passed, "filters").passed


def test_a_stranger_is_told_that_access_is_missing(herons: Document, charlie: User) -> None:
    traced = trace(herons, charlie)
    assert traced.lost_at == "access"
    assert "charlie may not see it" in traced.sentence
    assert traced.passages == ()


def test_a_phrase_that_it_does_not_hold_is_named(herons: Document, alice: User) -> None:
    traced = trace(herons, alice, 'herons "at dusk" "at dawn"')
    assert traced.lost_at == "phrases"
    assert "“at dawn”" in traced.sentence
    assert "at dusk" not in traced.sentence
    assert trace(herons, alice, 'herons "at dusk"').lost_at is None


def test_phrases_of_different_passages_are_not_held_by_one(
    collection: Collection, make_document: Make, alice: User
) -> None:
    long = make_document(collection, f"{HERONS}\n\n" + "word " * 600 + f"\n\n{TRAMS}", title="Both")
    traced = trace(long, alice, '"grey herons" "tram network"')
    assert traced.lost_at == "phrases"
    assert "single" in traced.sentence


def test_an_excluded_word_is_named(herons: Document, alice: User) -> None:
    traced = trace(herons, alice, "herons -colony")
    assert traced.lost_at == "exclusions"
    assert "“colony”" in traced.sentence
    assert step(trace(herons, alice, "herons -trams"), "exclusions").passed


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each leg brings one passage."""
    for module in ("retrieval", "why"):
        monkeypatch.setattr(f"search.{module}.depth", lambda limit: 1)


def test_a_document_beyond_the_leg_is_ranked_exactly(
    herons: Document, others: list[Document], alice: User, shallow: None
) -> None:
    traced = trace(herons, alice, "tram network of Velmora", mode="vector", rerank="off")
    assert traced.lost_at == "vector"
    assert step(traced, "vector").rank in (2, 3)
    assert step(traced, "vector").of == 1
    assert "only the first 1 go on" in traced.sentence
    assert traced.passages[0].ranks == {}


def test_a_document_without_vectors_is_lost_by_meaning(
    herons: Document, others: list[Document], alice: User
) -> None:
    Embedding.objects.filter(document=herons).delete()
    traced = trace(herons, alice, mode="vector")
    assert traced.lost_at == "vector"
    assert "has a vector" in traced.sentence


def test_a_document_with_none_of_the_words_is_lost_by_words(
    herons: Document, others: list[Document], alice: User
) -> None:
    traced = trace(herons, alice, "sourdough", mode="keyword")
    assert traced.lost_at == "keyword"
    assert "any word" in traced.sentence


def test_a_document_behind_others_by_words_has_its_rank(
    herons: Document, collection: Collection, make_document: Make, alice: User, shallow: None
) -> None:
    make_document(collection, "Herons, herons and herons.", title="Herons and herons")
    traced = trace(herons, alice, "herons", mode="keyword")
    assert traced.lost_at == "keyword"
    assert step(traced, "keyword").rank == 2


def test_a_document_that_no_leg_brings_is_lost_before_fusion(
    herons: Document, others: list[Document], alice: User, shallow: None
) -> None:
    traced = trace(herons, alice, "tram network of Velmora", rerank="off")
    assert traced.lost_at == "fusion"
    assert "None of the legs" in traced.sentence
    assert "any word" in traced.sentence
    assert step(traced, "fusion").rank is None
    assert not step(traced, "document").passed


def test_what_is_fused_but_not_fetched_is_lost_in_fusion(
    herons: Document, others: list[Document], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.pipeline.SPREAD", 1)
    traced = trace(herons, alice, "tram network of Velmora", limit=1, rerank="off")
    assert traced.lost_at == "fusion"
    assert step(traced, "fusion").rank in (2, 3)
    assert step(traced, "fusion").of == 1
    assert "cut" not in {each.name for each in traced.steps}


def test_a_document_behind_the_last_place_is_lost_at_the_cut(
    herons: Document, others: list[Document], alice: User
) -> None:
    traced = trace(herons, alice, "tram network of Velmora", limit=1, rerank="on")
    assert traced.lost_at == "cut"
    assert "only the first 1 are shown" in traced.sentence
    assert step(traced, "rerank").passed


def test_passages_that_gave_way_are_counted(collection: Collection, make_document: Make, alice: User) -> None:
    long = make_document(collection, "\n\n".join(["herons " * 120] * 4), title="Herons")
    make_document(collection, HERONS, title="Birds")
    traced = trace(long, alice, "herons", limit=3, per_document=1, rerank="off")
    assert traced.lost_at is None
    assert "gave way" in step(traced, "diversity").detail


def test_a_wrong_query_is_refused(herons: Document, alice: User) -> None:
    with pytest.raises(BadRequest):
        trace(herons, alice, "herons type:nonsense")


# --- Over REST -------------------------------------------------------------------------------

Api = Callable[[User | None], APIClient]


def asked(api: Api, user: User | None, traced: Document, **given: str) -> Any:
    return api(user).get(WHY, {"q": "grey herons", "document": str(traced.pk), **given})


def test_members_may_ask_and_strangers_may_not(
    api: Api, alice: User, bob: User, charlie: User, herons: Document
) -> None:
    for user in (alice, bob):
        body = asked(api, user, herons).json()
        assert body["found"] is True
        assert body["document"] == {"id": str(herons.pk), "title": "Herons"}
        assert {"name", "passed", "detail", "rank", "of"} == body["steps"][0].keys()
        assert body["passages"][0]["ranks"]["keyword"] == 1
    assert asked(api, charlie, herons).status_code == 404
    assert asked(api, None, herons).status_code == 401


def test_filters_narrow_the_traced_search(api: Api, bob: User, herons: Document) -> None:
    body = asked(api, bob, herons, type="pdf").json()
    assert (body["found"], body["lost_at"]) == (False, "filters")
    assert "type: pdf" in body["sentence"]


@pytest.mark.parametrize(
    "given", [{"q": ""}, {"document": "no-uuid"}, {"before": "soon"}, {"limit": "0"}, {"q": "type:nonsense"}]
)
def test_a_wrong_parameter_of_why_is_400(api: Api, bob: User, herons: Document, given: Any) -> None:
    response = asked(api, bob, herons, **given)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


def test_a_curator_asks_why_somebody_else_does_not_find_it(
    api: Api, alice: User, charlie: User, herons: Document
) -> None:
    alice.is_staff = True
    alice.save()
    body = asked(api, alice, herons, **{"as": "charlie"}).json()
    assert body["lost_at"] == "access"
    assert "charlie may not see it" in body["sentence"]
    assert asked(api, alice, herons, **{"as": "bob"}).json()["found"] is True
    assert asked(api, alice, herons, **{"as": "nobody"}).status_code == 400
    assert asked(api, charlie, herons, **{"as": "alice"}).status_code == 404


def steps_as(api: Api, curator: User, traced: Document, **given: str) -> Any:
    body = asked(api, curator, traced, **given).json()
    return body["sentence"], body["steps"], body["passages"]


@pytest.mark.parametrize("mode", ["hybrid", "keyword", "vector"])
def test_a_curator_learns_nothing_of_what_only_the_other_may_see(
    api: Api, alice: User, charlie: User, make_document: Make, mode: str
) -> None:
    charlie.is_staff = True
    charlie.save()
    curated = collection_create(owner=charlie, name="Curated", slug="curated")
    membership_set(collection=curated, user=alice, role=Role.VIEWER)
    traced = make_document(curated, HERONS, title="Herons")
    sentence = "The merger with Ardent Shipping is signed in November."
    given = {"as": "alice", "q": f"herons {sentence}", "mode": mode, "rerank": "off"}
    before = steps_as(api, charlie, traced, **given)
    private = collection_create(owner=alice, name="Private", slug="private")
    make_document(private, sentence, title="Merger")
    assert steps_as(api, charlie, traced, **given) == before
    within = asked(api, charlie, traced, **given, collection="curated").json()
    assert [each["rank"] for each in within["steps"]][-1] == 1
    own = why(
        request=SearchRequest(given["q"], mode=mode, rerank="off"),  # type: ignore[arg-type]
        document=traced,
        user=alice,
        asked_by=alice,
    )
    assert step(own, "cut").rank == 2


def test_collections_that_both_may_see_are_searched(
    api: Api, alice: User, bob: User, collection: Collection, herons: Document, make_document: Make
) -> None:
    alice.is_staff = True
    alice.save()
    other = collection_create(owner=bob, name="Other", slug="other")
    membership_set(collection=other, user=alice, role=Role.VIEWER)
    make_document(other, "grey herons", title="Grey herons")
    body = asked(api, alice, herons, **{"as": "bob", "mode": "keyword"}).json()
    assert body["steps"][-1]["rank"] == 2


def test_a_query_that_looks_for_nothing_is_refused(api: Api, alice: User, herons: Document) -> None:
    alice.is_staff = True
    alice.save()
    for name in ("alice", "bob"):
        assert asked(api, alice, herons, **{"q": '""', "as": name}).status_code == 400


def test_only_a_curator_who_manages_the_collection_asks_as_another(
    api: Api, alice: User, bob: User, collection: Collection, herons: Document
) -> None:
    assert asked(api, alice, herons, **{"as": "bob"}).status_code == 403
    bob.is_staff = True
    bob.save()
    assert asked(api, bob, herons, **{"as": "alice"}).status_code == 403
    assert asked(api, bob, herons, **{"as": "bob"}).status_code == 200
    membership_set(collection=collection, user=bob, role=Role.MANAGER)
    assert asked(api, bob, herons, **{"as": "alice"}).status_code == 200
