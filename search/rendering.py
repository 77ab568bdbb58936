"""How a sentence of an answer is shown: inline Markdown without HTML, links and images, and then sanitised.

A language model writes Markdown, and what it writes may come from a passage that told it to. A quote is
verbatim: it is Markdown only where its document is. The API gives every sentence as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from django.utils.safestring import SafeString, mark_safe

from documents.highlight import cut
from documents.invisible import visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

#: All that is ever left of an answer's markup. No element of these may carry an attribute.
TAGS = {"em", "strong", "code", "s", "mark"}
#: Rules that would make links, images, HTML or line breaks: what they would have read stays as it is written.
SWITCHED_OFF = ["link", "image", "autolink", "html_inline", "newline"]
#: Where what is marked begins and ends, while Markdown is read: characters that belong to nobody.
BEGIN, END = "\ue000", "\ue001"

#: What begins a line of Markdown and is no word of it: a quotation, a list; a line of nothing but signs.
LEADING = re.compile(
    r"^[ \t]{0,8}(?:(?:>[ \t]?)+|[-*+][ \t]+(?:\[[ xX]\][ \t]+)?)|^[ \t]*(?:```.*|~~~.*|[-*_=: \t|]{3,})$",
    re.MULTILINE,
)
HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
ROW = re.compile(r"^[ \t]*\|(.*)\|[ \t]*$", re.MULTILINE)


def rendered(text: str, *, markdown: bool, span: tuple[int, int] | None = None) -> SafeString:
    """``text`` as HTML that is safe wherever text may stand; characters ``span`` of it are marked."""
    return html_of(marked(text, [span] if span else []), markdown=markdown)


def passage(text: str, *, markdown: bool, spans: Iterable[tuple[int, int]] = ()) -> SafeString:
    """A passage in one paragraph: of Markdown the words, without the signs of headings, lists and tables."""
    shown = marked(text, spans)
    return html_of(flat(shown) if markdown else shown, markdown=markdown)


def html_of(text: str, *, markdown: bool) -> SafeString:
    import nh3

    shown = visible(text)
    html = parser().renderInline(shown) if markdown else escape(shown)
    html = html.replace(BEGIN, "<mark>").replace(END, "</mark>")
    return mark_safe(nh3.clean(html, tags=TAGS, attributes={}, link_rel=None))  # noqa: S308


def marked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """With ``BEGIN`` and ``END`` around the spans, and nowhere else."""
    pieces = [(piece.text.replace(BEGIN, "").replace(END, ""), piece.marked) for piece in cut(text, spans)]
    return "".join(f"{BEGIN}{said}{END}" if is_marked and said else said for said, is_marked in pieces)


def flat(text: str) -> str:
    text = HEADING.sub(strong, LINK.sub(r"\1", text))
    return ROW.sub(lambda row: " · ".join(cell.strip() for cell in row[1].split("|")), LEADING.sub("", text))


def strong(heading: re.Match[str]) -> str:
    return heading[1] if "*" in heading[1] else f"**{heading[1]}**"


@cache
def parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("js-default", {"html": False, "linkify": False}).disable(SWITCHED_OFF)
