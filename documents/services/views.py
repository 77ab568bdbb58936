"""Writes to the views of the list that people save for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from documents.models import SavedView

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: More would not be found again.
MOST = 30


@transaction.atomic
def view_save(*, user: User, name: str, query: str) -> SavedView:
    """Keep ``query`` under ``name``; the same name again takes the place of the former."""
    view = SavedView.objects.filter(user=user, name=name.strip()).first()
    if view is None and SavedView.objects.filter(user=user).count() >= MOST:
        raise ValidationError(_("There are %(most)s saved views already. Delete one first.") % {"most": MOST})
    view = view or SavedView(user=user, name=name.strip())
    view.query = query
    view.full_clean()
    view.save()
    return view


@transaction.atomic
def view_rename(*, view: SavedView, name: str) -> SavedView:
    """Raises ``ValidationError`` for a name that the user has given to another one."""
    view.name = name.strip()
    view.full_clean()
    view.save(update_fields=["name"])
    return view


@transaction.atomic
def view_delete(*, view: SavedView) -> None:
    view.delete()
