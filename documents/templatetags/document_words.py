"""Documents in words: their types, where they are on their way, and what was measured of their text."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma
from django.urls import reverse
from django.utils.translation import get_language_info, gettext_lazy, gettext_noop
from django.utils.translation import gettext as _

from documents.models import Document, Page, Quality, Stage, Status
from documents.parsing.registry import NAMES
from documents.querysets import CANCELLED
from documents.reading import PICTURED_KINDS
from documents.thumbnails import version_of
from documents.told import told

register = template.Library()
register.filter("told", told)

#: Without a count, and with one. The browser fills in the same sentences (``words.js``).
STAGES = {
    Stage.PARSING: (gettext_lazy("Reading"), gettext_lazy("Reading page {done} of {total}")),
    Stage.RECOGNISING: (
        gettext_lazy("Recognising text"),
        gettext_lazy("Recognising text on page {done} of {total}"),
    ),
    Stage.CHUNKING: (gettext_lazy("Splitting into passages"), ""),
    Stage.EMBEDDING: (
        gettext_lazy("Embedding passages"),
        gettext_lazy("Embedding passage {done} of {total}"),
    ),
    Stage.STORING: (gettext_lazy("Storing"), ""),
}
#: Those of ``NAMES`` that other languages have words of their own for.
KINDS = (gettext_noop("Mail"), gettext_noop("Image"), gettext_noop("Text"))
VERDICTS = {
    Quality.GOOD: gettext_noop("The text was read well."),
    Quality.POOR: gettext_noop("The text was read badly: answers from this document may be wrong."),
}


@register.filter
def kind_name(kind: str) -> str:
    """What people call this type of file."""
    return _(NAMES.get(kind, kind))


@register.filter
def shown_status(document: Document) -> str:
    """The status as people see it: one that somebody cancelled did not fail."""
    cancelled = document.status == Status.FAILED and document.reason == CANCELLED
    return CANCELLED if cancelled else document.status


@register.filter
def status_words(document: Document) -> str:
    return _("cancelled") if shown_status(document) == CANCELLED else str(document.get_status_display())


@register.filter
def stage_words(document: Document) -> str:
    """Where a document is on its way, as “Reading page 12 of 80”; empty when it is in no stage."""
    if document.status != Status.PROCESSING or document.stage not in STAGES:
        return ""
    plain, counted = STAGES[Stage(document.stage)]
    if not (counted and document.stage_total):
        return str(plain)
    done = min(max(document.stage_done, 1), document.stage_total)
    return str(counted).format(done=intcomma(done), total=intcomma(document.stage_total))


@register.simple_tag
def live_words() -> dict[str, Any]:
    """The same sentences for the browser, which hears of later stages as they come."""
    return {
        "stages": {stage.value: [str(words) for words in both] for stage, both in STAGES.items()},
        "statuses": {CANCELLED: _("cancelled"), **{each.value: str(each.label) for each in Status}},
    }


@register.filter
def verdict(document: Document) -> str:
    return _(VERDICTS[Quality(document.quality)]) if document.quality else ""


@register.filter
def percent(share: float | None) -> str:
    """A share from 0 to 1 as whole percent; what is more than nothing is never shown as nothing."""
    if share is None:
        return ""
    if 0 < share < 0.01:
        return _("under 1 %")
    return f"{share:.0%}".replace("%", " %")


@register.filter
def language_name(code: str) -> str:
    """“German” for “de”; the code itself where Django knows no name."""
    try:
        # Django names Chinese by its two scripts alone.
        return _("Chinese") if code == "zh" else str(get_language_info(code)["name_translated"])
    except KeyError:
        return code


@register.filter
def is_pictured(document: Document) -> bool:
    """Whether its pages may have pictures: a kind that is drawn, and pages that have been read."""
    return document.shown_kind in PICTURED_KINDS and getattr(document, "page_count", 1) > 0


@register.simple_tag
def thumbnail_url(document: Document, page: Any = 1) -> str:
    """With the version of the file where the row was read with it: such an address is kept for good."""
    # A list calls its own page "page" too; its documents are shown by their first.
    given: dict[str, Any] = {"page": page if isinstance(page, int) else 1}
    if not {"file", "indexed_file"} & document.get_deferred_fields():
        given["v"] = version_of(document)
    return f"{reverse('document-thumbnail', args=[document.pk])}?{urlencode(given)}"


@register.filter
def page_name(page: Page) -> str:
    """“page iv (4)” where the document calls its fourth page so."""
    if not page.label or page.label == str(page.number):
        return _("page %(number)s") % {"number": page.number}
    sheet = page.document.kind == "xlsx"
    words = _("sheet %(label)s (%(number)s)") if sheet else _("page %(label)s (%(number)s)")
    return words % {"label": page.label, "number": page.number}
