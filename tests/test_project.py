"""The project itself: its top level, its pins, its documentation of every setting."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent
TOP_LEVEL = {
    *("manage.py", "portal", "documents", "search", "templates", "static", "Dockerfile", "requirements"),
    *("tests", "README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "benchmarks", "deploy", "docs"),
    *(".ci", ".gitignore", ".dockerignore"),
}


def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_top_level_is_as_agreed() -> None:
    assert {path.split("/", 1)[0] for path in tracked()} <= TOP_LEVEL


def test_no_large_file_is_tracked() -> None:
    large = [
        path for path in tracked() if (ROOT / path).exists() and (ROOT / path).stat().st_size > 1_000_000
    ]
    assert large == []


def test_every_requirement_is_pinned() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        for line in path.read_text().splitlines():
            if line and not line.startswith(("#", "-")):
                assert "==" in line, f"{path.name}: {line}"


def test_base_needs_no_torch() -> None:
    names = (ROOT / "requirements" / "base.txt").read_text().lower()
    assert not re.search(r"^(torch|sentence-transformers|transformers)\b", names, re.MULTILINE)


def test_every_variable_of_the_settings_is_documented() -> None:
    settings = (ROOT / "portal" / "settings.py").read_text()
    documented = (ROOT / "docs" / "configuration.md").read_text()
    variables = re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings)
    assert len(variables) > 15
    assert [name for name in variables if f"`{name}`" not in documented] == []


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_system_checks_pass() -> None:
    call_command("check", fail_level="WARNING")


def test_an_installed_environment_keeps_the_languages_of_the_portal(tmp_path: Path) -> None:
    for language in ("de", "en", "fr", "pt_BR"):
        texts = tmp_path / "django" / "conf" / "locale" / language / "LC_MESSAGES"
        texts.mkdir(parents=True)
        (texts / "django.mo").touch()
        (texts.parent / "formats.py").touch()
        (texts.parent / "__pycache__").mkdir()
    subprocess.run(["sh", str(ROOT / "requirements" / "slim.sh"), str(tmp_path)], check=True)
    kept = {path.parts[-3] for path in tmp_path.rglob("django.mo")}
    assert kept == {code for code, _name in settings.LANGUAGES}
    assert len(list(tmp_path.rglob("formats.py"))) == 4
    assert list(tmp_path.rglob("__pycache__")) == []


def test_an_installed_torch_keeps_what_it_runs_with(tmp_path: Path) -> None:
    torch = tmp_path / "site-packages" / "torch"
    for name in ("include/torch.h", "test/test_api", "bin/test_jit", "bin/torch_shm_manager", "nn/module.py"):
        (torch / name).parent.mkdir(parents=True, exist_ok=True)
        (torch / name).touch()
    subprocess.run(["sh", str(ROOT / "requirements" / "slim.sh"), str(tmp_path)], check=True)
    kept = {path.name for path in torch.rglob("*") if path.is_file()}
    assert kept == {"torch_shm_manager", "module.py"}
