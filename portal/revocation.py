"""Whatever changes what a token opens makes what was noted of tokens void, as soon as it is committed."""

from __future__ import annotations

from collections.abc import Collection as Names
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.signals import post_delete, post_save

from documents.models import Collection, Membership
from documents.signals import corpus_changed
from portal.accounts.models import ApiToken
from search.kept_responses import forget_views
from search.models import Tuning

#: Written at every sign-in, and nothing that anybody sees depends on it.
OF_NO_MATTER = {"last_login"}


def connect() -> None:
    """Called once, when the applications are ready."""
    corpus_changed.connect(committed, dispatch_uid="portal.corpus_changed")
    for model in (get_user_model(), ApiToken, Membership, Collection, Tuning):
        post_delete.connect(written, sender=model, dispatch_uid=f"portal.deleted.{model.__name__}")
        post_save.connect(written, sender=model, dispatch_uid=f"portal.saved.{model.__name__}")


def committed(**_: Any) -> None:
    forget_views()


def written(sender: type, created: bool = False, update_fields: Names[str] | None = None, **_: Any) -> None:
    """A new user or token opens nothing that was open before; everything else may close something."""
    opens_nothing = created and sender in (get_user_model(), ApiToken)
    if not (opens_nothing or (update_fields and OF_NO_MATTER.issuperset(update_fields))):
        transaction.on_commit(forget_views)
