"""What a portal needs before its first request: tables, static files, a user, a model."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, connections

from documents import lexical
from documents.models import Chunk
from portal import environment

FIRST_USER = "admin"
#: A rebuild of so many passages takes about a second; of more, the worker makes it in the background.
REPAIR_AT_ONCE = 10_000
#: Two processes that start at once must not both migrate.
MIGRATION_LOCK = 0x706F7274616C


def prepare_all(password: str) -> str | None:
    """Everything before the first request, safe to repeat.

    Returns the password to show for ``admin``, if there is one to show. Raises
    ``EmbeddingUnavailable`` when no engine can run the embedding model.
    """
    prepare_database()
    prepare_static_files()
    shown = first_user(password)
    prepare_model()
    if Chunk.objects.count() <= REPAIR_AT_ONCE:
        lexical.repair_after_restart()
    connections.close_all()
    return shown


def prepare_if_new() -> None:
    """Tables and first user, where there is no user yet: for commands that come before the first start."""
    with one_at_a_time():
        if not has_users():
            prepare_database()
            first_user(environment.text("ADMIN_PASSWORD"))


def has_users() -> bool:
    users = get_user_model()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [users._meta.db_table])
        (table,) = cursor.fetchone()
    return table is not None and users.objects.exists()


def prepare_database() -> None:
    """Bring the tables up to date, one process at a time."""
    with one_at_a_time():
        call_command("migrate", interactive=False, verbosity=0)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])


def prepare_static_files() -> None:
    """Hash and compress the static files, when they are not those of the last time."""
    marker = Path(settings.STATIC_ROOT) / ".made-from"
    fingerprint = static_fingerprint()
    if marker.exists() and marker.read_text() == fingerprint:
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    marker.write_text(fingerprint)


def static_fingerprint() -> str:
    """Names, sizes and times of what ``collectstatic`` would collect."""
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = Path(storage.path(path)).stat()
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def first_user(password: str) -> str | None:
    """Create the first user if there is none.

    Returns the password to show: the one made up for ``admin``, for as long as it is still valid.
    """
    kept = settings.DATA_DIR / "secrets" / "admin-password"
    users = get_user_model().objects
    if not users.exists():
        made_up = password or secrets.token_urlsafe(12)
        users.create_superuser(FIRST_USER, password=made_up)
        if not password:
            keep(kept, made_up)
    if not kept.exists():
        return None
    shown = kept.read_text()
    user = users.filter(username=FIRST_USER).first()
    if user is None or not user.check_password(shown):
        kept.unlink()
        return None
    return shown


def keep(path: Path, secret: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(secret)


def prepare_model() -> None:
    """The space that serves, and an ONNX file for its model. Raises ``EmbeddingUnavailable``."""
    from documents.embedding import weights
    from documents.embedding.registry import model_card, onnx_file
    from documents.exceptions import EmbeddingUnavailable
    from documents.spaces import ensure_active_space

    model = ensure_active_space().model
    try:
        onnx_file(weights.locate(model), model_card(model))
    except EmbeddingUnavailable:
        # Another model than the packaged one: its file has to be made once, where ml is installed.
        call_command("prepare_models", model=model, reranker="")
