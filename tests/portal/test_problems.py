"""Errors as problem objects, and as pages for people."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db import DataError, OperationalError
from django.test import Client, RequestFactory
from rest_framework import exceptions as rest
from rest_framework.test import APIClient

from documents.exceptions import UnsupportedType
from portal import problems
from search.exceptions import TooManyAnswers

Api = Callable[[User | None], APIClient]
PROBLEM = "application/problem+json"


def answer(error: Exception, path: str = "/api/v1/x/") -> Any:
    found = problems.answer_to(error, RequestFactory().get(path))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnsupportedType(), 415),
        (TooManyAnswers(), 503),
        (ValidationError("no"), 400),
        (rest.MethodNotAllowed("PUT"), 405),
        (OperationalError("FATAL: password of secret_role"), 503),
        (DataError("SELECT secret"), 400),
    ],
)
def test_every_error_is_a_problem_without_secrets(error: Exception, status: int) -> None:
    response = answer(error)
    assert response.status_code == status
    assert response["Content-Type"] == PROBLEM
    assert b"secret" not in response.content
    assert b'"instance": "/api/v1/x/"' in response.content


def test_a_database_that_is_gone_says_when_to_come_back() -> None:
    assert answer(OperationalError("gone"))["Retry-After"] == problems.RETRY_SECONDS


def test_an_unforeseen_error_is_left_to_be_logged() -> None:
    assert problems.answer_to(RuntimeError("x"), RequestFactory().get("/")) is None


def test_nested_errors_name_the_place() -> None:
    error = rest.ValidationError({"messages": [{"role": ["needed"]}], "q": ["empty"]})
    assert problems.flat_errors(error.detail)["q"] == ["empty"]
    assert problems.flat_errors({"a": {"b": ["no"]}}) == {"a.b": ["no"]}


def test_openai_clients_find_their_error_object() -> None:
    assert b'"error": {"message"' in answer(UnsupportedType(), "/v1/chat/completions").content


def test_without_a_token_the_door_says_what_it_wants(client: Client, db: None) -> None:
    response = client.get("/api/v1/documents/")
    assert response.status_code == 401
    assert response["Content-Type"] == PROBLEM
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_wrong_token_is_401(client: Client, db: None) -> None:
    response = client.get("/api/v1/documents/", headers={"Authorization": "Bearer dp_wrong"})
    assert response.status_code == 401
    assert "unknown" in response.json()["detail"]


def test_broken_json_is_a_problem(api: Api, alice: User) -> None:
    response = api(alice).post("/api/v1/answers/", data="{", content_type="application/json")
    assert response.status_code == 400
    assert response["Content-Type"] == PROBLEM


def test_deeply_nested_json_is_a_problem(api: Api, alice: User) -> None:
    response = api(alice).post("/api/v1/answers/", data="[" * 100_000, content_type="application/json")
    assert (response.status_code, response["Content-Type"]) == (400, PROBLEM)


def test_a_stale_form_gets_a_page(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post("/login/", {"username": "x"})
    assert response.status_code == 403
    assert response["Content-Type"].startswith("text/html")


def test_unknown_addresses(client: Client, db: None) -> None:
    program = client.get("/api/v1/nothing/")
    assert (program.status_code, program["Content-Type"]) == (404, PROBLEM)
    person = client.get("/nothing/", headers={"Accept": "text/html"})
    assert person.status_code == 404
    assert person["Content-Type"].startswith("text/html")


def test_a_session_needs_the_csrf_token(alice: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice)
    response = client.post("/api/v1/collections/", {"name": "X"})
    assert (response.status_code, response["Content-Type"]) == (403, PROBLEM)


def test_an_unforeseen_error_shows_nothing(monkeypatch: pytest.MonkeyPatch, api: Api, alice: User) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("SELECT secret FROM x")

    monkeypatch.setattr("documents.api.visible_document", broken)
    client = api(alice)
    client.raise_request_exception = False
    response = client.get("/api/v1/documents/00000000-0000-0000-0000-000000000000/")
    assert (response.status_code, response["Content-Type"]) == (500, PROBLEM)
    assert b"secret" not in response.content


def test_a_lost_database_on_a_page_is_503(monkeypatch: pytest.MonkeyPatch, alice: User) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("documents.list_views.shown", broken)
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    response = client.get("/documents/")
    assert response.status_code == 503
    assert response["Retry-After"] == problems.RETRY_SECONDS


@pytest.mark.parametrize("path", ["/api/v1/documents/", "/documents/upload/"])
def test_a_disk_that_is_full_before_any_view_is_507(
    path: str, monkeypatch: pytest.MonkeyPatch, alice: User, settings: Any
) -> None:
    """A large upload is written to disk while the request is read."""

    def full(file: Any, *_: Any) -> None:
        file.close()
        raise OSError(errno.ENOSPC, "No space left on device")

    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
    monkeypatch.setattr("django.core.files.uploadhandler.TemporaryUploadedFile.write", full)
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    response = client.post(path, {"file": ContentFile(b"x" * 1000, name="large.txt")})
    assert response.status_code == 507
    assert b"no room left" in response.content
