"""Names of models and fields, as Django makes them of the source's own, in the reader's language.

Where a model or a field has a ``verbose_name`` of its own, it stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from django.apps import apps
from django.db.models import Model
from django.utils.text import camel_case_to_spaces
from django.utils.translation import gettext_lazy

APPS = ("accounts", "documents", "search", "procrastinate")


def name_in_words() -> None:
    for model in named_models():
        for owner, attribute, name in names_of(model):
            setattr(owner, attribute, gettext_lazy(name))


def named_models() -> Iterator[type[Model]]:
    for label in APPS:
        yield from apps.get_app_config(label).get_models()


def names_of(model: type[Model]) -> Iterator[tuple[Any, str, str]]:
    """What holds a name that was made up, the attribute, and the name in English."""
    meta = model._meta
    given = meta.original_attrs
    if "verbose_name" not in given:
        name = camel_case_to_spaces(model.__name__)
        yield meta, "verbose_name", name
        if "verbose_name_plural" not in given:
            yield meta, "verbose_name_plural", f"{name}s"
    for field in (*meta.local_fields, *meta.local_many_to_many):
        if cast(Any, field)._verbose_name is None:
            yield field, "verbose_name", field.name.replace("_", " ")
