"""API tokens: made once, shown once, their owner's alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.authentication import bearer_secret, user_for_token
from portal.accounts.models import ApiToken
from portal.accounts.services import token_create

Api = Callable[[User | None], APIClient]
TOKENS = "/api/v1/tokens/"


def test_a_secret_leads_to_its_user(alice: User) -> None:
    token, secret = token_create(user=alice, name="x")
    assert user_for_token(secret) == alice
    assert user_for_token(secret[:-1]) is None
    assert secret not in (token.digest, token.hint)


def test_an_inactive_user_is_refused(api: Api, alice: User) -> None:
    program = api(alice)
    assert program.get(TOKENS).status_code == 200
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert program.get(TOKENS).status_code == 401


def test_use_is_noted_once_a_minute(alice: User) -> None:
    token, secret = token_create(user=alice)
    user_for_token(secret)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    user_for_token(secret)
    token.refresh_from_db()
    assert token.last_used_at == first
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    user_for_token(secret)
    token.refresh_from_db()
    assert token.last_used_at is not None
    assert token.last_used_at >= first


@pytest.mark.parametrize(
    ("header", "secret"),
    [("Bearer dp_x", "dp_x"), ("bearer dp_x", "dp_x"), ("Basic eDp5", None), ("", None), ("Bearer", "")],
)
def test_only_bearer_is_ours(header: str, secret: str | None) -> None:
    assert bearer_secret(header) == secret


def test_over_rest_the_secret_is_shown_once(api: Api, alice: User) -> None:
    program = api(alice)
    made = program.post(TOKENS, {"name": "import"})
    assert made.status_code == 201
    assert user_for_token(made.json()["token"]) == alice
    assert made["Cache-Control"] == "no-store"
    assert made.json()["token"] not in program.get(TOKENS).content.decode()
    assert program.delete(f"{TOKENS}{made.json()['id']}/").status_code == 204
    assert user_for_token(made.json()["token"]) is None


def test_tokens_of_others_do_not_exist(api: Api, alice: User, bob: User) -> None:
    token, secret = token_create(user=alice)
    program = api(bob)
    assert token.pk not in [row["id"] for row in program.get(TOKENS).json()]
    assert program.delete(f"{TOKENS}{token.pk}/").status_code == 404
    assert user_for_token(secret) == alice
    assert api(None).get(TOKENS).status_code == 401


def test_the_command_prints_the_token_and_nothing_else(alice: User) -> None:
    out = StringIO()
    call_command("create_token", user="alice", stdout=out)
    assert user_for_token(out.getvalue().removesuffix("\n")) == alice


def test_the_command_knows_whom_it_does_not_know(db: None) -> None:
    with pytest.raises(CommandError, match="nobody"):
        call_command("create_token", user="nobody")


def test_the_admin_shows_no_secret(client: Client, alice: User) -> None:
    token, secret = token_create(user=alice)
    client.force_login(User.objects.create_superuser("root", password="root"))
    page = client.get(f"/admin/accounts/apitoken/{token.pk}/change/")
    assert page.status_code == 200
    assert secret not in page.content.decode()
    assert token.digest not in page.content.decode()
    assert client.get("/admin/accounts/apitoken/add/").status_code == 403
