"""Sentences of the read way that are stored or made where no reader is at hand (``documents.told``)."""

from __future__ import annotations

from django.utils.translation import gettext_noop as noop

from documents.told import said_by
from search.exceptions import SearchError

SENTENCES = (
    *said_by(SearchError),
    noop("The answer could not be written."),
    noop("The language model took too long."),
    noop("The language model returned no text."),
    noop("The language model did not answer: %(error)s."),
    noop("The language model refused the request: %(error)s."),
)
