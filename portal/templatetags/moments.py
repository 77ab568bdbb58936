"""Times as people read them, in their own zone, and beside it the exact one for programs."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.contrib.humanize.templatetags.humanize import naturalday, naturaltime
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def moment(when: datetime | None) -> SafeString | str:
    """Date and hour."""
    return tagged(when, in_full(when)) if when else ""


@register.simple_tag
def day(when: datetime | None) -> SafeString | str:
    """The date; on pointing at it the hour."""
    return tagged(when, date_format(timezone.localtime(when), "DATE_FORMAT")) if when else ""


@register.simple_tag
def near_day(when: datetime | None) -> SafeString | str:
    """“today”, “yesterday”, or the date without its year."""
    return tagged(when, str(naturalday(timezone.localtime(when), "MONTH_DAY_FORMAT"))) if when else ""


@register.simple_tag
def ago(when: datetime | None) -> SafeString | str:
    """“5 minutes ago”; on pointing at it date and hour."""
    return tagged(when, naturaltime(when)) if when else ""


def tagged(when: datetime, words: str) -> SafeString:
    exact = when.isoformat(timespec="seconds")
    return format_html('<time datetime="{}" title="{}">{}</time>', exact, in_full(when), words)


def in_full(when: datetime) -> str:
    """With the name of the zone where it is not the reader's own: their browser has not told it."""
    here = date_format(timezone.localtime(when), "DATETIME_FORMAT")
    return here if zone_is_known() else f"{here} {timezone.get_default_timezone_name()}"


def zone_is_known() -> bool:
    return timezone.get_current_timezone() is not timezone.get_default_timezone()
