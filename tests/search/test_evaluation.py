"""The evaluation and audit commands, on a small folder."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from documents.models import Collection, Document
from tests.search.examples import BREAD, HERONS, TRAMS

pytestmark = pytest.mark.django_db(transaction=True)

QUESTIONS: list[dict[str, Any]] = [
    {
        "id": "1",
        "question": "Who founded the observatory at Lake Ormund?",
        "relevant": [{"document": "herons.txt", "page": 1}],
        "answer": "Anders Lindqvist",
        "answerable": True,
    },
    {
        "id": "2",
        "question": "When did the tram network of Velmora open?",
        "relevant": [{"document": "trams.txt"}],
        "answerable": True,
    },
    {"id": "3", "question": "What is the capital of Zorbonia?", "relevant": [], "answerable": False},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus = tmp_path / "small" / "corpus"
    corpus.mkdir(parents=True)
    for name, text in (("herons", HERONS), ("trams", TRAMS), ("bread", BREAD)):
        (corpus / f"{name}.txt").write_text(text)
    lines = "\n".join(json.dumps(question) for question in QUESTIONS)
    (tmp_path / "small" / "questions.jsonl").write_text(lines)
    return tmp_path / "small"


def ran(*command: Any) -> Any:
    out = io.StringIO()
    call_command(*command, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_the_report_has_every_figure(folder: Path) -> None:
    report = json.loads(ran("evaluate", folder, "--json"))
    assert (report["questions"], report["documents"]) == (3, 3)
    for level in ("document", "page"):
        assert report["retrieval"][level]["recall@1"] == 1
        assert report["intervals"][level]["recall@1"] == [1, 1]
        assert report["intervals"][level].keys() == report["retrieval"][level].keys()
        assert set(report["retrieval"][level]) == {
            *("recall@1", "recall@5", "recall@10", "recall@20", "mrr@10", "ndcg@10")
        }
    answers = report["answers"]
    assert (answers["answered"], answers["abstained"]) == (2, 1)
    assert answers["refusal_precision"] == answers["refusal_recall"] == answers["citation_precision"] == 1
    assert answers["token_f1"] == 1 > answers["text_f1"] > 0  # what is marked, and the sentence around it
    assert report["latency_ms"]["search_p50"] > 0
    assert report["settings"]["mode"] == "hybrid"
    # A second run ingests nothing again.
    again = json.loads(ran("evaluate", folder, "--json", "--mode", "keyword", "--no-answers"))
    assert again["answers"] is None
    assert Document.objects.count() == 3
    assert Collection.objects.get(slug="eval-small").documents.count() == 3
    audited = json.loads(ran("audit_recall", "--json", "--samples", "3"))
    assert audited["recall@10"] == 1
    assert audited["collections"][0]["collection"] == "eval-small"
    assert "recall@10             1.0000  [1.0000, 1.0000]" in ran("evaluate", folder, "--no-answers")


def test_a_folder_without_a_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        ran("evaluate", tmp_path)


def test_every_line_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "questions.jsonl").write_text('{"question": "Who?"}\n{]\n{"relevant": []}\n')
    with pytest.raises(CommandError, match=r"line 2: this is not JSON\nline 3: there is no “question”"):
        ran("evaluate", folder)


def test_a_level_without_questions_has_no_figures(folder: Path) -> None:
    (folder / "questions.jsonl").write_text(json.dumps(QUESTIONS[1]))
    assert "recall@1              –" in ran("evaluate", folder, "--no-answers")
