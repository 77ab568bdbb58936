"""Sentences of workers and parsers in the reader's language."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from documents.parsing.pictures import recognition
from documents.parsing.registry import SUPPORTED
from documents.told import told

ROOT = Path(settings.BASE_DIR)
#: Where sentences are made that are stored, or that know nothing of Django.
MADE_HERE = [
    *sorted((ROOT / "documents" / "parsing").rglob("*.py")),
    *(ROOT / "documents" / name for name in ("indexing.py", "quality.py", "tasks.py")),
]
#: What is put into sentences; 7 everywhere else.
PUT_IN = {"seems": "a file of the type “x”", "_REMEDY": recognition._REMEDY, "_named(seen)": "page 7"}
#: What is no sentence for a reader.
INNER = {
    *("Added in version", "Changed in version", "Removed in version", "Deprecated since version"),
    "Sent along, but too much to be read here: 7",
    "Attachments: 7",
    "Authors: 7",
}


def sentences(path: Path) -> Iterator[str]:
    """Texts of the source that read like a sentence, with 7 for what is filled in."""
    tree = ast.parse(path.read_text())
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in inner | docs:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                part.value if isinstance(part, ast.Constant) else put_in(part) for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if text[:1].isupper() and text.count(" ") >= 2 and text not in INNER:
            yield text


def put_in(part: ast.expr) -> str:
    return PUT_IN.get(ast.unparse(part.value), "7")  # type: ignore[attr-defined]


def filled_in(text: str) -> str:
    """With values for ``str.format``, as ``quality`` fills them in."""
    much = "some" if text.startswith("In ") else "Some"
    return text.format(much=much, Pages="Pages 3–7 and 9", **{"is": "are"})


@pytest.mark.parametrize("path", MADE_HERE, ids=lambda path: path.name)
def test_whatever_is_said_has_a_translation(path: Path) -> None:
    with translation.override("de"):
        for text in sentences(path):
            filled = filled_in(text)
            assert told(filled) != filled, text


def test_english_stays_as_it_is() -> None:
    text = "This PDF has more than 7 pages. Split it and upload the parts."
    assert told(text) == text


def test_figures_and_names_are_kept() -> None:
    with translation.override("de"):
        text = "This PDF has more than 2,000 pages. Split it and upload the parts."
        assert (
            told(text)
            == "Dieses PDF hat mehr als 2,000 Seiten. Teilen Sie es auf, und laden Sie die Teile hoch."
        )
        assert told("Something nobody foresaw.") == "Something nobody foresaw."
        assert told("cancelled") == "cancelled"
        assert told("") == ""


def test_sentences_within_sentences_and_in_brackets() -> None:
    archive = "This seems to be a ZIP archive. Unpack it and upload the files in it."
    with translation.override("de"):
        again = f"Reading this document again did not work: {archive} What was read before is still found."
        assert told(again) == (
            "Das erneute Lesen dieses Dokuments ist fehlgeschlagen: Das scheint ein ZIP-Archiv zu sein. "
            "Entpacken Sie es, und laden Sie die Dateien darin hoch. "
            "Was vorher gelesen wurde, wird weiterhin gefunden."
        )
        mail = f"Attachments that were not taken: a.zip ({archive.rstrip('.')}); b.txt (The file is empty)."
        assert told(mail) == (
            "Nicht übernommene Anhänge: a.zip (Das scheint ein ZIP-Archiv zu sein. Entpacken Sie es, und "
            "laden Sie die Dateien darin hoch); b.txt (Die Datei ist leer)."
        )
        assert told(f"{archive} {SUPPORTED}").endswith("reiner Text und Bilder von Text.")
