"""Search and answers as a whole, on documents that were indexed for real."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from documents import lexical
from documents.exceptions import EmbeddingUnavailable
from documents.models import Collection, Document, Embedding
from search import pipeline, retrieval
from search.generation import assessing
from search.generation.fake import FakeGenerator
from search.types import Filters, Hit, Mode, SearchRequest, Sentence, Sources, Token, Turn
from tests.indexed import indexed_document
from tests.people import research
from tests.search.examples import BREAD, HERONS, TRAMS

pytestmark = pytest.mark.django_db
MODES: tuple[Mode, ...] = ("hybrid", "vector", "keyword")


@pytest.fixture(scope="module")
def _indexed(module_rows: None) -> None:
    for title, text in {"Herons": HERONS, "Trams": TRAMS, "Bread": BREAD}.items():
        indexed_document(research(), text, title=title)


@pytest.fixture
def library(_indexed: None, db: None) -> dict[str, Document]:
    return {document.title: document for document in Document.objects.all()}


def searched(user: User, query: str, **given: Any) -> tuple[Hit, ...]:
    return pipeline.search(request=SearchRequest(query, **given), user=user).hits


# --- Search


@pytest.mark.parametrize("mode", MODES)
def test_the_right_passage_is_found_in_every_mode(
    library: dict[str, Document], alice: User, bob: User, mode: Mode
) -> None:
    for user in (alice, bob):
        hit = searched(user, "How many breeding pairs of herons?", mode=mode)[0]
        assert (hit.rank, hit.document_title) == (1, "Herons")
        assert "pairs" in {hit.text[a:b] for a, b in hit.highlights}


@pytest.mark.parametrize("mode", MODES)
def test_strangers_find_nothing(library: dict[str, Document], charlie: User, mode: Mode) -> None:
    assert searched(charlie, "breeding pairs of herons", mode=mode) == ()
    narrowed = Filters(collections=("research",), documents=(library["Herons"].pk,))
    assert searched(charlie, "breeding pairs of herons", mode=mode, filters=narrowed) == ()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(collections=("research",)), {"Herons", "Trams", "Bread"}),
        (Filters(collections=("elsewhere",)), set()),
        (Filters(kinds=("text",)), {"Herons", "Trams", "Bread"}),
        (Filters(kinds=("pdf",)), set()),
        (Filters(tags=("birds",)), {"Herons"}),
        (Filters(documents=(uuid4(),)), set()),
    ],
)
def test_filters_narrow(
    library: dict[str, Document], alice: User, filters: Filters, expected: set[str]
) -> None:
    Document.objects.filter(pk=library["Herons"].pk).update(tags=["birds"])
    assert {hit.document_title for hit in searched(alice, "water", filters=filters)} == expected


def test_one_search_asks_few_questions_of_the_database(library: dict[str, Document], alice: User) -> None:
    searched(alice, "tram network")
    with CaptureQueriesContext(
        connection,
    ) as seen:
        searched(alice, "tram network", filters=Filters(documents=(library["Trams"].pk,)))
    asked = [q["sql"] for q in seen if "SAVEPOINT" not in q["sql"]]
    # What it is kept under; what may be found; words and documents meant, the vectors and their passages,
    # each with what it needs to know of the index; what else is known of the candidates; the passages.
    assert len(asked) == 10


@pytest.mark.parametrize("query", ["", "the of", "!?", "😀", "\x00", "\ud800", "x" * 30_000, "wort " * 5000])
@pytest.mark.parametrize("mode", MODES)
def test_odd_queries_raise_nothing(library: dict[str, Document], alice: User, query: str, mode: Mode) -> None:
    searched(alice, query, mode=mode)


def test_explain_tells_every_stage(library: dict[str, Document], alice: User) -> None:
    request = SearchRequest("tram network", explain=True)
    told = pipeline.search(request=request, user=alice).explanation
    assert told
    assert set(told["legs"]) == {"vector", "keyword"}
    assert told["legs"]["vector"][0]["rank"] == told["fused"][0]["rank"] == 1
    assert {"embed", "vector", "keyword", "fusion", "hydrate"} <= set(told["timings"])


def test_explained_scores_tell_nothing_of_other_peoples_documents(
    library: dict[str, Document], alice: User, charlie: User, make_document: Callable[..., Document]
) -> None:
    """How rare a word is in the whole corpus shows in raw BM25 scores."""
    hers = Collection.objects.create(name="Hers", slug="hers", owner=charlie)
    make_document(hers, "A tram. Another tram.", title="Tram")
    make_document(hers, "A network of canals, and a tram.", title="Canals")
    request = SearchRequest("tram network", mode="keyword", explain=True)

    def told() -> Any:
        explanation = pipeline.search(request=request, user=charlie).explanation
        assert explanation
        return explanation["legs"]["keyword"]

    scores = [entry["score"] for entry in told()]
    assert (scores[0], scores[-1], len(scores)) == (1.0, 0.0, 2)
    alone = SearchRequest("tram", mode="keyword", filters=Filters(collections=("research",)), explain=True)
    explanation = pipeline.search(request=alone, user=alice).explanation
    assert explanation
    assert [entry["score"] for entry in explanation["legs"]["keyword"]] == [1.0]


def test_without_an_engine_the_keywords_serve_alone(
    library: dict[str, Document], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*args: Any) -> None:
        raise EmbeddingUnavailable

    monkeypatch.setattr(retrieval, "encode_query", unavailable)
    result = pipeline.search(request=SearchRequest("tram network", mode="vector"), user=alice)
    assert result.degraded == ("vector",)
    assert result.hits[0].document_title == "Trams"


def test_text_search_in_the_place_of_bm25_is_reported(
    library: dict[str, Document], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical, "backend_in", lambda rows: "tsvector")
    result = pipeline.search(request=SearchRequest("tram network"), user=alice)
    assert result.degraded == ("bm25",)
    assert result.hits[0].document_title == "Trams"


@pytest.mark.parametrize("query", ["-5", "temperature -5", "pump -", "--", "'; --", "a\\b", "& | !"])
def test_odd_words_are_words_to_text_search_too(
    library: dict[str, Document], alice: User, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr(lexical, "backend_in", lambda rows: "tsvector")
    assert {hit.document_title for hit in searched(alice, f"{query} tram", mode="keyword")} == {"Trams"}
    searched(alice, query)


def test_a_document_in_another_language_changes_no_quotation(
    library: dict[str, Document], alice: User, collection: Collection, make_document: Callable[..., Document]
) -> None:
    german = "Die Pumpe fördert das Wasser aus dem Brunnen in den Behälter. " * 6
    assert make_document(collection, german, title="Pumpe").language == "de"
    quotation = HERONS.split(".")[0]
    lexical.forget_languages()
    assert "the" not in lexical.terms_of("what is the revenue of the company")
    request = SearchRequest(quotation, explain=True)
    told = pipeline.search(request=request, user=alice).explanation
    assert told
    assert told["quoted"] == 1.0


def test_passages_without_vectors_of_tokens_keep_their_place(
    library: dict[str, Document], alice: User
) -> None:
    plain = [hit.chunk_id for hit in searched(alice, "tram network", rerank="off")]
    Embedding.objects.filter(chunk_id=plain[1]).update(tokens=None)
    assert searched(alice, "tram network", rerank="on")[1].chunk_id == plain[1]


def test_late_interaction_reads_passages_token_by_token(library: dict[str, Document], alice: User) -> None:
    request = SearchRequest("When did the tram network open?", rerank="on", explain=True)
    told = pipeline.search(request=request, user=alice).explanation
    assert told
    assert told["reranker"] == "late-interaction"
    assert len(told["reranked"]) == 3
    assert not told["rerank_skipped"]


def test_a_first_stage_that_is_sure_is_not_reread(library: dict[str, Document], alice: User) -> None:
    told = pipeline.search(request=SearchRequest("tram network", explain=True), user=alice).explanation
    assert told
    assert told["rerank_skipped"]
    assert told["reranked"] == []


class Backwards:
    name = "backwards"
    depth = 20

    def rerank(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
        return list(reversed(hits))


def test_a_reranker_has_the_last_word(
    library: dict[str, Document], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = searched(alice, "tram network")
    monkeypatch.setattr(pipeline, "reranker_for", lambda asked: Backwards())
    reranked = searched(alice, "tram network", rerank="on")
    assert [hit.chunk_id for hit in reranked] == [hit.chunk_id for hit in reversed(plain)]
    assert [hit.rank for hit in reranked] == [1, 2, 3]


def test_a_reranker_that_cannot_run_leaves_the_order(
    library: dict[str, Document], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Backwards):
        def rerank(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
            raise OSError("no such model")

    plain = searched(alice, "tram network")
    monkeypatch.setattr(pipeline, "reranker_for", lambda asked: Broken())
    result = pipeline.search(request=SearchRequest("tram network", rerank="on"), user=alice)
    assert result.degraded == ("rerank",)
    assert [hit.chunk_id for hit in result.hits] == [hit.chunk_id for hit in plain]


# --- Answers


def test_an_answer_quotes_its_source_verbatim(library: dict[str, Document], bob: User) -> None:
    outcome = pipeline.answer(question="Who founded the observatory at Lake Ormund?", user=bob)
    (evidence,) = outcome.evidence
    assert outcome.text == evidence.quote == "Anders Lindqvist founded the observatory in 1923."
    assert [(s.citations, s.supported) for s in outcome.sentences] == [((1,), True)]


def test_sources_come_before_words_and_words_make_the_sentence(
    library: dict[str, Document], alice: User
) -> None:
    first, *steps, outcome = pipeline.answer_pieces(question="When did the tram network open?", user=alice)
    assert isinstance(first, Sources)
    words = "".join(step.text for step in steps if isinstance(step, Token))
    sentences = " ".join(step.text for step in steps if isinstance(step, Sentence))
    assert words.strip() == sentences == outcome.text  # type: ignore[union-attr]
    assert "1904" in sentences


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of Zorbonia?",
        "Who won the chess olympiad of 1974?",
        "How do I renew a passport online?",
        "the of and",
        "😀",
    ],
)
def test_what_no_source_supports_is_not_answered(
    library: dict[str, Document], alice: User, question: str
) -> None:
    outcome = pipeline.answer(question=question, user=alice)
    assert outcome.abstained
    assert outcome.evidence == ()


@pytest.mark.parametrize(
    "question",
    ['Who founded the "observatory at Lake Ormund"?', "Who founded type:error the observatory -now?"],
)
def test_a_question_has_no_operators(library: dict[str, Document], alice: User, question: str) -> None:
    assert "Lindqvist" in pipeline.answer(question=question, user=alice).text


def test_strangers_get_no_answer(library: dict[str, Document], charlie: User) -> None:
    assert pipeline.answer(question="Who founded the observatory at Lake Ormund?", user=charlie).abstained


def test_a_short_follow_up_is_read_with_the_question_before(
    library: dict[str, Document], alice: User
) -> None:
    history = (Turn("When did the tram network of Velmora open?", "In 1904."),)
    outcome = pipeline.answer(question="And the depot?", user=alice, history=history)
    assert {evidence.hit.document_title for evidence in outcome.evidence} <= {"Trams"}
    assert pipeline.standalone("And the depot?", history).startswith("When did the tram")


def test_without_an_engine_words_alone_decide(
    library: dict[str, Document], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*args: Any) -> None:
        raise EmbeddingUnavailable

    monkeypatch.setattr(retrieval, "encode_query", unavailable)
    monkeypatch.setattr(assessing, "get_embedder", unavailable)
    outcome = pipeline.answer(question="Who founded the observatory at Lake Ormund?", user=alice)
    assert "Lindqvist" in outcome.text
    assert pipeline.answer(question="What is the capital of Zorbonia?", user=alice).abstained


def test_when_the_model_fails_the_sources_answer_and_say_so(
    library: dict[str, Document], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "get_generator", lambda: FakeGenerator(fail_after=0))
    steps = list(pipeline.answer_pieces(question="Who founded the observatory?", user=alice))
    outcome = steps[-1]
    assert isinstance(outcome, pipeline.Outcome)
    assert "Lindqvist" in outcome.text
    assert outcome.settings["fallback"]
    earlier, later = [step.evidence for step in steps if isinstance(step, Sources)]
    assert [step.restart for step in steps if isinstance(step, Sources)] == [False, True]
    assert later[: len(earlier)] == earlier  # numbers that were shown stay what they are


def test_sentences_that_stand_are_kept_when_the_model_fails_later(
    library: dict[str, Document], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "get_generator", lambda: FakeGenerator(fail_after=1))
    outcome = pipeline.answer(question="Who founded the observatory?", user=alice)
    assert len(outcome.sentences) == 1
    assert outcome.settings["fallback"]


def test_stopping_keeps_what_was_written(
    library: dict[str, Document], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "get_generator", FakeGenerator)
    asked: Iterator[bool] = iter([False] * 15 + [True] * 9)
    outcome = pipeline.answer(question="herons?", user=alice, should_stop=lambda: next(asked))
    assert outcome.stopped
    assert not outcome.abstained
    assert len(outcome.sentences) == 1
