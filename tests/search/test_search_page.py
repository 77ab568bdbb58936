"""The page of results: what it begins with, what it says of each hit, where it leads on, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from documents.models import Collection, Document
from search import pipeline, recent, search_views
from search.facets import facets_of
from search.types import SearchRequest

pytestmark = pytest.mark.django_db

BOILER = """# Boiler

The **boiler** was built by *Ferraro*, see [the plate](http://example.org/plate).

| Part | Age |
|------|-----|
| Burner | 3 |
"""


def page_of(user: User, given: dict[str, Any], **headers: str) -> str:
    client = Client()
    client.force_login(user)
    response = client.get("/search/", given, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def boiler(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, BOILER, filename="boiler.md")


@pytest.fixture
def remembered() -> Iterator[None]:
    recent.redis().delete(recent.KEY)
    yield
    recent.redis().delete(recent.KEY)


def test_markdown_is_read_as_it_is_meant(bob: User, boiler: Document) -> None:
    page = page_of(bob, {"q": "boiler Ferraro"})
    assert "The <strong><mark>boiler</mark></strong> was built by <em><mark>Ferraro</mark></em>" in page
    assert "see the plate." in page
    assert "Burner · 3" in page
    assert "**" not in page
    assert "example.org" not in page


def test_each_hit_has_the_picture_of_its_page(bob: User, boiler: Document) -> None:
    assert page_of(bob, {"q": "boiler"}).count('data-testid="thumbnail"') == 1


def test_nothing_found_leads_on(bob: User, charlie: User, boiler: Document) -> None:
    asked = {"q": '"boiler manual" -steam', "type": "pdf", "mode": "keyword"}
    page = page_of(bob, asked)
    assert 'data-testid="ways-out"' in page
    assert 'href="/search/?q=%22boiler+manual%22+-steam&amp;mode=keyword"' in page
    assert 'href="/search/?q=boiler+manual&amp;mode=keyword&amp;type=pdf"' in page
    assert 'href="/search/?q=%22boiler+manual%22+-steam&amp;type=pdf"' in page
    plain = page_of(charlie, {"q": "boiler"})
    assert "Nothing found" in plain
    assert 'data-testid="ways-out"' not in plain


@pytest.mark.parametrize("query", ["boiler", "no such words anywhere", '"nothing says this"'])
def test_why_a_document_is_missing_is_asked_on_the_page(bob: User, boiler: Document, query: str) -> None:
    page = page_of(bob, {"q": query, "type": "markdown", "mode": "keyword"})
    form = page[page.index('action="/search/why/"') :]
    form = form[: form.index("</form>")]
    for name, value in (("type", "markdown"), ("mode", "keyword")):
        assert f'type="hidden" name="{name}" value="{value}"' in form
    assert 'name="find"' in form


def test_more_results_are_a_click_away(
    bob: User, collection: Collection, make_document: Callable[..., Document]
) -> None:
    for number in range(12):
        make_document(collection, f"Heron {number} fishes at dusk in the lake.", title=f"Lake {number}")
    page = page_of(bob, {"q": "heron"})
    assert page.count('data-testid="search-result"') == 10
    assert 'href="/search/?q=heron&amp;limit=30#hit-11"' in page
    page = page_of(bob, {"q": "heron", "limit": "30"})
    assert page.count('data-testid="search-result"') == 12
    assert 'data-testid="more-results"' not in page
    assert "100" in page_of(bob, {"q": "heron", "limit": "1000"})


def test_the_page_begins_with_ones_own_last_searches(
    bob: User, charlie: User, boiler: Document, remembered: None
) -> None:
    for query in ("boi", "boile", "boiler", "ferraro"):
        page_of(bob, {"q": query})
    page = page_of(bob, {})
    assert page.index("/search/?q=ferraro") < page.index("/search/?q=boiler")
    assert "/search/?q=boile&" not in page
    assert 'q=boi"' not in page
    assert 'data-testid="recent-searches"' not in page_of(charlie, {})


def test_the_address_follows_what_is_typed(bob: User, boiler: Document) -> None:
    client = Client()
    client.force_login(bob)
    given = {"q": "boiler", "mode": "hybrid", "collection": "", "type": "", "tag": ""}
    response = client.get("/search/", given, headers={"HX-Request": "true"})
    assert response["HX-Replace-Url"] == "/search/?q=boiler"
    assert response.content.decode().strip().startswith('<div id="results"')


def test_what_is_missing_is_called_by_its_name(
    bob: User, boiler: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    whole = pipeline.search

    def without(**given: Any) -> Any:
        return replace(whole(**given), degraded=("vector",))

    monkeypatch.setattr(search_views.pipeline, "search", without)
    assert "out of service (finding by meaning)" in page_of(bob, {"q": "boiler"})


def test_the_page_around_the_results_costs_few_queries(
    bob: User,
    collection: Collection,
    make_document: Callable[..., Document],
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Any,
) -> None:
    """Five beside session and user, whatever was found; the search itself is counted elsewhere."""
    for number in range(8):
        make_document(collection, f"Heron {number} fishes at dusk in the lake.", title=f"Lake {number}")
    client = Client()
    client.force_login(bob)
    given = {"q": "heron -night", "collection": "research", "document": str(uuid4())}
    wanted = SearchRequest("heron")
    result, facets = pipeline.search(request=wanted, user=bob), facets_of(wanted, bob)
    monkeypatch.setattr(search_views.pipeline, "search", lambda **_: result)
    monkeypatch.setattr(search_views, "facets_of", lambda *_: facets)
    with django_assert_max_num_queries(7):
        page = client.get("/search/", given).content.decode()
    assert page.count('data-testid="search-result"') == 8
