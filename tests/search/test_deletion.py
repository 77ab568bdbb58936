"""A deleted document leaves no byte of its text anywhere that the portal keeps anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.cache import cache

from documents.integrity import check_integrity
from documents.integrity.traces import traces_of
from documents.models import Collection, Document
from documents.services import document_delete
from search import answers
from search.models import Answer, Citation

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "zanzibarite"
TEXT = f"# The ore\n\nThe mine near Kolda yields {SECRET} of the purest kind.\n\nIt was opened in 1911."


@pytest.fixture
def asked(collection: Collection, make_document: Callable[..., Document], alice: User) -> Document:
    """A document with a telling title, found, asked about, and listed in the admin's history."""
    document = make_document(collection, TEXT.replace("The ore", f"Of {SECRET}"), filename=f"{SECRET}.md")
    answers.wait(answers.ask(user=alice, question="What does the mine near Kolda yield?"))
    assert SECRET in Answer.objects.get().text
    LogEntry.objects.log_actions(alice.pk, [document], CHANGE, change_message=f"Changed title {SECRET}")
    return document


def broken() -> list[str]:
    return [finding.invariant for finding in check_integrity() if finding.breaches]


def test_no_byte_of_a_deleted_document_is_left(asked: Document, alice: User) -> None:
    places = " ".join(traces_of(SECRET))
    assert all(table in places for table in ("documents_chunk", "documents_page", "search_answer", "file "))
    document_delete(document=asked, user=alice)
    assert traces_of(SECRET) == []
    assert broken() == []
    answer = Answer.objects.get()
    assert answer.sentences[0]["withdrawn"]
    assert Citation.objects.get().withdrawn


@pytest.mark.parametrize(
    ("restore", "invariant"),
    [
        (lambda: Citation.objects.update(quote=SECRET), "answers that quote a deleted document"),
        (
            lambda: Answer.objects.update(sentences=[{"text": SECRET, "citations": [1], "supported": True}]),
            "answers with sentences of deleted documents alone",
        ),
        (
            lambda: Answer.objects.get().events.create(seq=9, type="token", payload={"text": SECRET}),
            "answers whose log holds text of a deleted document",
        ),
        (lambda: LogEntry.objects.update(object_repr=SECRET), "deleted documents of which something is left"),
    ],
)
def test_what_a_deletion_missed_is_found_and_wiped(
    restore: Callable[[], Any], invariant: str, asked: Document, alice: User
) -> None:
    from documents.integrity import repair

    document_delete(document=asked, user=alice)
    restore()
    assert broken() == [invariant]
    repair()
    assert broken() == []
    assert traces_of(SECRET) == []


def test_a_text_is_seen_over_line_breaks_and_in_capitals(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    document = make_document(collection, "The mine near\nKolda yields\n  much ore.")
    places = traces_of("MINE near Kolda yields much")
    assert [place.split(":")[0] for place in places] == ["table documents_chunk", "table documents_page"]
    assert f"document {document.pk}" in places[0]


def test_a_cached_text_is_seen(db: Any) -> None:
    cache.set("some-answer", f"It yields {SECRET}.")
    assert any("some-answer" in place for place in traces_of(SECRET))
    cache.delete("some-answer")
    assert traces_of(SECRET) == []
