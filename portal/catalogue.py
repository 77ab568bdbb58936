"""The catalogue of what people read: strings are gathered from the source, translations kept beside them.

``python -m portal.catalogue`` brings ``portal/locale`` up to date (``make messages``). It needs Babel, which
is no part of a running portal: the compiled catalogues are in the repository (docs/translation.md).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings

if TYPE_CHECKING:
    from babel.messages import Catalog
    from django.db.models import Model

APPS = ("portal", "documents", "search")
ROOT = Path(__file__).resolve().parent.parent
LOCALES = ROOT / "portal" / "locale"
TEMPLATES = ROOT / "templates"
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop", "noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    "npgettext": ((1, "c"), 2, 3),
}
#: ``_("…")`` within the tags of templates.
MARKED = re.compile(r"""\b_\(("[^"]*"|'[^']*')\)""")
#: One time for every writing, so that files change only where words do.
ALWAYS = datetime(2026, 1, 1, tzinfo=UTC)


class Message(NamedTuple):
    """``plural`` is empty where there is none; ``context`` tells like words apart."""

    singular: str
    plural: str = ""
    context: str | None = None


def update(language: str) -> None:
    """Bring a language's two files up to date: new strings come in empty, those that nobody shows go."""
    folder = LOCALES / language / "LC_MESSAGES"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "django.po"
    catalogue = renewed(read(source) if source.exists() else empty(language), gathered())
    source.write_bytes(written(catalogue))
    (folder / "django.mo").write_bytes(compiled(catalogue))


def gathered() -> set[Message]:
    """Every string of the source that people may read. One that has a plural somewhere has it everywhere."""
    found = {*from_python(), *from_exceptions(), *from_models(), *from_templates()}
    with_plural = {(each.singular, each.context) for each in found if each.plural}
    return {each for each in found if each.plural or (each.singular, each.context) not in with_plural}


# --- Gathering ------------------------------------------------------------------------------


def from_python() -> Iterator[Message]:
    from babel.messages.extract import extract

    for path in python_files():
        with path.open("rb") as file:
            for _line, found, _comments, context in extract("python", file, KEYWORDS):
                singular, plural = found if isinstance(found, tuple) else (found, "")
                yield Message(singular, plural, context)


def python_files() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def from_exceptions() -> Iterator[Message]:
    """What an error of the apps says where it is given no message: its docstring."""
    classes = [node for path in python_files() for node in ast.walk(ast.parse(path.read_text()))]
    errors, before = {"DocumentError", "SearchError"}, 0
    while before < len(errors):
        before = len(errors)
        errors |= {each.name for each in classes if isinstance(each, ast.ClassDef) and bases(each) & errors}
    for each in classes:
        if isinstance(each, ast.ClassDef) and each.name in errors:
            yield Message(" ".join((ast.get_docstring(each, clean=False) or "").split("\n")[0].split()))


def bases(node: ast.ClassDef) -> set[str]:
    return {base.id for base in node.bases if isinstance(base, ast.Name)}


def from_models() -> Iterator[Message]:
    """The names that the admin shows."""
    from portal.naming import names_of

    for model in models_in_admin():
        yield from (Message(name) for _owner, _attribute, name in names_of(model))


def models_in_admin() -> set[type[Model]]:
    from django.contrib import admin

    from portal.naming import named_models

    inlines = {each.model for shown in admin.site._registry.values() for each in shown.inlines}
    return {*admin.site._registry, *inlines} & {*named_models()}


def from_templates() -> Iterator[Message]:
    from django.template.loader import get_template

    for path in sorted(TEMPLATES.rglob("*.html")):
        yield from (Message(found[1][1:-1]) for found in MARKED.finditer(path.read_text()))
        template = get_template(str(path.relative_to(TEMPLATES)))
        yield from from_nodes(template.template.nodelist)  # type: ignore[attr-defined]


def from_nodes(nodes: object) -> Iterator[Message]:
    from django.template.base import Node
    from django.templatetags.i18n import BlockTranslateNode, TranslateNode

    for node in nodes.get_nodes_by_type(Node):  # type: ignore[attr-defined]
        if isinstance(node, TranslateNode) and isinstance(literal := node.filter_expression.var.literal, str):
            context = node.message_context.var.literal if node.message_context else None
            yield Message(literal.replace("%", "%%"), context=context)
        elif isinstance(node, BlockTranslateNode):
            singular, _names = node.render_token_list(node.singular)
            plural, _names = node.render_token_list(node.plural) if node.plural else ("", [])
            yield Message(singular, plural)


# --- The two files --------------------------------------------------------------------------


def empty(language: str) -> Catalog:
    from babel.messages import Catalog

    return Catalog(
        language, project="document-portal", creation_date=ALWAYS, revision_date=ALWAYS, fuzzy=False
    )


def renewed(old: Catalog, messages: set[Message]) -> Catalog:
    """``messages`` with the translations that ``old`` has of them."""
    new = empty(str(old.locale))
    for singular, plural, context in sorted(messages, key=lambda each: (each.singular, each.context or "")):
        kept = old.get(singular, context)
        known = kept is not None and isinstance(kept.string, str) != bool(plural)
        new.add(
            (singular, plural) if plural else singular,
            kept.string if kept is not None and known else None,
            user_comments=kept.user_comments if kept is not None else (),
            context=context,
        )
    return new


def read(path: Path) -> Catalog:
    from babel.messages.pofile import read_po

    language = path.parent.parent.name
    with path.open("rb") as file:
        return read_po(file, locale=language)


def written(catalogue: Catalog) -> bytes:
    """Sorted, without places and dates, one string a line: two branches meet in the lines they changed."""
    from babel.messages.pofile import write_po

    buffer = BytesIO()
    write_po(buffer, catalogue, no_location=True, sort_output=True, width=0, omit_header=True)
    head = f"""msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: {catalogue.locale}\\n"
"Plural-Forms: {catalogue.plural_forms}\\n"

"""
    return head.encode() + buffer.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    from babel.messages.mofile import write_mo

    buffer = BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def main() -> None:
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    for language, _name in settings.LANGUAGES:
        if language != settings.LANGUAGE_CODE:
            update(language)


if __name__ == "__main__":
    main()
