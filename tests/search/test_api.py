"""Search, answers and conversations over REST, tried as all three people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from documents.models import Collection, Document
from search import answers
from search.models import Answer, Conversation

Api = Callable[[User | None], APIClient]
SEARCH = "/api/v1/search/"
ANSWERS = "/api/v1/answers/"
CONVERSATIONS = "/api/v1/conversations/"
TEXT = "The tide tables of Brest were computed in 1839 by Rémi Chazallon. He founded the French tide service."


@pytest.fixture
def document(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, TEXT, title="Tides")


@pytest.fixture
def answer(alice: User, document: Document) -> Answer:
    """Asked by alice, in a conversation of hers."""
    thread = Conversation.objects.create(owner=alice, title="Tides")
    return Answer.objects.create(
        conversation=thread, asked_by=alice, question="Who?", state="done", finished_at="2026-01-01T00:00Z"
    )


def test_members_find_and_strangers_do_not(
    api: Api, alice: User, bob: User, charlie: User, document: Document
) -> None:
    for user in (alice, bob):
        found = api(user).get(SEARCH, {"q": "tide tables"}).json()
        assert found["results"][0]["document"] == {"id": str(document.pk), "title": "Tides"}
        assert {"query", "mode", "degraded", "took_ms"} <= found.keys()
        assert found["results"][0]["matched"]
    assert api(charlie).get(SEARCH, {"q": "tide tables"}).json()["results"] == []
    assert api(None).get(SEARCH, {"q": "tide tables"}).status_code == 401


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_every_mode_finds(mode: str, api: Api, alice: User, document: Document) -> None:
    found = api(alice).get(SEARCH, {"q": "tide tables of Brest", "mode": mode, "explain": "true"}).json()
    assert found["mode"] == mode
    assert found["results"]


def test_filters_narrow(api: Api, alice: User, document: Document) -> None:
    def count(**filters: Any) -> int:
        return len(api(alice).get(SEARCH, {"q": "tide tables", **filters}).json()["results"])

    assert count(collection="research") == count(document=str(document.pk)) == count(type="text,pdf") == 1
    assert count(collection="other") == count(document=str(uuid4())) == count(tag="none") == 0
    assert count(collection="") == 1


def test_titles_and_dates_narrow(api: Api, alice: User, document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(dated=date(2022, 5, 6))

    def count(**filters: Any) -> int:
        return len(api(alice).get(SEARCH, {"q": "tide tables", **filters}).json()["results"])

    assert count(title="tide") == count(title=["nothing", "TIDE"]) == 1
    assert count(title="nothing") == count(title="ti,de") == 0
    assert count(after="2021") == count(after="2022-05-05", before="2022-05-07") == count(after="") == 1
    assert count(after="2022") == count(before="2022") == count(before="2022-05-06") == 0


def test_operators_narrow_as_parameters_do(api: Api, alice: User, document: Document) -> None:
    def count(query: str) -> int:
        return len(api(alice).get(SEARCH, {"q": query}).json()["results"])

    assert count('title:tides "tide tables" type:text') == 1
    assert count("tide type:pdf") == count('"tables of tide"') == count("tide -chazallon") == 0
    refused = api(alice).get(SEARCH, {"q": "tide type:nonsense"})
    assert refused.status_code == 400
    assert "nonsense" in refused.json()["detail"]


def test_one_document_does_not_take_every_place(
    api: Api, alice: User, collection: Collection, make_document: Callable[..., Document]
) -> None:
    long = make_document(collection, "\n\n".join(["tide " * 120] * 8), title="Tides and tides")
    for number in range(3):
        make_document(collection, f"The tide of place {number} is low.", title=f"Place {number}")

    def of_long(**given: Any) -> int:
        found = api(alice).get(SEARCH, {"q": "tide", "limit": 8, "rerank": "off", **given}).json()["results"]
        return sum(hit["document"]["id"] == str(long.pk) for hit in found)

    assert long.chunk_count >= 8
    assert of_long() == of_long(per_document=5) == 5
    assert of_long(per_document=0) > 5
    assert of_long(document=str(long.pk)) == 8


def test_facets_come_when_they_are_asked_for(
    api: Api, alice: User, charlie: User, document: Document
) -> None:
    asked = {"q": "tide tables", "facets": "true"}
    facets = api(alice).get(SEARCH, asked).json()["facets"]
    assert facets["collection"] == [{"value": "research", "label": "Research", "count": 1}]
    assert list(facets) == ["collection", "type", "tag", "year"]
    assert api(charlie).get(SEARCH, asked).json()["facets"] == {name: [] for name in facets}
    assert "facets" not in api(alice).get(SEARCH, {"q": "tide tables"}).json()


def test_a_misspelt_query_comes_with_a_suggestion(api: Api, alice: User, document: Document) -> None:
    assert api(alice).get(SEARCH, {"q": "chazalon"}).json()["suggestion"] == "chazallon"
    assert api(alice).get(SEARCH, {"q": "tide tables"}).json()["suggestion"] is None


def test_raw_scores_are_for_curators_alone(api: Api, alice: User, bob: User, document: Document) -> None:
    bob.is_staff = True
    bob.save()
    asked = {"q": "tide tables", "explain": "true"}
    curator = api(bob).get(SEARCH, asked).json()["explanation"]
    assert curator["raw"][0]["chunk"] == document.chunks.get().pk
    assert curator["raw"][0]["keyword"] > 0
    assert -1 <= curator["raw"][0]["vector"] <= 1
    person = api(alice).get(SEARCH, asked).json()["explanation"]
    assert "raw" not in person
    assert {"query", "legs", "documents", "fused", "reranked", "timings"} <= person.keys()
    assert "explanation" not in api(bob).get(SEARCH, {"q": "tide tables"}).json()


def test_operators_alone_show_the_newest_documents(
    api: Api, alice: User, charlie: User, document: Document
) -> None:
    found = api(alice).get(SEARCH, {"q": "type:text", "facets": "true"}).json()
    assert [hit["document"]["title"] for hit in found["results"]] == ["Tides"]
    assert found["results"][0]["matched"] == {"newest": 1}
    assert found["facets"]["type"] == [{"value": "text", "label": "Text", "count": 1}]
    assert api(charlie).get(SEARCH, {"q": "type:text"}).json()["results"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "ten"),
        ("mode", "magic"),
        ("rerank", "maybe"),
        ("document", "no-uuid"),
        ("explain", "perhaps"),
        ("facets", "perhaps"),
        ("per_document", "-1"),
        ("per_document", "101"),
        ("before", "soon"),
        ("before", "2024-13"),
        ("after", "9999"),
        ("title", "a\x00b"),
        ("q", "a\x00b"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, value: str, api: Api, alice: User) -> None:
    response = api(alice).get(SEARCH, {"q": "x", name: value})
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert any(key.startswith(name) for key in response.json()["errors"])
    assert response.json()["detail"].startswith(name)


def test_a_search_needs_a_query(api: Api, alice: User) -> None:
    assert "q" in api(alice).get(SEARCH).json()["errors"]


@pytest.mark.django_db(transaction=True)
def test_asking_waits_for_the_answer(api: Api, alice: User, charlie: User, document: Document) -> None:
    response = api(alice).post(ANSWERS, {"question": "Who computed the tide tables of Brest?"})
    assert response.status_code == 200, response.content
    stored = response.json()
    assert "Chazallon" in stored["answer"]
    assert stored["citations"][0]["document"]["id"] == str(document.pk)
    address = f"{ANSWERS}{stored['id']}/"
    assert api(alice).get(address).json() == stored
    assert api(charlie).get(address).status_code == 404
    follow_up = {"question": "And then?", "conversation": stored["conversation"]}
    assert api(alice).post(ANSWERS, follow_up).json()["conversation"] == stored["conversation"]


@pytest.mark.django_db(transaction=True)
def test_a_stranger_gets_no_evidence(api: Api, charlie: User, document: Document) -> None:
    stored = api(charlie).post(ANSWERS, {"question": "Who computed the tide tables of Brest?"}).json()
    assert stored["abstained"] is True
    assert stored["citations"] == []


def test_asking_about_what_one_may_not_see(api: Api, charlie: User, document: Document) -> None:
    for scope in ({"collections": ["research"]}, {"documents": [str(document.pk)]}):
        unseen = api(charlie).post(ANSWERS, {"question": "Who?", **scope})
        assert unseen.status_code == 404
    missing = api(charlie).post(ANSWERS, {"question": "Who?", "collections": ["no-such"]})
    unseen = api(charlie).post(ANSWERS, {"question": "Who?", "collections": ["research"]})
    assert missing.json() == unseen.json()


@pytest.mark.parametrize(
    "body", [{}, {"question": "  "}, {"question": "x", "documents": ["no"]}, {"question": ["x"]}, []]
)
def test_a_wrong_question_is_400(body: Any, api: Api, alice: User) -> None:
    response = api(alice).post(ANSWERS, body)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


def test_a_failed_generation_is_a_problem(
    api: Api, alice: User, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer.state, answer.error = "failed", {"detail": "The language model did not answer."}
    monkeypatch.setattr(answers, "ask", lambda **kwargs: answer)
    monkeypatch.setattr(answers, "wait", lambda answer: answer)
    response = api(alice).post(ANSWERS, {"question": "Who?"})
    assert response.status_code == 502
    assert "language model" in response.json()["detail"]


def test_answers_belong_to_the_asker(api: Api, bob: User, charlie: User, answer: Answer) -> None:
    for user in (bob, charlie):
        program = api(user)
        assert program.get(f"{ANSWERS}{answer.pk}/").status_code == 404
        assert program.get(f"{ANSWERS}{answer.pk}/events/").status_code == 404
        for action in ("stop", "feedback", "replay"):
            response = program.post(f"{ANSWERS}{answer.pk}/{action}/", {"rating": 1})
            assert response.status_code == 404
    assert api(None).get(f"{ANSWERS}{answer.pk}/").status_code == 401


def test_feedback_and_stop(api: Api, alice: User, answer: Answer) -> None:
    program = api(alice)
    given = program.post(f"{ANSWERS}{answer.pk}/feedback/", {"rating": -1, "reason": "vague"})
    assert given.json() == {"rating": -1, "reason": "vague"}
    assert program.get(f"{ANSWERS}{answer.pk}/").json()["feedback"]["rating"] == -1
    assert program.post(f"{ANSWERS}{answer.pk}/feedback/", {"rating": 5}).status_code == 400
    assert program.post(f"{ANSWERS}{answer.pk}/stop/").json()["state"] == "done"


def test_replay(api: Api, alice: User, answer: Answer) -> None:
    response = api(alice).post(f"{ANSWERS}{answer.pk}/replay/")
    assert response.status_code == 200, response.content


def test_conversations(api: Api, alice: User, bob: User, answer: Answer) -> None:
    program, address = api(alice), f"{CONVERSATIONS}{answer.conversation_id}/"
    assert [row["title"] for row in program.get(CONVERSATIONS).json()["results"]] == ["Tides"]
    assert program.get(address).json()["answers"][0]["id"] == str(answer.pk)
    assert program.patch(address, {"title": "Sea"}).json()["title"] == "Sea"
    assert program.patch(address, {"title": ""}).status_code == 400
    stranger = api(bob)
    assert stranger.get(CONVERSATIONS).json()["results"] == []
    for response in (
        stranger.get(address),
        stranger.patch(address, {"title": "X"}),
        stranger.delete(address),
    ):
        assert response.status_code == 404
    assert program.delete(address).status_code == 204
    assert program.get(address).status_code == 404
