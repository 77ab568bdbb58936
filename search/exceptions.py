"""The errors of the read way. The docstring is the message, unless one is given."""

from __future__ import annotations


class SearchError(Exception):
    """The request could not be answered."""

    #: Problem type (RFC 9457) and HTTP status, read once by the project's error handler.
    code = "search-error"
    status = 400

    def __init__(self, message: str = "", **context: object) -> None:
        super().__init__(message or (self.__doc__ or "").strip())
        self.context = context


class BadRequest(SearchError):
    """The request cannot be understood."""

    code = "bad-request"


class NotFound(SearchError):
    """There is nothing here, or nothing that you may see."""

    code = "not-found"
    status = 404


class TooManyAnswers(SearchError):
    """Too many questions are being answered at the moment. Please try again in a few seconds."""

    code = "too-many-answers"
    status = 503


class GenerationFailed(SearchError):
    """The language model did not answer."""

    code = "generation-failed"
    status = 502


class RequestRefused(GenerationFailed):
    """The language model refused the request: it asks for something that this model cannot do."""


class BrokenOff(GenerationFailed):
    """The language model broke off in the middle of its answer."""


class CircuitOpen(GenerationFailed):
    """The language model failed several times in a row and is left alone for half a minute."""


class Interrupted(SearchError):
    """The server stopped while it was answering. Please ask again."""

    code = "interrupted"
    status = 503
