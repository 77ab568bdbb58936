"""Everything that people read is marked for translation: templates, and what JavaScript shows."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings

TEMPLATES = settings.BASE_DIR / "templates"
SCRIPTS = settings.BASE_DIR / "static" / "js"
#: What is the same in every language.
ALLOWED = {
    *("API", "OpenAPI 3.1", "JSON", "Markdown", "ms", "p.", "MRR", "z", "Esc"),
    *("title:", "tag:", "type:pdf", "after:2022 before:2024-05"),
}
SHOWN = {"aria-label", "title", "placeholder", "alt", "aria-description", "label", "summary"}
BLOCK = re.compile(
    r"{%\s*blocktranslate\b.*?{%\s*endblocktranslate\s*%}|{%\s*comment\b.*?endcomment\s*%}"
    r"|{%\s*block (?:\w+_class|coltype)\s*%}.*?{%\s*endblock\s*%}",
    re.S,
)
TAG = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}", re.S)
#: ``date:"j M Y"`` is written the same everywhere; ``date:"DATE_FORMAT"`` as each language does.
OWN_FORMAT = re.compile(r"""\|(?:date|time|naturalday):(["'])(?!c\1|[A-Z_]{2,}\1).*?\1""")
#: A sentence in a script: a string that begins with a capital and has a space.
SENTENCE = re.compile(r"""(["'`])([A-Z][a-z]+(?: [\w,.…’-]+)+)\1""")


class Unmarked(HTMLParser):
    """Text and attributes that hold letters once the tags of Django are out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in ("style", "script")
        for name, value in attrs:
            if name in SHOWN or name.startswith(("data-text-", "data-key-label")):
                self.note(value or "")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.note(data)

    def note(self, text: str) -> None:
        for part in text.split("\x00"):
            if re.search(r"[^\W\d_]", part) and part.strip(' \n·–›*#()/,.…“”-"') not in ALLOWED:
                self.found.append(" ".join(part.split()))


def unmarked(source: str) -> list[str]:
    parser = Unmarked()
    parser.feed(TAG.sub("\x00", BLOCK.sub("\x00", source)))
    parser.close()
    return parser.found


def names(folder: Path, pattern: str) -> list[str]:
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob(pattern))]


@pytest.mark.parametrize("name", names(TEMPLATES, "*.html"))
def test_templates_say_nothing_that_is_not_marked(name: str) -> None:
    assert unmarked((TEMPLATES / name).read_text()) == []


@pytest.mark.parametrize("name", names(TEMPLATES, "*.html"))
def test_templates_leave_the_order_of_day_and_month_to_the_language(name: str) -> None:
    assert OWN_FORMAT.findall((TEMPLATES / name).read_text()) == []


@pytest.mark.parametrize("name", names(SCRIPTS, "*.js"))
def test_scripts_have_their_words_from_the_page(name: str) -> None:
    code = re.sub(r"^\s*(?://|\*|/\*).*$", "", (SCRIPTS / name).read_text(), flags=re.M)
    assert [found for _quote, found in SENTENCE.findall(code)] == []


def test_what_is_not_marked_is_found() -> None:
    source = '<p title="One {{ n }}">{% translate "Two" %} three<b data-text-of="Four">{{ five }}</b> ms</p>'
    assert unmarked(source) == ["One", "three", "Four"]
