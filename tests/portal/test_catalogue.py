"""The catalogues: nothing missing, nothing left over, nothing that breaks when it is filled in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext, ngettext

from portal import catalogue
from portal.catalogue import Message

OTHERS = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%|%s|\{\w*\}")
HOW = "run “make messages” and translate what is new (docs/translation.md)"


@pytest.fixture(scope="module")
def gathered() -> set[Message]:
    return catalogue.gathered()


@pytest.fixture(params=OTHERS)
def source(request: pytest.FixtureRequest) -> Path:
    return catalogue.LOCALES / request.param / "LC_MESSAGES" / "django.po"


def entries(source: Path) -> dict[tuple[str, str | None], tuple[list[str], list[str]]]:
    """(msgid, context) → its one or two msgids, and its translations."""
    found = {}
    for entry in catalogue.read(source):
        if entry.id:
            ids = list(entry.id) if isinstance(entry.id, (tuple, list)) else [entry.id]
            said = list(entry.string) if isinstance(entry.string, (tuple, list)) else [entry.string]
            found[ids[0], entry.context] = ids, said
    return found


def test_every_string_of_the_source_is_translated(source: Path, gathered: set[Message]) -> None:
    there = entries(source)
    wanted = {(each.singular, each.context) for each in gathered}
    assert [key for key in sorted(wanted, key=str) if key not in there or not all(there[key][1])] == [], HOW
    assert [key for key in there if key not in wanted] == [], HOW
    assert not any(entry.fuzzy for entry in catalogue.read(source) if entry.id), HOW


def test_plurals_have_every_form(source: Path, gathered: set[Message]) -> None:
    there = entries(source)
    forms = catalogue.read(source).num_plurals
    for message in gathered:
        ids, said = there[message.singular, message.context]
        assert len(ids) == (2 if message.plural else 1)
        assert len(said) == (forms if message.plural else 1), message.singular


def test_translations_have_the_placeholders_of_their_strings(source: Path) -> None:
    for ids, said in entries(source).values():
        wanted = {frozenset(PLACEHOLDER.findall(each)) for each in ids}
        for each in said:
            assert frozenset(PLACEHOLDER.findall(each)) in wanted, each


def test_translations_end_as_their_strings(source: Path) -> None:
    for ids, said in entries(source).values():
        for each in said:
            assert (each[-1] in ".?!:…") == (ids[0][-1] in ".?!:…"), each


def test_both_files_are_as_make_messages_writes_them(source: Path, gathered: set[Message]) -> None:
    renewed = catalogue.renewed(catalogue.read(source), gathered)
    assert source.read_bytes() == catalogue.written(renewed), HOW
    assert source.with_suffix(".mo").read_bytes() == catalogue.compiled(renewed), HOW


def test_a_string_that_is_gone_goes_and_a_new_one_comes_empty() -> None:
    old = catalogue.empty("de")
    old.add("kept", "behalten")
    old.add("gone", "fort")
    new = catalogue.renewed(old, {Message("kept"), Message("new"), Message("one", "many")})
    assert {entry.id: entry.string for entry in new if entry.id} == {
        "kept": "behalten",
        "new": None,
        ("one", "many"): ("", ""),
    }


def test_words_with_a_plural_elsewhere_are_found_alone() -> None:
    with translation.override("de"):
        assert gettext("document") == "Dokument"
        assert ngettext("document", "documents", 2) == "Dokumente"


def test_names_that_django_makes_are_translated_too() -> None:
    from documents.models import Document

    with translation.override("de"):
        assert str(Document._meta.verbose_name_plural) == "Dokumente"
        assert str(Document._meta.get_field("uploaded_by").verbose_name) == "hochgeladen von"
    assert str(Document._meta.get_field("uploaded_by").verbose_name) == "uploaded by"
