"""Words in the quotation marks of the page's language."""

from __future__ import annotations

from django.utils.translation import gettext as _


def quoted(*words: str) -> str:
    """Each in its own, with commas between."""
    return ", ".join(_("“%(words)s”") % {"words": each} for each in words)
