"""Who calls: ``Authorization: Bearer dp_…``, for REST, sockets and whatever else carries headers."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from documents.statements import Statement, answers, of
from portal.accounts.models import ApiToken, digest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.request import Request

KEYWORD = "bearer"
FIELDS = tuple(field.attname for field in ApiToken._meta.concrete_fields)
#: ``last_used_at`` is for people: a write per request would cost more than it tells.
USE_NOTED_EVERY = timedelta(minutes=1)


def bearer_secret(header: str) -> str | None:
    """The secret in an ``Authorization`` header; None when the header is for another scheme."""
    scheme, _space, secret = header.partition(" ")
    return secret.strip() if scheme.lower() == KEYWORD else None


def token_for_secret(secret: str) -> ApiToken | None:
    """The token that this is the secret of, unless its user may not sign in any more."""
    (rows,) = answers(Statement(token_sql(), (digest(secret),)))
    if not rows:
        return None
    token = ApiToken.from_db("default", FIELDS, rows[0][: len(FIELDS)])
    token.user = get_user_model().from_db("default", user_fields(), rows[0][len(FIELDS) :])
    note_use(token)
    return token


@cache
def token_sql() -> str:
    """Asked by every request of a program, and put together once: that takes longer than it runs."""
    columns = (*FIELDS, *(f"user__{name}" for name in user_fields()))
    active = ApiToken.objects.filter(user__is_active=True).order_by().values_list(*columns)
    sql, parameters = of(active)
    assert not parameters
    return sql + ' AND "accounts_apitoken"."digest" = %s'


@cache
def user_fields() -> tuple[str, ...]:
    return tuple(field.attname for field in get_user_model()._meta.concrete_fields)


def user_for_token(secret: str) -> User | None:
    token = token_for_secret(secret)
    return token.user if token else None


def note_use(token: ApiToken) -> None:
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
    if token.last_used_at is None or token.last_used_at < now - USE_NOTED_EVERY:
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


class TokenAuthentication(BaseAuthentication):
    """A program signs in with its user's token."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        secret = bearer_secret(request.headers.get("Authorization", ""))
        if secret is None:
            return None
        token = token_for_secret(secret)
        if token is None:
            raise AuthenticationFailed(_("This token is unknown or has been revoked."))
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes it."""

    target_class = "portal.accounts.authentication.TokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "dp_…"}
