"""System checks say what is wrong with the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from portal import checks
from search.generation import embedded


def embedded_check() -> list[Any]:
    """As where its packages are not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "missing_packages", lambda: ["xllamacpp"])
        return checks.check_embedded_llm()


@pytest.mark.parametrize(
    ("check", "changes", "expected"),
    [
        (checks.check_servers, {"DATABASE_URL": "postgres://h/d", "REDIS_URL": ""}, "portal.E001"),
        (checks.check_servers, {"DATABASE_URL": "", "REDIS_URL": "redis://h"}, "portal.E001"),
        (checks.check_secret_key, {"SECRET_KEY": "short"}, "portal.E002"),
        (checks.check_engine, {"EMBEDDING_ENGINE": "gpu"}, "portal.E003"),
        (checks.check_data_dir, {"DATA_DIR": Path("/nowhere/at/all")}, "portal.E004"),
        (checks.check_llm, {"LLM_BASE_URL": "http://h", "LLM_MODEL": ""}, "portal.E005"),
        (embedded_check, {"LLM_BASE_URL": "", "LLM_MODEL": "embedded"}, "portal.E006"),
        (checks.check_unsupported, {"UNSUPPORTED_SENTENCES": "hide"}, "portal.E007"),
    ],
)
def test_what_is_wrong_is_named(check: Any, changes: dict[str, Any], expected: str, settings: Any) -> None:
    assert check() == []
    for name, value in changes.items():
        setattr(settings, name, value)
    assert [message.id for message in check()] == [expected]


def test_an_old_pgvector_is_warned_about(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_pgvector(databases=["default"]) == []
    monkeypatch.setattr(checks, "pgvector_version", lambda alias: (0, 8, 1))
    assert [message.id for message in checks.check_pgvector(databases=["default"])] == ["portal.W001"]


def test_without_a_database_nothing_is_asked() -> None:
    assert checks.check_pgvector(databases=None) == []
