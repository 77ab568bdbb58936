"""``manage.py space``: from one model to another and back, while people search."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from documents.embedding import registry
from documents.models import Chunk, Collection, Document, Embedding, EmbeddingSpace
from documents.spaces import searching, serving_space
from search import comparison, pipeline
from search.comparison import Sample, overlap
from search.golden import question_create
from search.types import SearchRequest
from tests.documents.small_models import model_files, sentence_model
from tests.documents.test_spaces import KEPT

pytestmark = pytest.mark.django_db(transaction=True)

#: Passages of different words, so that no two are equally near to a query.
WORDS = [
    f"{first}{second}" for first in ("ka", "lo", "mi", "nu", "re") for second in ("tan", "vel", "sor", "pim")
]
DRAW = random.Random(7)
PAGES = [" ".join(DRAW.choices(WORDS, k=DRAW.randint(8, 25))).capitalize() + "." for _ in range(30)]
#: So few that words fall together: what is nearest is another passage than in the space that serves.
DIMENSIONS = 8
QUERY = "katan lovel misor nupim"


def said(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("space", *arguments, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def told(*arguments: str) -> Any:
    return json.loads(said(*arguments, "--json"))


@pytest.fixture
def document(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, "\f".join(PAGES), title="Words")


@pytest.fixture
def _fake_engine(settings: Any) -> Any:
    settings.EMBEDDING_ENGINE = "fake"
    for kept in KEPT:
        kept.cache_clear()
    yield
    for kept in KEPT:
        kept.cache_clear()


@pytest.fixture
def other(_fake_engine: None, document: Document, tmp_path: Path) -> EmbeddingSpace:
    made = told("create", str(model_files(tmp_path / "other", DIMENSIONS)))
    return EmbeddingSpace.objects.get(pk=made["id"])


def result(user: User) -> list[tuple[int, float]]:
    found = pipeline.search(request=SearchRequest(QUERY, "vector", limit=10, rerank="off"), user=user)
    assert not found.degraded
    return [(hit.chunk_id, round(hit.score, 4)) for hit in found.hits]


@pytest.mark.usefixtures("document")
def test_a_real_model_takes_over_and_leaves_again(alice: User, settings: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs requirements/ml.txt")
    settings.MODELS_DIR = tmp_path / "models"
    before = serving_space()
    assert before is not None
    first_result = result(alice)
    made = told("create", str(sentence_model(tmp_path, 48)))
    assert (made["dimensions"], made["state"], made["missing"]) == (48, "building", 30)
    with pytest.raises(CommandError, match="30 passages have no vector"):
        said("activate", str(made["id"]))
    assert told("build", "--throttle", "1")["embedded"] == 30
    compared = told("compare", "--samples", "5")
    assert (compared["queries"], compared["other"]["missing"]) == (5, 0)
    assert 0 <= compared["overlap"] <= 1
    assert compared["other"]["search_p50"] > 0
    assert result(alice) == first_result
    assert told("activate", made["model"])["state"] == "active"
    nearest = [chunk for chunk, _ in result(alice)]
    assert nearest != [chunk for chunk, _ in first_result]
    # int8 moves vectors a little: neighbours that are equally near may change places.
    assert overlap(nearest, nearest_by_torch(made["model"])) >= 0.8
    assert told("rollback")["space"] == before.pk
    assert result(alice) == first_result
    assert told("drop", str(made["id"])) == {"id": made["id"], "vectors": 30}
    assert [row["id"] for row in told("list")["spaces"]] == [before.pk]


def nearest_by_torch(model: str) -> list[int]:
    """Computed apart: without the index, without int8, without the database."""
    engine = registry.load_engine("torch", model)
    passages = dict(Chunk.objects.values_list("pk", "context"))
    scores = engine.embed(list(passages.values())) @ engine.embed([QUERY])[0]
    return [list(passages)[row] for row in np.argsort(-scores)[:10]]


def test_no_search_ever_mixes_two_spaces(other: EmbeddingSpace, alice: User) -> None:
    """While one is built and switched to, every result is exactly that of one space or of the other."""
    before = serving_space()
    assert before is not None
    seen: list[list[tuple[int, float]]] = []
    searched, enough = Event(), Event()

    def search() -> None:
        try:
            while not enough.is_set():
                seen.append(result(alice))
                searched.set()
        finally:
            connection.close()

    searcher = Thread(target=search)
    searcher.start()
    assert searched.wait(30)
    said("build", str(other.pk), "--throttle", "1", "--activate")
    for _ in range(2):  # the second one began after the switch for sure
        searched.clear()
        assert searched.wait(30)
    enough.set()
    searcher.join()
    expected = []
    for space in (before, other):
        with searching(space):
            expected.append(result(alice))
    assert expected[0] != expected[1]
    assert (seen[0], seen[-1]) == (expected[0], expected[1])
    switched = seen.index(expected[1])
    assert all(each == expected[0] for each in seen[:switched])
    assert all(each == expected[1] for each in seen[switched:])


def test_the_list_says_how_full_each_space_is(other: EmbeddingSpace) -> None:
    first, second = told("list")["spaces"]
    assert (first["state"], first["vectors"], first["missing"], first["indexed"]) == ("active", 30, 0, True)
    assert (second["state"], second["vectors"], second["missing"], second["indexed"]) == (
        *("building", 0, 30),
        False,
    )
    lines = said("list").splitlines()
    assert len(lines) == 2
    assert "0 vectors, 30 missing, no index" in lines[1]


@pytest.mark.usefixtures("db")
def test_an_empty_portal_has_no_space() -> None:
    assert told("list") == {"spaces": []}
    assert said("list").strip() == "no space yet"
    with pytest.raises(CommandError, match="No space is being built"):
        said("build")
    with pytest.raises(CommandError, match="No other space has served"):
        said("rollback")


def test_people_are_told_what_comes_next(other: EmbeddingSpace, settings: Any) -> None:
    assert f"space activate {other.pk}" in said("build", "--throttle", "1")
    assert f"set EMBEDDING_MODEL={other.model}" in said("activate", str(other.pk))
    assert "serves" in said("rollback")
    assert "30 vectors" in said("drop", str(other.pk))


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("build", "--throttle", "0"), "more than 0"),
        (("build", "--throttle", "1.5"), "at most 1"),
        (("build", "--throttle", "nan"), "more than 0"),
        (("compare", "--samples", "0"), "number from 1"),
        (("compare", "--samples", "-3"), "number from 1"),
        (("activate",), "SPACE"),
        (("drop", "999999"), "no space 999999"),
        (("rollback",), "No other space"),
        (("create", "/there/is/no such model"), "neither a folder nor a model"),
    ],
)
@pytest.mark.usefixtures("other")
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], wrong: str) -> None:
    with pytest.raises(CommandError, match=wrong):
        said(*arguments)


def test_the_space_that_serves_is_neither_dropped_nor_compared_with_itself(other: EmbeddingSpace) -> None:
    serving = serving_space()
    assert serving is not None
    with pytest.raises(CommandError, match="serves"):
        said("drop", str(serving.pk))
    with pytest.raises(CommandError, match="does not serve"):
        said("compare", str(serving.pk))


def test_a_model_of_a_wrong_dimension_is_refused(other: EmbeddingSpace, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="4,001 dimensions; an index takes 1 to 4,000"):
        said("create", str(model_files(tmp_path / "wide", 4001)))
    assert EmbeddingSpace.objects.count() == 2


def test_ctrl_c_says_that_it_can_go_on(other: EmbeddingSpace, monkeypatch: Any) -> None:
    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("documents.space_building.space_build", interrupt)
    with pytest.raises(SystemExit) as ended:
        said("build")
    assert ended.value.code == 130


# --- Side by side -----------------------------------------------------------------------------


def test_a_space_without_vectors_cannot_be_compared(other: EmbeddingSpace) -> None:
    with pytest.raises(CommandError, match="holds no vectors yet"):
        said("compare")


def test_the_same_vectors_overlap_wholly(other: EmbeddingSpace) -> None:
    """The same model by another name finds the same, and not the passage itself whose text is asked."""
    serving = serving_space()
    assert serving is not None
    twin = EmbeddingSpace.objects.create(model=serving.model, revision="f" * 64, dimensions=384)
    for row in Embedding.objects.filter(space=serving):
        row.pk, row.space = None, twin
        row.save(force_insert=True)
    samples = comparison.sampled_passages(5)
    first = comparison.found(serving, samples[0])
    assert samples[0].passage not in first.passages
    assert len(first.passages) == 10
    second = comparison.found(twin, samples[0])
    assert overlap(first.passages, second.passages) == 1.0


def test_golden_questions_are_asked_in_both_spaces(
    other: EmbeddingSpace, collection: Collection, document: Document, alice: User
) -> None:
    question_create(collection=collection, question=PAGES[3], expected=[(document, 4)], user=alice)
    said("build", "--throttle", "1")
    compared = told("compare", "--samples", "3")
    for side in ("serving", "other"):
        figures = compared[side]["golden"]["research"]
        assert figures["questions"] == 1
        assert figures["document"]["recall@10"] == 1.0
    assert "golden questions of research" in said("compare", "--samples", "3")


def test_each_space_answers_its_own_golden_questions(other: EmbeddingSpace) -> None:
    serving = serving_space()
    assert serving is not None
    said("build", "--throttle", "1")

    def which() -> dict[str, Any]:
        from documents.spaces import active_space

        return {"space": active_space()}

    compared = comparison.compare(serving, other, [Sample(QUERY)], golden=which)
    assert (compared.serving.golden, compared.other.golden) == ({"space": serving}, {"space": other})
    assert serving_space() == serving


def test_an_evaluation_folder_gives_the_queries(other: EmbeddingSpace, tmp_path: Path) -> None:
    said("build", "--throttle", "1")
    with pytest.raises(CommandError, match=r"There is no .*questions\.jsonl"):
        said("compare", "--questions", str(tmp_path))
    lines = [json.dumps({"question": f"{QUERY} {n}", "relevant": []}) for n in range(4)]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines))
    assert told("compare", "--questions", str(tmp_path), "--samples", "3")["queries"] == 3


@pytest.mark.parametrize(
    ("first", "second", "share"), [((1, 2), (2, 1), 1.0), ((1, 2, 3, 4), (1, 5, 6, 7), 0.25), ((), (), 1.0)]
)
def test_overlap_is_the_share_that_both_name(
    first: tuple[int, ...], second: tuple[int, ...], share: float
) -> None:
    assert overlap(first, second) == share
