"""Pages that belong to no feature: the account, signing in and out, light or dark, errors that help."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from documents.models import Collection
from portal.accounts.models import ApiToken
from portal.accounts.services import token_create
from search.models import Conversation


def signed_in(user: User, **more: Any) -> Client:
    client = Client(**more)
    client.force_login(user)
    return client


# --- Account ----------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_revoked(alice: User, bob: User) -> None:
    client = signed_in(alice)
    assert 'data-testid="no-tokens"' in client.get("/account/").content.decode()
    made = client.post("/account/tokens/", {"name": "Nightly import"})
    assert made["Cache-Control"].startswith("max-age=0")
    assert 'data-testid="token-secret"' in made.content.decode()
    page = client.get("/account/").content.decode()
    assert "Nightly import" in page
    assert "never used" in page
    assert 'data-testid="token-secret"' not in page
    revoke = reverse("token-revoke", args=[ApiToken.objects.get().pk])
    assert signed_in(bob).post(revoke).status_code == 404
    assert "The token was revoked." in client.post(revoke, follow=True).content.decode()
    assert not ApiToken.objects.exists()


def test_a_token_needs_a_name(alice: User) -> None:
    answer = signed_in(alice).post("/account/tokens/", {"name": " "})
    assert (answer.status_code, "This field is required." in answer.content.decode()) == (400, True)


def test_all_conversations_are_deleted_and_nobody_elses(alice: User, bob: User) -> None:
    for owner in (alice, alice, bob):
        Conversation.objects.create(owner=owner, title="Ferries")
    client = signed_in(alice)
    assert "2 conversations." in client.get("/account/").content.decode()
    page = client.post("/account/conversations/delete/", follow=True).content.decode()
    assert "2 conversations were deleted." in page
    assert 'data-testid="conversations-delete"' not in page
    assert list(Conversation.objects.values_list("owner", flat=True)) == [bob.pk]


def test_the_password_is_changed_and_a_bad_one_refused(alice: User) -> None:
    client = signed_in(alice)
    given = {"old_password": "wrong", "new_password1": "a-new-long-one", "new_password2": "a-new-long-one"}
    assert "entered incorrectly" in client.post("/account/password/", given).content.decode()
    answer = client.post("/account/password/", {**given, "old_password": "alice-password"}, follow=True)
    assert "Your password was changed." in answer.content.decode()
    assert Client().login(username="alice", password="a-new-long-one")


def test_signing_in_leads_home_and_out_again(alice: User) -> None:
    client = Client()
    wrong = client.post("/login/", {"username": "alice", "password": "x"}).content.decode()
    assert "do not match" in wrong
    assert client.post("/login/", {"username": "alice", "password": "alice-password"})["Location"] == "/"
    page = client.post("/logout/", follow=True).content.decode()
    assert "You are signed out." in page
    assert client.get("/account/")["Location"] == "/login/?next=/account/"


def test_the_account_takes_five_queries(alice: User, django_assert_max_num_queries: Any) -> None:
    for n in range(30):
        token_create(user=alice, name=f"{n} " + "n" * 90)
    client = signed_in(alice)
    with django_assert_max_num_queries(7):
        assert client.get("/account/").content.count(b'data-testid="token-row"') == 30


# --- Light or dark ----------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theme_is_kept_without_javascript(theme: str, db: None) -> None:
    client = Client()
    answer = client.post("/theme/", {"theme": theme, "next": "/login/?next=/"})
    assert answer["Location"] == "/login/?next=/"
    page = client.get("/login/").content.decode()
    assert f'<html lang="en" data-theme="{theme}">' in page
    assert f'<meta name="color-scheme" content="{theme}">' in page
    assert f'value="{theme}" data-theme-choice aria-pressed="true"' in page
    client.post("/theme/", {"theme": "system"})
    page = client.get("/login/").content.decode()
    assert '<html lang="en">' in page
    assert 'value="system" data-theme-choice aria-pressed="true"' in page


def test_the_theme_leads_nowhere_else_and_takes_nothing_else(db: None) -> None:
    client = Client()
    answer = client.post("/theme/", {"theme": '"><script>', "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"
    client.cookies["theme"] = '"><script>'
    assert '"><script>' not in client.get("/login/").content.decode()


def test_browsers_find_the_icon(client: Client) -> None:
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    assert answer["Location"].endswith(".svg")


# --- Errors -----------------------------------------------------------------------------------


def test_what_is_not_there_helps_on(alice: User, client: Client) -> None:
    page = signed_in(alice).get("/nothing/")
    assert page.status_code == 404
    for text in ('role="search"', 'action="/search/"', 'href="/documents/"', 'href="/collections/"'):
        assert text in page.content.decode()
    page = client.get("/nothing/")
    assert 'href="/login/"' in page.content.decode()
    assert 'role="search"' not in page.content.decode()


def test_who_may_not_learns_why(bob: User, collection: Collection) -> None:
    page = signed_in(bob).post("/collections/research/edit/", {"name": "Mine"})
    assert page.status_code == 403
    assert "Your role in this collection does not allow that." in page.content.decode()
    assert 'data-testid="error-page"' in page.content.decode()


@pytest.mark.parametrize(
    ("before", "offered"),
    [("http://testserver/collections/", True), ("https://elsewhere.example/", False), ("", False)],
)
def test_a_stale_form_leads_back_to_its_page(alice: User, before: str, offered: bool) -> None:
    client = signed_in(alice, enforce_csrf_checks=True)
    page = client.post("/collections/", {"name": "X"}, headers={"Referer": before})
    assert page.status_code == 403
    assert "The form could not be sent" in page.content.decode()
    assert (f'href="{before}" data-testid="error-back"' in page.content.decode()) is offered
    assert not Collection.objects.filter(name="X").exists()


def test_an_address_for_forms_only_has_a_page(alice: User) -> None:
    client = Client()
    answer = client.post("/collections/research/leave/")
    back = f"{answer['Location']}"
    answer = client.post(back, {"username": "alice", "password": "alice-password"}, follow=True)
    assert answer.status_code == 405
    assert "This address only takes what a form sends." in answer.content.decode()
    program = client.get("/collections/research/leave/", headers={"Accept": "application/json"})
    assert (program.status_code, program.content) == (405, b"")


@pytest.mark.parametrize(
    ("form", "page"),
    [
        ("/account/tokens/", "/account/"),
        ("/collections/research/edit/", "/collections/research/"),
        ("/collections/research/members/", "/collections/research/"),
    ],
)
def test_a_form_s_address_opened_again_leads_to_its_page(
    form: str, page: str, alice: User, collection: Collection
) -> None:
    """It stays in the bar after a form that was sent back, and after a token that was shown once."""
    client = signed_in(alice)
    assert client.post(form, {"name": "", "username": ""}).status_code == 400
    assert client.get(form)["Location"] == page


def test_a_bad_request_has_a_page(alice: User, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    page = signed_in(alice).post("/collections/", {f"field-{n}": "x" for n in range(9)})
    assert page.status_code == 400
    assert "This request is not understood" in page.content.decode()


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (OperationalError("gone"), 503, "Its database does not answer"),
        (RuntimeError("secret"), 500, "The portal made a mistake"),
    ],
)
def test_faults_have_a_page_that_needs_nothing(
    alice: User, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, said: str
) -> None:
    def broken(*_: Any) -> None:
        raise error

    client = signed_in(alice, raise_request_exception=False)
    client.cookies["theme"] = "dark"
    monkeypatch.setattr("documents.list_views.shown", broken)
    answer = client.get("/documents/?q=ferry&page=2")
    page = answer.content.decode()
    assert answer.status_code == status
    assert said in page
    assert "secret" not in page
    assert 'data-theme="dark"' in page
    assert 'href="/documents/?q=ferry&amp;page=2" data-testid="error-again"' in page
