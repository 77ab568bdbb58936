"""Around an answer: what to ask next, copies, long conversations, and the list of them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from documents.models import Chunk, Collection, Document
from documents.services import document_delete
from search import answers
from search.follow_ups import follow_ups, is_answered, named_in, subjects
from search.models import Answer, Conversation
from search.types import Turn
from tests.search.examples import HERONS

PUMPS = """# Pumps of the north hall

Pump P-101 moves 40 litres per minute at a pressure of 6 bar. It was installed in 2019.

## Maintenance

Pump P-101 is serviced every 3 months by the night shift. The seals are replaced once a year.

## 2.1 What to do after a power cut?

Open valve V-7 first. After a power cut the pump is started by hand by the shift leader.
"""
MakeDocument = Callable[..., Document]


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def talk(owner: User, title: str, *questions: str) -> Conversation:
    made = Conversation.objects.create(owner=owner, title=title)
    for question in questions:
        Answer.objects.create(
            conversation=made,
            asked_by=owner,
            question=question,
            state=Answer.State.DONE,
            finished_at=now(),
            sentences=[{"text": f"About {question}", "citations": [], "supported": False}],
        )
    return made


# --- What to ask next ---------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_follow_ups_are_questions_that_would_be_answered(
    alice: User, bob: User, charlie: User, collection: Collection, make_document: MakeDocument
) -> None:
    document = make_document(collection, PUMPS, filename="pumps.md")
    answer = answers.wait(answers.ask(user=bob, question="How many litres does pump P-101 move per minute?"))
    offered = follow_ups(answer, bob)
    assert offered == [
        "What does “Pumps of the north hall” say about “Maintenance”?",
        "What to do after a power cut?",
    ]
    for question in offered:
        again = answers.ask(user=bob, question=question, conversation=answer.conversation_id)
        assert not answers.wait(again).abstained
    address = reverse("answer-follow-ups", args=[answer.pk])
    assert client_of(alice).get(address).status_code == client_of(charlie).get(address).status_code == 404
    # Of those only, what has not been asked.
    assert 'data-testid="follow-up"' not in client_of(bob).get(address).content.decode()
    document_delete(document=document, user=None)
    assert follow_ups(answer, bob) == []


@pytest.mark.django_db(transaction=True)
def test_what_would_be_refused_is_not_offered(
    bob: User, collection: Collection, make_document: MakeDocument
) -> None:
    make_document(collection, HERONS, title="Herons")
    answer = answers.wait(answers.ask(user=bob, question="Who founded the observatory at Lake Ormund?"))
    history = (Turn(answer.question, answer.text),)
    assert not is_answered("What is the salary of the mayor of Velmora?", history, answer)
    assert is_answered("How many breeding pairs did the colony count in 1987?", history, answer)


def test_no_subject_is_a_word_that_only_begins_a_sentence_or_a_bare_number() -> None:
    text = (
        "Every visitor signs the book. New members meet Ottilie Brandhuber. Varroa is treated in winter. "
        "Gertrud is fed twice. They call the starter Gertrud, as Section 4 says."
    )
    chunk = Chunk(text=text, heading=["Bees", "Section 4"])
    assert list(named_in(chunk)) == ["Ottilie Brandhuber", "Gertrud", "Gertrud"]
    beside = Chunk(pk=2, text="", heading=["Bees", "Section 5"]), Chunk(pk=3, text="", heading=["2. Hives"])
    assert [subject for _, subject in subjects([(1, each) for each in beside], own_too=False)] == [
        "",
        "Hives",
    ]


@pytest.mark.django_db
def test_only_the_last_answer_asks_for_follow_ups(bob: User) -> None:
    conversation = talk(bob, "Pumps", "Which pump?", "Which valve?")
    first, last = conversation.answers.all()
    page = client_of(bob).get(f"/ask/{first.pk}/").content.decode()
    assert f"/ask/{last.pk}/follow-ups/" in page
    assert f"/ask/{first.pk}/follow-ups/" not in page
    part = client_of(bob).get(f"/ask/{first.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "follow-ups" not in part


# --- Copies -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_copied_with_numbered_sources(
    alice: User, bob: User, collection: Collection, make_document: MakeDocument
) -> None:
    document = make_document(collection, HERONS, title="Herons")
    answer = answers.wait(answers.ask(user=bob, question="Who founded the observatory at Lake Ormund?"))
    response = client_of(bob).get(f"/ask/{answer.pk}/text/")
    assert response["Content-Type"].startswith("text/markdown")
    text = response.content.decode()
    assert text.startswith("## Who founded the observatory at Lake Ormund?\n\nAnders Lindqvist founded")
    assert "in 1923. [1]\n\nSources:" in text
    assert f"- [1] [Herons, page 1](<http://testserver{document.get_absolute_url()}?page=1" in text
    assert client_of(alice).get(f"/ask/{answer.pk}/text/").status_code == 404
    document_delete(document=document, user=None)
    assert "Lindqvist" not in client_of(bob).get(f"/ask/{answer.pk}/text/").content.decode()


# --- Long conversations, and many ------------------------------------------------------------------


@pytest.mark.django_db
def test_a_long_conversation_is_shown_from_its_end(bob: User) -> None:
    conversation = talk(bob, "Long", *(f"Question {n}?" for n in range(20)))
    rows = list(conversation.answers.all())
    client = client_of(bob)

    def shown(address: str) -> list[int]:
        page = client.get(address).content.decode()
        return [n for n, row in enumerate(rows) if f'id="answer-{row.pk}"' in page]

    assert shown(f"/ask/{rows[-1].pk}/") == list(range(12, 20))
    assert "Show 12 earlier questions" in client.get(f"/ask/{rows[-1].pk}/").content.decode()
    assert shown(f"/ask/{rows[5].pk}/") == list(range(4, 20))
    assert shown(f"/ask/{rows[-1].pk}/?whole=1") == list(range(20))


@pytest.mark.django_db
def test_conversations_are_found_by_title_and_by_question(bob: User, alice: User) -> None:
    talk(bob, "Boilers", "Who built the boiler?")
    talk(bob, "Harbour", "When does the lease end?", "And what is the rent?")
    talk(alice, "Hers about boilers", "Who built the boiler?")
    client = client_of(bob)

    def listed(**given: Any) -> list[str]:
        page = client.get("/conversations/", given).content.decode()
        return [title for title in ("Boilers", "Harbour", "Hers about") if f">{title}" in page]

    assert listed() == ["Boilers", "Harbour"]
    assert "2 questions" in client.get("/conversations/").content.decode()
    assert listed(find="boil") == ["Boilers"]
    assert listed(find="RENT") == ["Harbour"]
    assert listed(find="%") == []
    assert (
        "No conversation holds this" in client.get("/conversations/", {"find": "\x00 xyz"}).content.decode()
    )
    part = client.get("/conversations/", {"find": "lease"}, headers={"HX-Request": "true"}).content.decode()
    assert part.strip().startswith('<div id="conversations"')
    beside = client.get("/conversations/links/", {"find": "lease"}).content.decode()
    assert "Harbour" in beside
    assert "Boilers" not in beside
    assert Client().get("/conversations/")["Location"].startswith("/login/")


@pytest.mark.django_db
def test_the_list_of_conversations_costs_few_queries(bob: User, django_assert_max_num_queries: Any) -> None:
    client = client_of(bob)
    assert "No conversations yet" in client.get("/conversations/").content.decode()
    for number in range(30):
        talk(bob, f"Talk {number} " + "with a long title " * 10, "Which?", "Where?")
    with django_assert_max_num_queries(7):
        page = client.get("/conversations/").content.decode()
    assert page.count('data-testid="conversation"') == 25
    assert 'rel="next" href="/conversations/?page=2"' in page


@pytest.mark.django_db
def test_a_conversation_is_renamed_and_deleted_in_the_list(bob: User, charlie: User) -> None:
    conversation = talk(bob, "Boilers", "Who built the boiler?")
    client = client_of(bob)
    rename = reverse("conversation-rename", args=[conversation.pk])
    page = client.post(rename, {"title": "Heating", "next": "list"}, follow=True).content.decode()
    assert ">Heating</span>" in page
    delete = reverse("conversation-delete", args=[conversation.pk])
    assert client_of(charlie).post(delete).status_code == 404
    page = client.post(delete, {"next": "list"}, follow=True).content.decode()
    assert "“Heating” was deleted." in page
    assert 'data-testid="no-conversations"' in page


# --- Without JavaScript -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_long_answer_is_waited_for_on_its_page(
    bob: User, collection: Collection, make_document: MakeDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_document(collection, HERONS, title="Herons")
    monkeypatch.setattr("search.views.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr("search.runner.Runner.start", lambda *_: None)
    client = client_of(bob)
    response = client.post("/ask/", {"question": "Who founded the observatory?"}, follow=True)
    page = response.content.decode()
    assert response.redirect_chain[0][0] == f"/ask/{Answer.objects.get().pk}/"
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page
    assert 'data-testid="refreshing"' in page
    assert 'data-testid="stop"' in page
