"""Loads the model soon after the start of a process, beside its work, so that the first query is fast."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connections

from documents.embedding.base import Embedder
from documents.exceptions import EmbeddingUnavailable

logger = logging.getLogger(__name__)

#: A process is ready before that: loading takes a core for half a second.
AFTER_SECONDS = 1.0
WORDS = "A model loads at its first use."


def begin(get: Callable[[str], Embedder], after: float = AFTER_SECONDS) -> None:
    """In a thread that no end of the process waits for; ``get`` is one of ``registry``."""
    if settings.MODEL_WARMING:
        threading.Thread(target=warm, args=(get, after), name="model warming", daemon=True).start()


def warm(get: Callable[[str], Embedder], after: float) -> None:
    from documents.spaces import active_space

    time.sleep(after)
    try:
        if space := active_space():
            get(space.model).encode([WORDS])
    except (EmbeddingUnavailable, DatabaseError) as error:
        # Whoever needs the model tries again, and says what is missing.
        logger.info("the model was not loaded ahead: %s", error)
    finally:
        connections.close_all()
