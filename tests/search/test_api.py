"""Search, answers and conversations over REST, tried as all three people."""

from __future__ import annotations

from collections.abc import Callable
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
