"""Sentences that nothing carries: marked, or dropped by setting, so that no word of them reaches a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from documents.models import Collection, Document
from search import answers, pipeline
from search.generation.fake import FakeGenerator
from search.representation import answer_json
from search.types import DraftSentence, GenerationRequest, Outcome, Piece, Sentence, Token
from tests.search.examples import HERONS

TRUE, FALSE = "Anders Lindqvist founded the observatory in 1923.", "Mara Holt sold it in 1999."
QUESTION = "Who founded the observatory at Lake Ormund?"


class Says(FakeGenerator):
    """These sentences, word for word, each with a mark for the first source."""

    def __init__(self, *sentences: str) -> None:
        super().__init__()
        self.sentences = sentences

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        for sentence in self.sentences:
            yield from (Token(f"{word} ") for word in sentence.split())
            yield DraftSentence(sentence, cited=(1,))


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, HERONS, title="Herons")


def steps(user: User, monkeypatch: pytest.MonkeyPatch, *sentences: str) -> list[Any]:
    monkeypatch.setattr(pipeline, "get_generator", lambda: Says(*sentences))
    return list(pipeline.answer_pieces(question=QUESTION, user=user))


def words(found: list[Any]) -> str:
    return "".join(step.text for step in found if isinstance(step, Token)).strip()


@pytest.mark.django_db
def test_they_are_marked_by_default(herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    found = steps(alice, monkeypatch, TRUE, FALSE)
    outcome = found[-1]
    assert words(found) == outcome.text == f"{TRUE} {FALSE}"
    assert [sentence.supported for sentence in outcome.sentences] == [True, False]
    assert outcome.sentences[1].citations == ()
    assert outcome.sentences[1].doubts


@pytest.mark.django_db
@pytest.mark.parametrize("said", [(TRUE, FALSE), (FALSE, TRUE)])
def test_dropped_ones_reach_nobody(
    said: tuple[str, ...], herons: Document, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UNSUPPORTED_SENTENCES = "drop"
    found = steps(alice, monkeypatch, *said)
    assert words(found) == found[-1].text == TRUE
    assert [step.text for step in found if isinstance(step, Sentence)] == [TRUE]
    assert "Holt" not in str([step for step in found if not isinstance(step, Outcome)])
    assert found[-1].refusal is None
    assert "first_token" in found[-1].timings


@pytest.mark.django_db
def test_where_all_are_dropped_the_answer_is_refused(
    herons: Document, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UNSUPPORTED_SENTENCES = "drop"
    found = steps(alice, monkeypatch, FALSE, "The moon is made of cheese.")
    outcome = found[-1]
    assert (outcome.abstained, words(found), outcome.evidence) == (True, "", ())
    assert outcome.refusal.code == "unsupported"
    assert [hit.document_title for hit in outcome.refusal.closest] == ["Herons"]


@pytest.mark.django_db
def test_a_model_that_says_nothing_has_not_been_doubted(
    herons: Document, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UNSUPPORTED_SENTENCES = "drop"
    assert steps(alice, monkeypatch)[-1].refusal.code == "unsure"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("setting", ["mark", "drop"])
def test_the_api_tells_support_and_doubts(
    setting: str, herons: Document, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UNSUPPORTED_SENTENCES = setting
    monkeypatch.setattr(pipeline, "get_generator", lambda: Says(TRUE, "Anders Lindqvist founded it in 1999."))
    answer = answers.wait(answers.ask(user=alice, question=QUESTION))
    shown = answer_json(answer, alice)["sentences"]
    assert [each["supported"] for each in shown] == ([True, False] if setting == "mark" else [True])
    assert shown[0]["doubts"] == []
    if setting == "mark":
        assert shown[1]["doubts"] == [{"kind": "number", "text": "1999"}]
    else:
        assert "1999" not in str(list(answer.events.values()))
