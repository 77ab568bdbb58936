"""What is tried again, after how long, and what a failure is called."""

from __future__ import annotations

import random
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from search.exceptions import BrokenOff, GenerationFailed, RequestRefused

FIRST_PAUSE_SECONDS = 0.5
#: A server that asks for a longer pause than this is not waited for.
LONGEST_PAUSE_SECONDS = 10.0
#: So much is added to a pause that the server asked for: others were told the same.
JITTER_SECONDS = 0.25

TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
#: Refused for what the request holds, not for the state of the server.
REFUSED = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


def pause_before_retry(error: Exception, attempt: int) -> float | None:
    """Seconds to wait after try ``attempt`` (from 1); None when another would not help."""
    if not is_transient(error):
        return None
    asked = retry_after(error)
    if asked is None:
        return FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311
    if not asked <= LONGEST_PAUSE_SECONDS:  # nor when it is no number
        return None
    return max(asked, 0.0) + random.uniform(0.0, JITTER_SECONDS)  # noqa: S311


def is_transient(error: Exception) -> bool:
    import openai

    if isinstance(error, openai.APIStatusError):
        return error.status_code in TRANSIENT or error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, openai.APIConnectionError | BrokenOff)


def retry_after(error: Exception) -> float | None:
    """Seconds that the server asked to wait: a number, or a date."""
    response = getattr(error, "response", None)
    given = response.headers.get("retry-after", "") if response is not None else ""
    try:
        return float(given)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(given).timestamp() - time.time()
    except ValueError:
        return None


def failure(error: Exception) -> GenerationFailed:
    """The error as the read way knows it."""
    if isinstance(error, GenerationFailed):
        return error
    if isinstance(error, TimeoutError):
        return GenerationFailed("The language model took too long.")
    if getattr(error, "status_code", None) in REFUSED:
        return RequestRefused(f"The language model refused the request: {type(error).__name__}.")
    return GenerationFailed(f"The language model did not answer: {type(error).__name__}.")
