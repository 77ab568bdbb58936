"""What the portal's processes may load before they are asked for anything, in a process of its own each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: What only some requests or jobs need, and why no process holds it from its start.
HEAVY = {
    "torch": "gigabytes, and not in base",
    "transformers": "comes with torch",
    "sentence_transformers": "comes with torch",
    "onnxruntime": "25 MB before any model: the first query loads it",
    "tokenizers": "the first query loads it",
    "numpy": "12 MB: for vectors and for scores of an evaluation",
    "openai": "15 MB of files: only for an endpoint that is set",
    "mcp": "for the first call of a tool",
    "mcp_types": "comes with mcp",
    "PIL": "pictures are made in the jail",
    "pypdf": "files are parsed in the jail",
    "pypdfium2": "files are parsed in the jail",
    "lxml": "files are parsed in the jail",
    "docx": "files are parsed in the jail",
    "pptx": "files are parsed in the jail",
    "markdown_it": "for the first answer that is rendered",
    "nh3": "for the first answer that is rendered",
    "py3langid": "4 MB of weights: languages are told in the jail",
    "watchfiles": "for manage.py watch",
    "tqdm": "for commands with a bar",
}
WEB = "import portal.asgi"
WORKER = "import django; django.setup(); import documents.management.commands.worker"
OWNER = "import portal.embedded.owner"


@pytest.mark.parametrize("process", [WEB, WORKER], ids=["web", "worker"])
def test_a_process_that_has_just_started_holds_nothing_heavy(process: str) -> None:
    assert loaded(process) & set(HEAVY) == set()


def test_the_web_process_has_every_view_before_its_first_request() -> None:
    assert {"portal.urls", "search.api", "documents.views"} <= loaded(WEB)


def test_the_owner_of_the_servers_needs_little() -> None:
    assert loaded(OWNER) & {"redis", "documents", "search"} == set()


def test_what_is_loaded_at_the_start_is_set_aside_from_collections() -> None:
    assert printed(f"{WEB}; import gc; print(gc.isenabled(), gc.get_freeze_count() > 50_000)") == "True True"


def loaded(statements: str) -> set[str]:
    return set(printed(f"{statements}; import sys; print(*sys.modules)").split())


def printed(code: str) -> str:
    # The test run's own settings: the embedded servers that they name are running already.
    names = ("PATH", "HOME", "PORTAL_TEST_DATA_DIR", "DATABASE_URL", "REDIS_URL")
    inherited = {name: os.environ[name] for name in names if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", **inherited},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
