"""A Redis that may be gone: whoever can do without it asks it through one of these."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django_redis import get_redis_connection
from redis.exceptions import RedisError

#: So long nothing is sent to a Redis that did not answer.
PAUSE_SECONDS = 5.0


class Spared:
    """``complaint`` is told to the log at each failure, which is once in a pause."""

    def __init__(self, logger: logging.Logger, complaint: str) -> None:
        self.logger, self.complaint = logger, complaint
        self.paused_until = 0.0

    def ask(self, call: Callable[[Any], Any], failed: Callable[[], None] = lambda: None) -> Any:
        """What Redis answers to ``call``; None when it is gone. ``failed`` is called when that is seen."""
        if time.monotonic() < self.paused_until:
            return None
        try:
            return call(get_redis_connection("default"))
        except (RedisError, OSError) as error:
            self.paused_until = time.monotonic() + PAUSE_SECONDS
            failed()
            self.logger.warning("%s: %s", self.complaint, error)
            return None
