"""What names a document."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from documents import indexing, lexical, services
from documents.identity import day_of, identity, names
from documents.models import Chunk, Collection, Document, DocumentIdentity, Embedding
from documents.services import lifecycle

REPORT = (
    "Annual report of Velmora Tramways for the year ended 31 December 2018.\n\n"
    + "Velmora runs the trams of the town. The report tells what Velmora earned in the year. " * 8
)


def of(text: str, **given: str) -> str:
    told = {"title": "", "filename": "", "kind": "PDF", **given}
    return identity(**told, tags=["finance"], pages=[text])


def test_names_are_what_the_text_writes_large() -> None:
    found = names([REPORT])
    assert "velmora" in found
    assert "report" not in found
    assert "trams" not in found


def test_title_file_years_type_and_tags_are_in_it() -> None:
    said = of(REPORT, title="Report", filename="VELMORA_2018_10K.pdf").split()
    assert said.count("Report") == 3
    assert {"VELMORA", "2018", "10K", "PDF", "finance", "velmora"} <= set(said)


@pytest.mark.parametrize("text", ["", "\x00", "東京タワー", "12 34", "x" * 10_000])
def test_odd_texts_have_an_identity_too(text: str) -> None:
    assert "finance" in of(text)


@pytest.mark.parametrize(
    ("metadata", "day"),
    [
        ({"created": "2021-02-23T16:23:03-05:00"}, date(2021, 2, 23)),
        ({"date": "2024-05-31"}, date(2024, 5, 31)),
        ({"created": "yesterday"}, None),
        ({"created": "2021-13-01"}, None),
        ({}, None),
    ],
)
def test_the_day_is_what_the_file_says(metadata: dict[str, object], day: date | None) -> None:
    assert day_of(metadata) == day


def named_by(words: str) -> list[str]:
    found = DocumentIdentity.objects.all().named_by(lexical.terms_of(words), 5, lexical.backend())
    return [Document.objects.get(pk=pk).title for pk, _ in found]


def test_a_document_is_found_by_its_names_and_by_new_tags(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    document = make_document(collection, REPORT, title="Tramways", filename="t.txt")
    make_document(collection, "Bread is baked from rye and water. " * 5, title="Bread", filename="b.txt")
    assert named_by("What did Velmora earn in FY2018?")[0] == "Tramways"
    services.document_update(document=document, tags=["quarterly"])
    assert named_by("quarterly") == ["Tramways"]


def test_it_moves_and_goes_with_its_document(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    document = make_document(collection, REPORT, title="Tramways")
    other = services.collection_create(owner=collection.owner, name="Other", slug="other")
    services.document_update(document=document, collection=other)
    assert DocumentIdentity.objects.get(document=document).collection_id == other.pk
    services.document_delete(document=Document.objects.get(pk=document.pk), user=None)
    assert not DocumentIdentity.objects.exists()


def test_a_failed_document_is_not_named(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    document = make_document(collection, REPORT, title="Tramways")
    lifecycle.fail(document, "It is broken.")
    assert not DocumentIdentity.objects.exists()


def test_reading_again_brings_the_vectors_of_tokens_of_an_earlier_version(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    document = make_document(collection, REPORT, title="Tramways")
    assert all(Embedding.objects.values_list("tokens", flat=True))
    Embedding.objects.update(tokens=None)
    services.document_reindex(document=document)
    indexing.index(document.pk)
    assert all(Embedding.objects.values_list("tokens", flat=True))
    assert Chunk.objects.count() == Embedding.objects.count()
