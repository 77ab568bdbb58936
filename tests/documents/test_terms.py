"""The words of passages and of queries, as the lexical index has them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection

from documents import lexical
from documents.models import Chunk, Collection, Document
from tests.conftest import MakeDocument

pytestmark = pytest.mark.django_db


def terms(language: str, text: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT passage_terms(%s, %s::text)", [language, text])
        return str(cursor.fetchone()[0]).split()


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "Café RÉSUMÉ", "cafe resume"),
        ("en", "the herons were nesting", "Heron nests"),
        ("en", "long-term and/or short", "long term or short"),
        ("en", "3,005,482 visitors", "3005482 visitor"),
        ("de", "Die Prüfungen der Pumpen", "Prüfung Pumpe"),
        ("de", "Straße", "STRASSE"),
        ("fr", "les élections présidentielles", "élection présidentielle"),
        ("xx", "The Herons", "the herons"),
        ("ja", "東京駅", "東 京 駅"),
        ("", "herons", "heron"),
    ],
)
def test_forms_of_a_word_are_one_term(language: str, one: str, other: str) -> None:
    assert [t for t in terms(language, one) if t != "le"] == terms(language, other)


def test_each_language_has_stop_words_of_its_own() -> None:
    assert terms("en", "the pump and die Pumpe") == ["pump", "die", "pump"]
    assert terms("de", "the pump und die Pumpe") == ["the", "pump", "pump"]


def test_a_language_without_a_stemmer_keeps_words_whole_and_folded() -> None:
    assert terms("xx", "Évolutions of the Herons") == ["evolutions", "of", "the", "herons"]


@pytest.mark.parametrize("code", ["P-103", "p103", "P103"])
def test_a_code_is_there_as_a_whole_however_it_is_written(code: str) -> None:
    assert "p103" in terms("en", f"pump {code} is old")


def test_a_code_is_there_in_parts_as_well() -> None:
    assert {"iso", "9001", "a4", "b"} <= {*terms("en", "ISO-9001 on A4 and A4-B")}
    assert "103" in terms("en", "P-103")


def test_a_decimal_comma_is_no_thousands_separator() -> None:
    assert terms("de", "3,5 Liter und 12,75") == ["3", "5", "lit", "12", "75"]
    assert "1577" in terms("en", "1,577.")


@pytest.mark.parametrize("text", ["", " ", "!?", "the of and", "\n\t"])
def test_a_text_without_words_has_no_terms(text: str) -> None:
    assert terms("en", text) == []


@pytest.mark.parametrize("text", ["a-" * 10_000, "1," * 10_000, "x" * 20_000, "é" * 20_000, "(" * 20_000])
def test_no_text_is_too_odd(text: str) -> None:
    assert isinstance(terms("en", text), list)


def test_a_querys_terms_are_those_of_all_languages_in_use(
    collection: Collection, make_document: MakeDocument
) -> None:
    german = make_document(
        collection, "Die Pumpen stehen im Keller. Sie wurden im Jahr geprüft.", filename="a.txt"
    )
    Document.objects.filter(pk=german.pk).update(language="de")
    english = make_document(collection, "The pumps are in the cellar.", filename="b.txt")
    Document.objects.filter(pk=english.pk).update(language="en")
    cache.clear()
    assert {*lexical.terms_of("Prüfungen pumping")} == {"prufung", "pumping", "prufungen", "pump"}


def test_languages_are_asked_for_once_in_a_while_only(
    django_assert_num_queries: object, collection: Collection
) -> None:
    cache.clear()
    with django_assert_num_queries(2):  # type: ignore[operator]
        lexical.terms_of("herons")
    with django_assert_num_queries(1):  # type: ignore[operator]
        lexical.terms_of("herons")


@pytest.mark.parametrize("backend", ["bm25", "tsvector"])
@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Pump P-103 was replaced.", "p103"),
        ("Pump P103 was replaced.", "P-103"),
        ("There were 1,577 cases.", "1577"),
        ("There were 1577 cases.", "1,577"),
        ("The café in Zürich closed.", "CAFE zurich"),
        ("東京駅は一九一四年に開業した。", "東京駅"),
    ],
)
def test_what_is_written_otherwise_is_found(
    text: str,
    asked: str,
    backend: lexical.Backend,
    collection: Collection,
    make_document: MakeDocument,
    alice: User,
) -> None:
    make_document(collection, "Bread rises slowly in a warm place.", filename="other.txt")
    wanted = make_document(collection, text)
    cache.clear()
    ((found, _), *_) = Chunk.objects.visible_to(alice).lexical(lexical.terms_of(asked), 5, backend)
    assert Chunk.objects.get(pk=found).document == wanted
