"""Collections in words."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from documents.models import Role
from documents.usage import OWNER

register = template.Library()


@register.filter
def role_name(role: str) -> str:
    """What somebody is in a collection, its owner included."""
    return _("owner") if role == OWNER else str(Role(role).label)
