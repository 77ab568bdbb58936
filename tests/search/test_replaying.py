"""Answers asked again: what is told of documents, ranks, settings, words and refusal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from documents.models import Collection, Document
from documents.services import document_delete
from search import answers, pipeline, replaying
from search.models import Answer
from search.representation import replay_json
from search.types import Refusal
from tests.search.examples import BREAD, HERONS

QUESTION = "Who founded the observatory at Lake Ormund?"
NEWER = "The observatory at Lake Ormund: Ida Berg founded the observatory at Lake Ormund."


def row(document: Any, digest: str, rank: int, **given: Any) -> dict[str, Any]:
    named = {"id": str(document), "title": "T"}
    return {
        "document": named, "content_hash": digest, "rank": rank, "page": 1, "chunk": 1, "start": 0, "end": 9,
        **given,
    }  # fmt: skip


def test_ranks_are_matched_by_what_a_passage_says() -> None:
    one, two = uuid4(), uuid4()
    before = [row(one, "a", 1), row(one, "a", 2, page=7), row(two, "b", 3), {"document": None, "rank": 4}]
    now = [row(two, "b", 1), row(one, "a", 2, chunk=99), row(two, "c", 3)]
    found = [(each.content_hash, each.before, each.now) for each in replaying.moves(before, now)]
    assert found == [("b", 3, 1), ("a", 1, 2), ("c", None, 3), ("a", 2, None)]


def test_documents_are_added_lost_changed_or_withdrawn() -> None:
    one, two, three, gone = (uuid4() for _ in range(4))
    kept = [{"document": str(pk)} for pk in (one, two, gone, gone)]
    withdrawn = {"document": None, "withdrawn": True}
    before = [row(one, "a", 1, changed=True), row(two, "b", 2), withdrawn, withdrawn]
    found = replaying.changed_documents(kept, before, [row(one, "c", 1), row(three, "d", 2)])
    assert {(each.document, each.change) for each in found} == {
        (one, "changed"),
        (two, "lost"),
        (three, "added"),
        (None, "withdrawn"),
    }
    assert len(found) == 4


def test_words_are_compared_one_by_one() -> None:
    found = replaying.changed_words("It was built in 1904.", "It was built in 1911 by Marlow.")
    assert [(words.change, words.text) for words in found] == [
        ("same", "It was built in"),
        ("removed", "1904."),
        ("added", "1911 by Marlow."),
    ]
    assert replaying.changed_words("", "") == ()


def test_settings_are_compared_flat_and_without_keys_of_passages() -> None:
    old = replaying.settings_of({"sources": [1], "fusion": {"keyword": 0.2}, "mode": "hybrid"}, {})
    new = replaying.settings_of(
        {"sources": [2], "fusion": {"keyword": 0.3}, "mode": "hybrid"}, {"versions": {"corpus": {"a": 2}}}
    )
    found = [(each.name, each.before, each.now) for each in replaying.changed_settings(old, new)]
    assert found == [("fusion.keyword", 0.2, 0.3), ("corpus.a", None, 2)]


# --- As a whole


@pytest.fixture
def answer(collection: Collection, make_document: Callable[..., Document], alice: User) -> Answer:
    make_document(collection, HERONS, title="Herons")
    make_document(collection, BREAD, title="Bread")
    return answers.wait(answers.ask(user=alice, question=QUESTION))


@pytest.mark.django_db(transaction=True)
def test_a_replay_tells_what_changed(
    answer: Answer,
    collection: Collection,
    make_document: Callable[..., Document],
    alice: User,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    newer = make_document(collection, NEWER, title="News")
    settings.VERSION = "9.9"
    told = replay_json(replaying.replay(answer=answer, user=alice), alice)
    difference = told["difference"]
    assert difference["documents"] == [
        {"document": {"id": str(newer.pk), "title": "News"}, "change": "added"}
    ]
    ranks = {each["document"]["title"]: (each["before"], each["now"]) for each in difference["passages"]}
    assert ranks["News"][0] is None
    assert ranks["Herons"][0] == 1
    changed = {each["name"]: each for each in difference["settings"]}
    assert (changed["portal"]["before"], changed["portal"]["now"]) == ("0.1.0", "9.9")
    assert changed["corpus.research"]["now"] > changed["corpus.research"]["before"]
    assert difference["refusal"] == {"before": None, "now": None}
    assert difference["wording_changed"] == any(each["change"] != "same" for each in difference["wording"])
    document_delete(document=Document.objects.get(title="Herons"), user=None)
    answer.refresh_from_db()
    gone = replay_json(replaying.replay(answer=answer, user=alice), alice)["difference"]
    assert {"document": None, "change": "withdrawn"} in gone["documents"]
    assert "Herons" not in json.dumps(gone)
    refused = pipeline.Outcome((), (), {}, {}, refusal=Refusal("missing", "No passage mentions it."))
    monkeypatch.setattr(pipeline, "answer", lambda **given: refused)
    last = replaying.replay(answer=answer, user=alice)
    assert (last.refusal, last.abstained_changed) == ((None, "missing"), True)
    assert Answer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_command_says_it_in_lines_or_as_json(
    answer: Answer, collection: Collection, make_document: Callable[..., Document]
) -> None:
    def said(*arguments: str) -> str:
        call_command("replay", *arguments, stdout=(out := io.StringIO()))
        return out.getvalue()

    assert "Wording:  the same" in said(str(answer.pk))
    assert "passage" not in said(str(answer.pk))
    make_document(collection, NEWER, title="News")
    assert "document  added      News" in said(str(answer.pk))
    assert json.loads(said(str(answer.pk), "--json"))["difference"]["compared"] is True
    Answer.objects.update(receipt={})
    assert "before receipts were" in said(str(answer.pk))
    with pytest.raises(CommandError):
        said(str(uuid4()))
