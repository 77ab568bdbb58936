"""A page to read and try the API: our own, because the usual ones bring inline and foreign scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    place: str
    required: bool
    text: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One call, as the page shows it. ``body`` is the media type of what is sent, or empty."""

    id: str
    tag: str
    method: str
    path: str
    text: str
    parameters: tuple[Parameter, ...]
    body: str
    fields: tuple[Parameter, ...]
    statuses: tuple[str, ...]


@require_safe
@ensure_csrf_cookie
def page(request: HttpRequest) -> HttpResponse:
    """Every call under ``/api/v1/``, with a form to try it as whoever is signed in."""
    groups = [(tag, list(found)) for tag, found in groupby(operations(), key=lambda each: each.tag)]
    return render(request, "api_docs.html", {"groups": groups})


@cache
def operations() -> tuple[Operation, ...]:
    """Read from the schema once: neither changes while the process lives."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return tuple(sorted(described(schema), key=lambda each: each.tag))


def described(schema: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                yield operation(schema, path, method, methods[method])


def operation(schema: dict[str, Any], path: str, method: str, found: dict[str, Any]) -> Operation:
    content: dict[str, Any] = found.get("requestBody", {}).get("content", {})
    media_type = next(iter(content), "")
    return Operation(
        id=found["operationId"],
        tag=found["tags"][0],
        method=method.upper(),
        path=path,
        text=found.get("description", ""),
        parameters=tuple(parameter(each) for each in found.get("parameters", [])),
        body=media_type,
        fields=tuple(body_fields(schema, content.get(media_type, {}).get("schema", {}))),
        statuses=tuple(found["responses"]),
    )


def parameter(found: dict[str, Any]) -> Parameter:
    choices = tuple(str(choice) for choice in found.get("schema", {}).get("enum", ()) if choice)
    text = found.get("description", "")
    return Parameter(found["name"], found["in"], found.get("required", False), text, choices)


def body_fields(schema: dict[str, Any], body: dict[str, Any]) -> Iterator[Parameter]:
    named = body.get("$ref", "").rpartition("/")[2]
    described = schema["components"]["schemas"].get(named, body)
    for name, found in described.get("properties", {}).items():
        if not found.get("readOnly"):
            required = name in described.get("required", ())
            place = found.get("format", "") or str(found.get("type", ""))
            yield Parameter(name, place, required, found.get("description", ""), ())
