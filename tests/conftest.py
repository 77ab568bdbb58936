"""People and documents that every test may use: alice owns, bob is a member, charlie sees nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.test import TransactionTestCase
from rest_framework.test import APIClient

from documents.models import Collection, Document
from portal.accounts.services import token_create
from tests.databases import empty_tables, forget_at_crashes, rolled_back
from tests.indexed import indexed_document, kept_document
from tests.people import person, research

SHARED_DATA = Path(project.BASE_DIR).parent / "shared" / "data"

MakeDocument = Callable[..., Document]


def pytest_configure() -> None:
    if project.EMBEDDED:
        from portal.embedded import use

        use(project.EMBEDDED_LAYOUT)
        forget_at_crashes(project.DATABASE_ADDRESS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes first: begun last, one process would wait for the other at the end."""
    items.sort(key=lambda item: item.get_closest_marker("acceptance") is None)


@pytest.fixture(autouse=True)
def _clean_cache() -> Iterator[None]:
    from django.core.cache import cache

    from documents import lexical, scope

    yield
    cache.clear()
    lexical.forget_languages()
    scope.forget_estimates()


@pytest.fixture(autouse=True, scope="session")
def _tables_are_emptied() -> Iterator[None]:
    """After a test that commits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield


@pytest.fixture(autouse=True)
def _own_storage(settings: Any, tmp_path: Path) -> None:
    """Originals of one test are not those of another, whose rows are rolled back."""
    default = settings.STORAGES["default"]
    options = {**default["OPTIONS"], "location": str(tmp_path / "files")}
    settings.STORAGES = {**settings.STORAGES, "default": {**default, "OPTIONS": options}}


@pytest.fixture(scope="module")
def module_rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """What fixtures of a module store after this one is there for all its tests, and goes with the last.

    Each test is rolled back to it. Not for a module whose tests commit, or read originals.
    """
    with django_db_blocker.unblock(), rolled_back():
        yield


@pytest.fixture
def alice(db: None) -> User:
    return person("alice")


@pytest.fixture
def bob(db: None) -> User:
    return person("bob")


@pytest.fixture
def charlie(db: None) -> User:
    return person("charlie")


@pytest.fixture
def collection(db: None) -> Collection:
    """Alice's; bob may read it; charlie must see nothing of it."""
    return research()


@pytest.fixture
def upload() -> Callable[..., Document]:
    """Keep a file as its collection's owner would, without indexing it."""
    return kept_document


@pytest.fixture
def make_document() -> MakeDocument:
    """A document that is indexed for real: parsed, split, embedded, stored."""
    return indexed_document


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
