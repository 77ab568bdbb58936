"""Pages in the language and the zone of their reader; nothing of either in what programs read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import AsyncRequestFactory, Client, RequestFactory
from django.utils import timezone, translation

from documents.consumers import in_words
from documents.models import Collection, Document
from documents.progress import snapshot
from portal.middleware import reader
from portal.reader import is_page, language_of, zone_of
from portal.sockets import language_asked
from search.consumers import refusal
from search.exceptions import NotFound, TooManyAnswers

WHEN = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)


@pytest.fixture
def german(alice: User) -> Client:
    client = Client(HTTP_ACCEPT_LANGUAGE="de-AT,de;q=0.9,en;q=0.5")
    client.force_login(alice)
    return client


# --- Language -------------------------------------------------------------------------------


def test_a_page_is_in_the_browsers_language(german: Client) -> None:
    page = german.get("/documents/")
    assert '<html lang="de"' in page.text
    assert "Dokumente hinzufügen" in page.text
    assert page.headers["Content-Language"] == "de"
    assert "Accept-Language" in page.headers["Vary"]


def test_a_language_that_is_not_there_is_english(alice: User) -> None:
    client = Client(HTTP_ACCEPT_LANGUAGE="fr")
    client.force_login(alice)
    assert '<html lang="en"' in client.get("/documents/").text


def test_the_switch_decides_over_the_browser(german: Client) -> None:
    answer = german.post("/language/", {"language": "en", "next": "/account/"})
    assert answer.headers["Location"] == "/account/"
    assert german.cookies["language"]["samesite"] == "Lax"
    page = german.get("/account/")
    assert '<html lang="en"' in page.text
    assert 'value="en" lang="en" aria-current="true"' in page.text
    assert '<html lang="de"' in Client(HTTP_ACCEPT_LANGUAGE="de").get("/login/").text


def test_the_switch_leads_to_no_other_site(german: Client) -> None:
    answer = german.post("/language/", {"language": "de", "next": "https://elsewhere.example/"})
    assert answer.headers["Location"] == "/"


def test_an_invented_language_is_ignored(german: Client) -> None:
    german.cookies["language"] = "../../x"
    assert '<html lang="de"' in german.get("/account/").text


def test_error_pages_are_in_the_language(german: Client) -> None:
    page = german.get("/documents/00000000-0000-0000-0000-000000000000/")
    assert page.status_code == 404
    assert "Hier ist nichts" in page.text


def test_the_admin_is_in_the_language(german: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    page = german.get("/admin/").text
    assert "Dokumentenportal: Verwaltung" in page
    for name in ("Referenzfragen", "Textstellen", "Sammlungen", "API-Token"):
        assert name in page


def test_numbers_are_written_as_the_language_does(german: Client, collection: Collection) -> None:
    pages = Document(page_count=1234, kind="pdf", collection=collection)
    with translation.override("de"):
        shown = Template("{% load humanize %}{{ n|intcomma }}").render(Context({"n": pages.page_count}))
    assert shown == "1.234"


def test_a_stored_reason_is_told_in_the_language(german: Client, failed: Document) -> None:
    assert "Dieses PDF hat keine Seiten." in german.get("/documents/").text
    assert "Dieses PDF hat keine Seiten." in german.get(f"/documents/{failed.pk}/facts/").text


@pytest.fixture
def failed(upload: Any, collection: Collection) -> Document:
    made: Document = upload(collection, "x", filename="broken.txt")
    made.status, made.reason = "failed", "This PDF has no pages."
    made.save()
    return made


# --- Programs -------------------------------------------------------------------------------


def test_a_browsers_language_changes_nothing_in_the_api(german: Client, failed: Document) -> None:
    german.cookies["language"] = "de"
    german.cookies["zone"] = "Pacific%2FAuckland"
    plain = Client()
    plain.force_login(User.objects.get(username="alice"))
    for address in (
        "/api/v1/documents/",
        f"/api/v1/documents/{failed.pk}/",
        "/api/v1/documents/?quality=nonsense",
        "/api/v1/documents/00000000-0000-0000-0000-000000000000/",
        "/api/v1/search/",
        "/api/v1/search/?q=x&before=nonsense",
        "/api/v1/schema/?format=json",
    ):
        assert german.get(address).content == plain.get(address).content, address
    assert german.get("/api/v1/documents/").headers["Content-Language"] == "en"


def test_a_page_may_ask_the_api_in_its_language(german: Client, failed: Document) -> None:
    told = german.get(f"/api/v1/documents/{failed.pk}/", headers={"X-Page-Language": "de"}).json()
    assert told["reason"] == "Dieses PDF hat keine Seiten."
    bad = german.get("/api/v1/search/?q=x&before=nonsense", headers={"X-Page-Language": "de"}).json()
    assert "ist kein Datum" in bad["detail"]
    odd = german.get(f"/api/v1/documents/{failed.pk}/", headers={"X-Page-Language": "xx"}).json()
    assert odd["reason"] == "This PDF has no pages."


def test_a_socket_of_a_page_says_its_language_in_its_address(failed: Document) -> None:
    assert language_asked({"query_string": b"language=de"}) == "de"
    assert language_asked({"query_string": b"language=../x"}) == "en"
    assert language_asked({}) == "en"
    with translation.override("de"):
        news = in_words(snapshot(failed))
        assert news["reason"] == "Dieses PDF hat keine Seiten."
        assert refusal(NotFound("Gone."), {})["detail"] == "Gone."
        assert refusal(TooManyAnswers(), {})["detail"].startswith("Gerade werden zu viele Fragen")
    assert in_words({"id": "1", "status": "deleted"}) == {"id": "1", "status": "deleted"}


def test_the_page_about_the_api_is_a_page(german: Client) -> None:
    assert '<html lang="de"' in german.get("/api/v1/docs/").text


# --- Time zone ------------------------------------------------------------------------------


def shown(tag: str, zone: str = "") -> str:
    with timezone.override(zone or None):
        return Template("{% load moments %}{% " + tag + " when %}").render(Context({"when": WHEN}))


def test_times_are_in_the_readers_zone() -> None:
    exact = '<time datetime="2026-07-01T22:30:00+00:00"'
    assert shown("moment", "Europe/Berlin") == f'{exact} title="2 Jul 2026, 00:30">2 Jul 2026, 00:30</time>'
    assert shown("moment", "America/New_York").endswith(">1 Jul 2026, 18:30</time>")
    assert shown("day", "Europe/Berlin").endswith(">2 Jul 2026</time>")
    with translation.override("de"):
        assert shown("moment", "Europe/Berlin").endswith(">2. Juli 2026, 00:30</time>")


def test_without_a_zone_it_is_utc_and_says_so() -> None:
    assert shown("moment").endswith('title="1 Jul 2026, 22:30 UTC">1 Jul 2026, 22:30 UTC</time>')
    assert 'title="1 Jul 2026, 22:30 UTC"' in shown("ago")


def test_no_time_is_nothing() -> None:
    for tag in ("moment", "day", "near_day", "ago"):
        assert Template("{% load moments %}{% " + tag + " when %}").render(Context({"when": None})) == ""


def test_a_page_shows_times_in_the_zone_of_the_cookie(german: Client, failed: Document) -> None:
    Document.objects.filter(pk=failed.pk).update(created_at=WHEN)
    for zone, hour in (("Asia%2FTokyo", "07:30"), ("America%2FNew_York", "18:30"), ("", "22:30 UTC")):
        german.cookies["zone"] = zone
        assert f', {hour}">' in german.get("/documents/").text, zone


@pytest.mark.parametrize(
    "value", ["", "Mars/Olympus", "../../etc/passwd", "%00", "Europe/Berlin\n", "x" * 5000]
)
def test_a_zone_that_does_not_exist_is_none(value: str) -> None:
    request = RequestFactory().get("/")
    request.COOKIES["zone"] = value
    assert zone_of(request) is None


# --- Nothing is left for the next request ---------------------------------------------------


def as_seen(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{translation.get_language()} {timezone.get_current_timezone_name()}")


def test_nothing_leaks_from_one_request_to_the_next() -> None:
    view = reader(as_seen)
    before = (translation.get_language(), timezone.get_current_timezone_name())
    request = RequestFactory().get("/", headers={"Accept-Language": "de"})
    request.COOKIES["zone"] = "Asia/Tokyo"
    assert view(request).content == b"de Asia/Tokyo"
    assert view(RequestFactory().get("/")).content == b"en UTC"
    assert (translation.get_language(), timezone.get_current_timezone_name()) == before


def test_not_even_when_the_view_fails() -> None:
    def broken(_request: HttpRequest) -> HttpResponse:
        raise LookupError

    request = RequestFactory().get("/", headers={"Accept-Language": "de"})
    with pytest.raises(LookupError):
        reader(broken)(request)
    assert translation.get_language() == "en"


async def test_async_views_at_the_same_time_keep_apart() -> None:
    async def slow(request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0.01)
        return as_seen(request)

    def request(language: str, zone: str) -> HttpRequest:
        made = AsyncRequestFactory().get("/", headers={"Accept-Language": language})
        made.COOKIES["zone"] = zone
        return made

    view: Any = reader(slow)
    asked = [("de", "Asia/Tokyo"), ("en", "America/New_York"), ("de", "")] * 5
    answers = await asyncio.gather(*(view(request(*each)) for each in asked))
    expected = ["de Asia/Tokyo", "en America/New_York", "de UTC"] * 5
    assert [each.content.decode() for each in answers] == expected
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/", True),
        ("/api/v1/docs/", True),
        ("/api/v1/search/", False),
        ("/v1/models", False),
        ("/metrics", False),
    ],
)
def test_which_addresses_are_pages(path: str, page: bool) -> None:
    request = RequestFactory().get(path, headers={"Accept-Language": "de"})
    assert is_page(request) is page
    assert language_of(request) == ("de" if page else "en")
