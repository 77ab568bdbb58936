"""People and documents that every test may use: alice owns, bob is a member, charlie sees nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from rest_framework.test import APIClient

from documents import indexing
from documents.models import Collection, Document, Role
from documents.services import collection_create, document_create, membership_set
from portal.accounts.services import token_create

SHARED_DATA = Path(project.BASE_DIR).parent / "shared" / "data"

MakeDocument = Callable[..., Document]


def pytest_configure() -> None:
    if project.EMBEDDED:
        from portal.embedded import use

        use(project.EMBEDDED_LAYOUT)


@pytest.fixture(autouse=True)
def _clean_cache() -> Iterator[None]:
    from django.core.cache import cache

    from documents import lexical

    yield
    cache.clear()
    lexical.forget_languages()


@pytest.fixture(autouse=True)
def _no_jobs_left(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[None]:
    """What a test commits is flushed after it, but for the queue, whose tables Django does not manage."""
    yield
    marker = request.node.get_closest_marker("django_db")
    if "transactional_db" in request.fixturenames or (marker and marker.kwargs.get("transaction")):
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute("TRUNCATE procrastinate_jobs CASCADE")


@pytest.fixture(autouse=True)
def _own_storage(settings: Any, tmp_path: Path) -> None:
    """Originals of one test are not those of another, whose rows are rolled back."""
    default = settings.STORAGES["default"]
    options = {**default["OPTIONS"], "location": str(tmp_path / "files")}
    settings.STORAGES = {**settings.STORAGES, "default": {**default, "OPTIONS": options}}


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", password="alice-password")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", password="bob-password")


@pytest.fixture
def charlie(db: None) -> User:
    return User.objects.create_user("charlie", password="charlie-password")


@pytest.fixture
def collection(alice: User, bob: User, charlie: User) -> Collection:
    """Alice's; bob may read it; charlie must see nothing of it."""
    created = collection_create(owner=alice, name="Research", slug="research")
    membership_set(collection=created, user=bob, role=Role.VIEWER)
    return created


@pytest.fixture
def upload() -> Callable[..., Document]:
    """Keep a file as its collection's owner would, without indexing it."""

    def make(
        collection: Collection, content: bytes | str, *, filename: str = "note.txt", **given: str
    ) -> Document:
        raw = content.encode() if isinstance(content, str) else content
        return document_create(
            user=collection.owner, collection=collection, upload=ContentFile(raw, name=filename), **given
        ).document

    return make


@pytest.fixture
def make_document(upload: Callable[..., Document]) -> MakeDocument:
    """A document that is indexed for real: parsed, split, embedded, stored."""

    def make(
        collection: Collection, content: bytes | str, *, title: str = "", filename: str = "note.txt"
    ) -> Document:
        document = upload(collection, content, filename=filename, title=title)
        indexing.index(document.pk)
        document.refresh_from_db()
        return document

    return make


@pytest.fixture
def api() -> Callable[[User | None], APIClient]:
    """A REST client with a token of the given user; anonymous for None."""

    def make(user: User | None) -> APIClient:
        client = APIClient()
        if user is not None:
            _, secret = token_create(user=user, name="test")
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return client

    return make


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the project; a test that needs it skips where it is missing."""
    if not SHARED_DATA.exists():
        pytest.skip(f"the shared data folder {SHARED_DATA.name} is not beside the project")
    return SHARED_DATA
