"""Pages around an answer: receipt, replay, versions, feedback, scope, title, export. Bob asks; alice and
charlie must see nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from documents.models import Collection, Document
from documents.services import document_delete
from search import answers
from search.models import Answer, Feedback
from tests.search.examples import HERONS, TRAMS

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "Who founded the observatory at Lake Ormund?"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, HERONS, title="Herons")


@pytest.fixture
def answer(herons: Document, bob: User) -> Answer:
    return answers.wait(answers.ask(user=bob, question=QUESTION, documents=[herons.pk]))


def page_of(client: Client, address: str, **given: Any) -> str:
    response = client.get(address, **given)
    assert response.status_code == 200
    page = response.content.decode()
    assert "<style" not in page
    assert not re.search(r"<[^>]+\s(style|on\w+)=", page)  # the content security policy allows none
    return page


def test_every_page_is_the_askers_alone(answer: Answer, alice: User, charlie: User) -> None:
    thread = answer.conversation_id
    for user in (alice, charlie):
        client = client_of(user)
        for address in (f"/ask/{answer.pk}/receipt/", f"/conversations/{thread}/export.md"):
            assert client.get(address).status_code == 404
        for address in (
            f"/ask/{answer.pk}/replay/",
            f"/ask/{answer.pk}/regenerate/",
            f"/conversations/{thread}/rename/",
        ):
            assert client.post(address, {"title": "mine"}).status_code == 404
    assert Answer.objects.count() == 1
    assert Client().get(f"/ask/{answer.pk}/receipt/")["Location"].startswith("/login/")


def test_the_receipt_tells_how_the_answer_came_about(answer: Answer, herons: Document, bob: User) -> None:
    client = client_of(bob)
    assert f"/ask/{answer.pk}/receipt/" in page_of(client, f"/ask/{answer.pk}/")
    page = page_of(client, f"/ask/{answer.pk}/receipt/")
    assert QUESTION in page
    assert f"{herons.get_absolute_url()}?page=1&amp;chunk={herons.chunks.get().pk}" in page
    assert "by meaning: 1st" in page
    assert "source 1" in page
    assert answer.receipt["fingerprint"] in page
    assert "Embedding model" in page
    assert 'data-testid="receipt-changed"' not in page
    herons.chunks.update(content_hash="f" * 64)
    assert 'data-testid="receipt-changed"' in page_of(client, f"/ask/{answer.pk}/receipt/")
    document_delete(document=herons, user=None)
    page = page_of(client, f"/ask/{answer.pk}/receipt/")
    assert 'data-testid="receipt-withheld"' in page
    assert "Herons" not in page


def test_the_prompt_is_shown_as_text(answer: Answer, bob: User) -> None:
    receipt = {
        **answer.receipt,
        "prompt": [{"role": "user", "content": "<b>fence</b>"}],
        "tokens": {"prompt": 12, "completion": 3},
    }
    Answer.objects.update(receipt=receipt)
    page = page_of(client_of(bob), f"/ask/{answer.pk}/receipt/")
    assert "&lt;b&gt;fence" in page
    assert 'data-testid="tokens"' in page


def test_a_replay_is_a_page(
    answer: Answer, collection: Collection, make_document: Callable[..., Document], bob: User
) -> None:
    client = client_of(bob)
    page = client.post(f"/ask/{answer.pk}/replay/").content.decode()
    assert 'data-testid="nothing-changed"' in page
    Answer.objects.update(
        sentences=[{"text": "It was Ida Berg.", "citations": [], "supported": True}], text="It was Ida Berg."
    )
    make_document(collection, TRAMS)
    page = client.post(f"/ask/{answer.pk}/replay/").content.decode()
    assert "<del>" in page
    assert "<ins>" in page
    assert 'data-testid="changed-setting"' in page


def test_versions_are_shown_and_the_newest_stands_in_place(answer: Answer, bob: User) -> None:
    client = client_of(bob)
    assert 'data-testid="versions"' not in page_of(client, f"/ask/{answer.pk}/")
    follow_up = answers.wait(answers.ask(user=bob, question="And when?", conversation=answer.conversation_id))
    moved = client.post(f"/ask/{answer.pk}/regenerate/")
    newer = Answer.objects.get(replaces=answer)
    assert moved["Location"] == f"/ask/{newer.pk}/"
    answers.wait(newer)
    page = page_of(client, f"/ask/{follow_up.pk}/")
    assert page.index(f'id="answer-{newer.pk}"') < page.index(f'id="answer-{follow_up.pk}"')
    assert f'id="answer-{answer.pk}"' not in page
    assert f'href="/ask/{answer.pk}/">1' in page
    earlier = page_of(client, f"/ask/{answer.pk}/")
    assert "An earlier version." in earlier
    assert f'id="answer-{newer.pk}"' not in earlier
    part = page_of(client, f"/ask/{newer.pk}/", headers={"HX-Request": "true"})
    assert part.strip().startswith("<article")
    assert 'data-testid="versions"' in part


def test_what_was_wrong_is_told_with_a_form(answer: Answer, bob: User) -> None:
    client = client_of(bob)
    assert 'name="category" value="should_refuse"' in page_of(client, f"/ask/{answer.pk}/")
    client.post(
        f"/ask/{answer.pk}/feedback/", {"rating": "-1", "category": "incomplete", "reason": "No year."}
    )
    given = Feedback.objects.get()
    assert (given.rating, given.category, given.reason) == (-1, "incomplete", "No year.")
    page = page_of(client, f"/ask/{answer.pk}/")
    assert 'value="incomplete" checked' in page
    assert ">No year.</textarea>" in page
    client.post(f"/ask/{answer.pk}/feedback/", {"rating": "1"})
    given.refresh_from_db()
    assert (given.rating, given.category) == (1, "")


def test_the_scope_of_the_last_question_stays(answer: Answer, herons: Document, bob: User) -> None:
    page = page_of(client_of(bob), f"/ask/{answer.pk}/")
    assert f'name="documents" value="{herons.pk}" checked' in page


def test_a_document_is_asked_by_a_link(herons: Document, bob: User, charlie: User) -> None:
    address = f"/ask/?document={herons.pk}"
    document = page_of(client_of(bob), herons.get_absolute_url())
    assert f'name="go" value="1"><input type="hidden" name="document" value="{herons.pk}"' in document
    assert f'name="documents" value="{herons.pk}" checked' in page_of(client_of(bob), address)
    assert client_of(charlie).get(address).status_code == 404
    assert client_of(bob).get("/ask/?document=nonsense").status_code == 404


def test_documents_are_looked_for_by_title(
    answer: Answer, herons: Document, bob: User, charlie: User
) -> None:
    def found(user: User, text: str) -> bool:
        return str(herons.pk) in page_of(client_of(user), f"/ask/documents/?find={text}")

    assert found(bob, "hero")
    assert not found(bob, "")
    assert not found(bob, "%00")
    assert not found(charlie, "hero")


def test_scope_works_without_javascript(answer: Answer, herons: Document, bob: User, charlie: User) -> None:
    client = client_of(bob)
    filled = {"question": QUESTION, "conversation": str(answer.conversation_id), "find": "hero", "look": "1"}
    page = client.post("/ask/", filled).content.decode()
    assert f'name="documents" value="{herons.pk}">' in page
    assert QUESTION in page
    assert f'name="conversation" value="{answer.conversation_id}"' in page
    assert Answer.objects.count() == 1
    kept = client.post("/ask/", {**filled, "documents": [str(herons.pk)]}).content.decode()
    assert f'name="documents" value="{herons.pk}" checked' in kept
    assert f'name="documents" value="{herons.pk}">' not in kept
    client.post("/ask/", {"question": QUESTION, "documents": [str(herons.pk)]})
    assert Answer.objects.order_by("-created_at")[0].scope["documents"] == [str(herons.pk)]
    refused = client_of(charlie).post("/ask/", {"question": QUESTION, "documents": [str(herons.pk)]})
    assert refused.status_code == 400


def test_a_conversation_is_renamed_and_exported_in_place(answer: Answer, bob: User) -> None:
    client, thread = client_of(bob), answer.conversation_id
    page = client.post(f"/conversations/{thread}/rename/", {"title": "Birds"}, follow=True).content.decode()
    assert ">Birds</h1>" in page
    page = client.post(f"/conversations/{thread}/rename/", {"title": " "}, follow=True).content.decode()
    assert "needs a title" in page
    assert ">Birds</h1>" in page
    assert f"/conversations/{thread}/export.md" in page
    file = client.get(f"/conversations/{thread}/export.md")
    assert file["Content-Disposition"] == 'attachment; filename="birds.md"'
    assert "Lindqvist founded the observatory in 1923. [1]" in file.content.decode()
    assert client.get(f"/conversations/{thread}/export.json").json()["title"] == "Birds"
    assert client.get(f"/conversations/{thread}/export.pdf").status_code == 404
