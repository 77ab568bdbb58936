"""Every write to API tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from portal.accounts.models import ApiToken, digest, new_secret

if TYPE_CHECKING:
    from django.contrib.auth.models import User

HINT_LENGTH = 8


@transaction.atomic
def token_create(*, user: User, name: str = "") -> tuple[ApiToken, str]:
    """A new token and its secret, which nobody can read again afterwards."""
    secret = new_secret()
    token = ApiToken(user=user, name=name.strip(), digest=digest(secret), hint=secret[:HINT_LENGTH])
    token.full_clean()
    token.save(force_insert=True)
    return token, secret


@transaction.atomic
def token_revoke(*, token: ApiToken) -> None:
    """From now on the token opens nothing."""
    token.delete()
