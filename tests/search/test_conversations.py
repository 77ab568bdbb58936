"""Versions of an answer and the history that follow-ups rest on; regenerating, exporting, rating by kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from documents.models import Collection, Document
from documents.services import membership_remove
from search import answers, conversations
from search.exceptions import BadRequest, NotFound
from search.export import as_markdown, escaped
from search.models import Answer, Conversation
from tests.search.examples import HERONS

Api = Callable[[User | None], APIClient]
QUESTION = "Who founded the observatory at Lake Ormund?"
HOSTILE = "# Not a heading *bold* [link](http://evil.test) <img src=x> `code` www.evil.test 1_000"


@pytest.fixture
def thread(alice: User) -> Conversation:
    return Conversation.objects.create(owner=alice, title="Birds")


@pytest.fixture
def stored(thread: Conversation, alice: User) -> Callable[..., Answer]:
    """An answer as it is kept, each a minute after the one before."""
    minutes = iter(range(1, 60))

    def make(question: str, text: str = "", *, state: str = "done", **given: Any) -> Answer:
        sentences = [{"text": text, "citations": [], "supported": True}] if text else []
        return Answer.objects.create(
            conversation=thread, asked_by=alice, question=question, sentences=sentences, state=state,
            finished_at=None if state == "running" else timezone.now(),
            created_at=timezone.now() + timedelta(minutes=next(minutes)), **given,
        )  # fmt: skip

    return make


def told(thread: Conversation, user: User, **given: Any) -> list[str]:
    return [turn.answer for turn in conversations.turns(thread, user, **given)]


def test_history_leaves_replaced_answers_out(
    thread: Conversation, stored: Callable[..., Answer], alice: User
) -> None:
    first = stored("One?", "one, at first")
    second = stored("Two?", "two")
    again = stored("One?", "one, again", replaces=first)
    third = stored("Three?", "three")
    assert told(thread, alice) == ["one, again", "two", "three"]
    assert told(thread, alice, before=second) == ["one, at first"]  # as it was told then
    assert told(thread, alice, before=again) == []
    assert told(thread, alice, before=third) == ["one, again", "two"]
    failed = stored("Three?", state="failed", replaces=third, error={"detail": "gone"})
    assert told(thread, alice) == ["one, again", "two", "three"]
    stored("Three?", state="running", replaces=failed)
    assert told(thread, alice) == ["one, again", "two", "three"]


def test_versions_are_told_from_any_of_them(stored: Callable[..., Answer]) -> None:
    first = stored("One?", "a")
    stored("Two?", "b")
    second = stored("One?", "c", replaces=first)
    third = stored("One?", "d", replaces=second)
    for each in (first, second, third):
        assert conversations.versions_of(each) == [first, second, third]


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_regenerated_in_its_place(
    collection: Collection, make_document: Callable[..., Document], bob: User, charlie: User, api: Api
) -> None:
    herons = make_document(collection, HERONS, title="Herons")
    first = answers.wait(answers.ask(user=bob, question=QUESTION, documents=[herons.pk]))
    address = f"/api/v1/answers/{first.pk}/regenerate/"
    assert api(charlie).post(address).status_code == 404
    shown = api(bob).post(address)
    assert shown.status_code == 200
    assert shown.json()["replaces"] == str(first.pk)
    assert shown.json()["conversation"] == str(first.conversation_id)
    assert shown.json()["scope"] == {"collections": [], "documents": [str(herons.pk)]}
    assert shown.json()["answer"] == first.text
    # Asked for at an earlier version, it replaces the newest: versions are a line.
    third = answers.wait(answers.regenerate(answer=first, user=bob))
    assert str(third.replaces_id) == shown.json()["id"]
    (turn,) = conversations.turns(first.conversation, bob)
    assert turn.answer == first.text
    Answer.objects.filter(pk=third.pk).update(state="running", finished_at=None)
    with pytest.raises(BadRequest):
        answers.regenerate(answer=first, user=bob)
    Answer.objects.filter(pk=third.pk).update(state="done", finished_at=timezone.now())
    membership_remove(collection=collection, user=bob)
    with pytest.raises(NotFound):
        answers.regenerate(answer=first, user=bob)
    assert Answer.objects.count() == 3


# --- Export


def test_text_stays_text_in_markdown() -> None:
    assert escaped("*a* _b_ [c](d) <e> `f` \\g") == r"\*a\* \_b\_ \[c\](d) \<e\> \`f\` \\g"
    assert escaped("http://x.test www.x.test") == r"http\://x.test www\.x.test"
    assert [escaped(text) for text in ("# a", "- a", "+ a", "1. a", "12) a", "= a")] == [
        r"\# a", r"\- a", r"\+ a", r"1\. a", r"12\) a", r"\= a",
    ]  # fmt: skip
    assert escaped("What is C #") == r"What is C \#"
    assert escaped("two\n\nparagraphs") == "two paragraphs"
    assert escaped("It cost 3.50 (net) in 1987.") == "It cost 3.50 (net) in 1987."


def test_a_conversation_is_exported(
    thread: Conversation,
    stored: Callable[..., Answer],
    collection: Collection,
    make_document: Callable[..., Document],
    alice: User,
    bob: User,
    api: Api,
) -> None:
    document = make_document(collection, HERONS, title="Herons [and] more")
    chunk = document.chunks.get()
    old = stored("Who?", "An older version.")
    answer = stored("Who *was* it?", replaces=old)
    answer.sentences = [
        {"text": HOSTILE, "citations": [1], "supported": True},
        {"text": "Nobody says so.", "citations": [], "supported": False},
    ]
    answer.save()
    answer.citations.create(
        n=1, document=document, chunk_id=chunk.pk, content_hash=chunk.content_hash, page=1, quote=HOSTILE,
        start=0, end=9,
    )  # fmt: skip
    stored("And the moon?", abstained=True)
    address = f"/api/v1/conversations/{thread.pk}/export/"
    assert api(bob).get(address, {"format": "md"}).status_code == 404
    assert api(alice).get(address, {"format": "pdf"}).status_code == 400
    file = api(alice).get(address, {"format": "md"})
    assert file["Content-Type"] == "text/markdown; charset=utf-8"
    assert file["Content-Disposition"] == 'attachment; filename="birds.md"'
    text = file.content.decode()
    assert text.startswith("# Birds\n\n## Who \\*was\\* it?\n")
    assert "older version" not in text
    assert "1\\_000 [1] Nobody says so. *(not backed by a passage)*" in text
    assert r"- [1] [Herons \[and\] more, page 1](<http://testserver/documents/" in text
    assert "](http://evil" not in text
    assert "<img" not in text.replace("\\<", "")
    assert "*Not in these documents*" in text
    whole = api(alice).get(address, {"format": "json"}).json()
    assert [each["replaces"] for each in whole["answers"]] == [None, str(old.pk), None]
    assert whole["answers"][1]["citations"][0]["url"].startswith("http://testserver/documents/")


def test_an_export_holds_what_its_reader_may_see(
    thread: Conversation,
    stored: Callable[..., Answer],
    collection: Collection,
    make_document: Callable[..., Document],
    charlie: User,
) -> None:
    document = make_document(collection, HERONS)
    answer = stored("Who?")
    Answer.objects.update(
        asked_by=charlie, sentences=[{"text": "Lindqvist.", "citations": [1], "supported": True}]
    )
    answer.citations.create(
        n=1, document=document, chunk_id=1, content_hash="", page=1, quote="Lindqvist", start=0, end=9
    )
    text = as_markdown(thread, charlie, lambda path: path)
    assert "Lindqvist" not in text
    assert "Withdrawn with its source" in text


# --- Feedback


def test_a_rating_may_say_what_was_wrong(
    thread: Conversation, stored: Callable[..., Answer], alice: User, api: Api
) -> None:
    address = f"/api/v1/answers/{stored('Who?').pk}/feedback/"
    client = api(alice)
    assert client.post(address, {"rating": -1, "reason": "no"}).json() == {"rating": -1, "reason": "no"}
    said = client.post(address, {"rating": -1, "category": "wrong_source"})
    assert said.json() == {"rating": -1, "reason": "", "category": "wrong_source"}
    assert client.post(address, {"rating": 1, "category": "wrong"}).status_code == 400
    assert client.post(address, {"rating": -1, "category": "ugly"}).status_code == 400
    assert client.post(address, {"rating": 1}).json() == {"rating": 1, "reason": ""}
