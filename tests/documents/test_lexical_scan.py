"""The lexical legs bring the same rows and scores whichever way they read, under access and filters."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from documents import lexical_scan
from documents.filters import DocumentFilters
from documents.models import Chunk, Document, DocumentIdentity
from documents.querysets import ChunkQuerySet
from documents.scope import Extent
from documents.services import collection_create
from tests.indexed import indexed_document
from tests.people import person, research

BIRDS = ("heron", "stork", "crane", "egret", "ibis")
TERMS = ["heron", "reed"]
#: The index keeps the lengths of passages coarsely.
LENGTHS = 0.05


@pytest.mark.parametrize(
    ("share", "rows"), [(1.0, 200), (0.5, 260), (0.1, 1300), (0.01, 13_000), (0.0, 50_000)]
)
def test_the_index_is_told_how_far_it_has_to_go(share: float, rows: int) -> None:
    assert lexical_scan.reach(100, share) == rows


def test_few_rows_are_scored_one_by_one_if_they_were_counted() -> None:
    assert lexical_scan.is_small(Extent(2_000, 1_000_000), 100)
    assert not lexical_scan.is_small(Extent(3_000, 1_000_000), 100)
    assert not lexical_scan.is_small(Extent(2_000, 1_000_000, counted=False), 100)


@pytest.fixture(scope="module")
def reeds(module_rows: None) -> None:
    """Fifteen documents: each bird is in three, and of other lengths. A better one is Charlie's alone."""
    for number in range(15):
        bird = BIRDS[number % len(BIRDS)]
        text = f"The {bird} number {number} stands in the reeds. " + "Nothing else is said. " * number
        made = indexed_document(research(), text, title=f"{bird.title()} {number}")
        Document.objects.filter(pk=made.pk).update(tags=["even"] if number % 2 == 0 else [])
    own = collection_create(owner=person("charlie"), name="Own", slug="own")
    hidden = indexed_document(own, "A heron, a heron in the reeds.", title="Heron")
    Document.objects.filter(pk=hidden.pk).update(tags=["even"])


@pytest.fixture(params=[True, False], ids=["scored one by one", "through the index"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical_scan, "is_small", lambda extent, k: request.param)


@pytest.mark.django_db
@pytest.mark.parametrize("tag", ["", "even"])
@pytest.mark.usefixtures("reeds", "_way")
def test_rows_and_scores_are_the_same_by_every_way(alice: User, tag: str) -> None:
    allowed: ChunkQuerySet = Chunk.objects.visible_to(alice)
    if tag:
        allowed = allowed.of_documents(DocumentFilters(tags=(tag,)))
    found = allowed.lexical(TERMS, 10, "bm25")
    everything = allowed.lexical_scores(TERMS, allowed.values_list("pk", flat=True), "bm25")
    best = sorted(everything.values(), reverse=True)[: len(found)]
    assert [score for _, score in found] == pytest.approx(best, rel=LENGTHS)
    assert dict(found) == pytest.approx({pk: everything[pk] for pk, _ in found}, rel=LENGTHS)
    assert len(found) == (8 if tag else 10)
    assert Chunk.objects.get(pk=found[0][0]).document.title in ("Heron 0", "Heron 10")


@pytest.mark.django_db
@pytest.mark.usefixtures("reeds", "_way")
def test_every_way_heeds_phrases_exclusions_and_the_scope(alice: User) -> None:
    scope = Chunk.objects.visible_to(alice).of_documents(DocumentFilters(tags=("even",))).scope()
    allowed = Chunk.objects.within(scope)

    def titles(said: ChunkQuerySet) -> set[str]:
        found = [pk for pk, _ in said.lexical(TERMS, 10, "bm25")]
        return set(Chunk.objects.filter(pk__in=found).values_list("document__title", flat=True))

    assert titles(allowed.saying(["heron number"])) == {"Heron 0", "Heron 10"}
    others = {"Crane 2", "Ibis 4", "Stork 6", "Egret 8", "Crane 12", "Ibis 14"}
    assert titles(allowed.saying([], ["heron"])) == others
    named = DocumentIdentity.objects.within(scope).named_by(["heron"], 5, "bm25")
    assert {Document.objects.get(pk=pk).title for pk, _ in named} == {"Heron 0", "Heron 10"}


@pytest.mark.django_db
@pytest.mark.parametrize("wide", [True, False], ids=["looked up", "gathered"])
@pytest.mark.usefixtures("reeds")
def test_documents_that_are_meant_are_asked_for_in_two_forms(
    alice: User, wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("documents.scope.WIDE", -1.0 if wide else 2.0)
    monkeypatch.setattr(lexical_scan, "is_small", lambda extent, k: False)
    scope = Chunk.objects.visible_to(alice).of_documents(DocumentFilters(tags=("even",))).scope()
    with CaptureQueriesContext(connection) as asked:
        found = [pk for pk, _ in Chunk.objects.within(scope).lexical(TERMS, 10, "bm25")]
    looked_up = '"id" = ("documents_chunk"."document_id")'
    assert (looked_up in asked[-1]["sql"]) == wide
    tags = Chunk.objects.filter(pk__in=found).values_list("document__tags", flat=True)
    assert list(tags) == [["even"]] * 8


@pytest.mark.django_db
@pytest.mark.usefixtures("reeds")
def test_a_scope_that_statistics_take_for_wide_is_counted_when_little_comes(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("documents.scope.few", lambda k, total: -1)
    monkeypatch.setattr(lexical_scan, "is_small", lambda extent, k: extent.counted)
    scope = Chunk.objects.visible_to(alice).of_documents(DocumentFilters(tags=("even",))).scope()
    assert not scope.extent(10).counted
    monkeypatch.setattr(ChunkQuerySet, "by_index", lambda self, terms, k, reach: [])
    assert len(Chunk.objects.within(scope).lexical(TERMS, 10, "bm25")) == 8


@pytest.mark.django_db
@pytest.mark.usefixtures("reeds")
def test_others_sort_again_after_a_walk(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical_scan, "is_small", lambda extent, k: False)
    with CaptureQueriesContext(connection) as asked:
        Chunk.objects.visible_to(alice).lexical(TERMS, 10, "bm25")
    assert "'enable_sort', 'off'" in asked[-1]["sql"]
    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_sort")
        assert cursor.fetchone() == ("on",)
    assert Chunk.objects.all().lexical(["unheard"], 10, "bm25") == []
    assert Chunk.objects.all().lexical_scores(["unheard"], [], "bm25") == {}
