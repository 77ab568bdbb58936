"""How a sentence of an answer is shown: inline Markdown without HTML, links and images, and then sanitised.

A language model writes Markdown, and what it writes may come from a passage that told it to. A quote is
verbatim: it is Markdown only where its document is. The API gives every sentence as it is.
"""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING

from django.utils.safestring import SafeString, mark_safe

from documents.invisible import visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

#: All that is ever left of an answer's markup. No element of these may carry an attribute.
TAGS = {"em", "strong", "code", "s", "mark"}
#: Rules that would make links, images, HTML or line breaks: what they would have read stays as it is written.
SWITCHED_OFF = ["link", "image", "autolink", "html_inline", "newline"]
#: Where the exact answer begins and ends, while Markdown is read: characters that belong to nobody.
BEGIN, END = "\ue000", "\ue001"


def rendered(text: str, *, markdown: bool, span: tuple[int, int] | None = None) -> SafeString:
    """``text`` as HTML that is safe wherever text may stand; characters ``span`` of it are marked."""
    import nh3

    shown = visible(marked(text, span))
    html = parser().renderInline(shown) if markdown else escape(shown)
    html = html.replace(BEGIN, "<mark>").replace(END, "</mark>")
    return mark_safe(nh3.clean(html, tags=TAGS, attributes={}, link_rel=None))  # noqa: S308


def marked(text: str, span: tuple[int, int] | None) -> str:
    """With ``BEGIN`` and ``END`` around the span, and nowhere else."""
    start, end = span or (0, 0)
    parts = [part.replace(BEGIN, "").replace(END, "") for part in (text[:start], text[start:end], text[end:])]
    return f"{parts[0]}{BEGIN}{parts[1]}{END}{parts[2]}" if parts[1] else "".join(parts)


@cache
def parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("js-default", {"html": False, "linkify": False}).disable(SWITCHED_OFF)
