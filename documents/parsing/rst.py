"""reStructuredText: read by docutils, with Sphinx's additions taken for the text that they hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.languages import en

from documents.parsing import text as plain
from documents.parsing.builder import PageBuilder, one_line
from documents.parsing.markup.html import iso_date
from documents.parsing.markup.tables import Cell, grid
from documents.parsing.types import ParsedDocument, Report, unheard

#: docutils reads about 100 KB a second; a longer file is hardly written by hand, and read as plain text.
MAX_CHARACTERS = 3_000_000
#: docutils drops a whole file over one longer line (its tabs are eight blanks wide), for its patterns
#: take the square of a line's length.
MAX_LINE = 10_000
#: A file with more errors and warnings is no reStructuredText; each costs a walk through its paragraph.
MAX_MESSAGES = 2_000

_SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "line_length_limit": MAX_LINE,
    # Messages stay in the tree: what docutils cannot read is in them, verbatim.
    "report_level": 1,
    "halt_level": 5,
    "syntax_highlight": "none",
    "smart_quotes": False,
    "sectnum_xform": False,
    "trim_footnote_reference_space": False,
    "input_encoding": "unicode",
}
_DIRECTIVE = re.compile(r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([\w.:+-]+?)[ \t]?::", re.MULTILINE)
_ROLE = re.compile(r":((?:[^\W_]+[-._+:])*[^\W_]+):`|`:((?:[^\W_]+[-._+:])*[^\W_]+):")
#: What docutils takes for a comment, and its author did not: a target, note or substitution without its
#: end, or a directive with a sign too many or too few.
_BROKEN = re.compile(r"[_|\[]|[^\n]{0,60}::|[\w-]+:[\w-]+:\s|([\w-]+?)[^\w\n]{0,3}(?::|\n)")
_MALFORMED = re.compile(r"malformed (?:hyperlink target|substitution definition)")
_WORD = re.compile(r"\w+")
_ROLE_TARGET = re.compile(r"(?s)(.+?)\s*<[^<>]*>")
#: They steer a builder or pull in other files, and hold nothing to read. Some have lines of their own;
#: what stands below the others got there by a wrong indent.
_HOLDING = frozenset({"toctree", "index", "raw", "tabularcolumns", "header", "footer", "meta"})
_STEERING = """
contents sectnum section-numbering include literalinclude highlight highlightlang currentmodule
py:currentmodule module py:module default-domain role default-role target-notes title
"""
_SILENT = _HOLDING.union(_STEERING.split())
_CODES = "code code-block sourcecode prompt doctest testcode testoutput productionlist ipython"
_CODE = frozenset(_CODES.split())
#: Words that stand for the directive's name.
_LEADS = {
    "versionadded": "Added in version",
    "versionchanged": "Changed in version",
    "versionremoved": "Removed in version",
    "deprecated": "Deprecated since version",
    "seealso": "See also",
    "todo": "To do",
}
_WELL_KNOWN = frozenset({*en.directives, *_LEADS}) - _SILENT - {"todo"}
_LISTS = (
    nodes.bullet_list,
    nodes.enumerated_list,
    nodes.definition_list,
    nodes.field_list,
    nodes.option_list,
)
_UNREAD = (nodes.comment, nodes.substitution_definition, nodes.target, nodes.raw, nodes.transition)
_VERBATIM = (nodes.literal_block, nodes.doctest_block, nodes.math_block)
_METADATA = {"author": "author", "date": "created", "abstract": "subject"}


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """Read a reStructuredText file; one that docutils gives up on is read as plain text."""
    source = plain.read_text(path).replace("\f", "\n")
    if len(source) > MAX_CHARACTERS or any(len(line) > MAX_LINE for line in source.expandtabs().split("\n")):
        return plain.parse(path, report)
    _learn(source)
    try:
        document = publish_doctree(source, settings_overrides=_SETTINGS | {"warning_stream": _Patience()})
    except Exception:  # broken markup ends in any of docutils' own errors; the words are still there
        return plain.parse(path, report)
    writer = _Writer(source.split("\n"))
    writer.write(document, 1)
    writer.write_messages(_lost(document))
    _write_unused(document, writer.builder)
    return writer.builder.build(metadata=_metadata(document))


class _Patience:
    """Takes docutils' messages, which nobody reads, and ends the reading when there are too many."""

    def __init__(self) -> None:
        self._left = MAX_MESSAGES

    def write(self, message: str) -> None:
        self._left -= "(INFO/" not in message
        if self._left < 0:
            raise OverflowError("too many messages")


def _lost(document: nodes.document) -> list[nodes.system_message]:
    """The messages, with the source that they quote, that docutils has put nowhere in the tree."""
    kept = {id(message) for message in document.findall(nodes.system_message)}
    messages = [*document.parse_messages, *document.transform_messages]
    return [message for message in messages if id(message) not in kept]


def _write_unused(document: nodes.document, builder: PageBuilder) -> None:
    """Substitutions that nothing refers to; a wrong indent makes them of the text below as well."""
    definitions = [_words(node) for node in document.findall(nodes.substitution_definition)]
    if definitions:
        written = set[str]().union(*(_WORD.findall(page.text) for page in builder.build().pages))
        for words in definitions:
            if not written.issuperset(_WORD.findall(words)):
                builder.paragraph(words)


# What docutils does not know


def _learn(source: str) -> None:
    """Tell docutils of each directive and role of the source that it has no definition for."""
    for name in {found.lower() for found in _DIRECTIVE.findall(source)}:
        if name in _SILENT:
            directives.register_directive(name, _Silent)
        elif name in _CODE:
            directives.register_directive(name, _Code)
        elif name not in en.directives:
            directives.register_directive(name, _Unknown)
    for name in {found.lower() for found in chain(*_ROLE.findall(source))} - {""}:
        if name not in en.roles:
            roles.register_local_role(name, _role)


class _AnyOption(dict[str, Callable[[str], str]]):
    """Accepts every option of a directive; none is used."""

    def __missing__(self, name: str) -> Callable[[str], str]:
        return directives.unchanged


class _Unknown(Directive):
    """A directive that stands for its argument and its content."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = _AnyOption(name=directives.unchanged)

    def run(self) -> list[nodes.Node]:
        container = nodes.container()
        words = " ".join(filter(None, (_LEADS.get(self.name.lower(), ""), *self.arguments)))
        if words and self.name != "only":
            inline, messages = self.state.inline_text(words, self.lineno)
            container += [nodes.paragraph(words, "", *inline), *messages]
        self.state.nested_parse(self.content, self.content_offset, container)
        return [container]


class _Code(_Unknown):
    """Source code; its argument is a language, unless there is nothing else."""

    def run(self) -> list[nodes.Node]:
        argument = "".join(self.arguments)
        lines = list(self.content) if "\n" not in argument else [argument, "", *self.content]
        code = "\n".join(lines) or argument
        return [nodes.literal_block(code, code)]


class _Silent(_Unknown):
    def run(self) -> list[nodes.Node]:
        argument = "".join(self.arguments).split("\n")
        text = "\n".join([*argument[1:], *self.content])
        return [nodes.literal_block(text, text)] if text and self.name.lower() not in _HOLDING else []


def _role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Any, options: Any = None, content: Any = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """What a role shows: ``Title <target>`` is its title, ``~package.name`` the name."""
    text = nodes.unescape(text)
    titled = _ROLE_TARGET.fullmatch(text)
    return [nodes.inline(rawtext, titled[1] if titled else text.lstrip("~!"))], []


# From docutils' tree to blocks


class _Writer:
    """Writes the tree's blocks. The items of a list gather until it ends or something else stands in it."""

    def __init__(self, source: list[str]) -> None:
        """``source`` holds the file's lines."""
        self.builder = PageBuilder()
        self._source = source
        self._items: list[tuple[int, str, str]] = []

    def write(self, node: nodes.Node, level: int) -> None:
        """``level`` is that of the headings of the sections that the node holds."""
        for child in node.children:
            self._write(child, level)
            if isinstance(child, nodes.title | nodes.subtitle) and isinstance(node, nodes.document):
                level += 1

    def write_messages(self, messages: Iterable[nodes.Node]) -> None:
        """The source that they quote."""
        for message in messages:
            for block in message.findall(nodes.literal_block):
                self.builder.code(block.astext())

    def _write(self, node: nodes.Node, level: int) -> None:
        if isinstance(node, nodes.section):
            self.builder.heading(_words(node.next_node(nodes.title)), level)
            self.write(node, level + 1)
        elif isinstance(node, nodes.title | nodes.subtitle):
            self._title(node, level)
        elif isinstance(node, _VERBATIM):
            self.builder.code(node.astext())
        elif isinstance(node, nodes.table):
            self._table(node)
        elif isinstance(node, (*_LISTS, nodes.docinfo)):
            self._list(node, 0)
            self._end_list()
        elif isinstance(node, nodes.system_message):
            self.write_messages([node])
        elif isinstance(node, nodes.comment):
            self._comment(node)
        elif isinstance(node, nodes.Admonition):
            self._admonition(node, level)
        elif isinstance(node, nodes.footnote | nodes.citation):
            label, *rest = node.children
            self.builder.paragraph(f"[{label.astext()}] " + "\n".join(map(_words, rest)))
        elif isinstance(node, nodes.line_block):
            self.builder.paragraph("\n".join(map(_words, node.findall(nodes.line))))
        elif isinstance(node, nodes.TextElement | nodes.image) and not isinstance(node, _UNREAD):
            self.builder.paragraph(_words(node))
        elif isinstance(node, nodes.Element) and not isinstance(node, _UNREAD):
            self.write(node, level)

    def _comment(self, node: nodes.comment) -> None:
        """One that was meant for something else is kept as it is."""
        text = node.astext()
        broken = _BROKEN.match(text)
        message = node.next_node(nodes.system_message, descend=False, siblings=True)
        if message is not None and _MALFORMED.search(message.astext()):
            self.builder.code(f"{self._construct_above(int(message.get('line', 0)))}\n{text}")
        elif broken and (broken[1] is None or broken[1].lower() in _WELL_KNOWN):
            self.builder.code(text)

    def _construct_above(self, line: int) -> str:
        """The first line of a malformed construct that ends here, which docutils drops."""
        above = (text.strip() for text in reversed(self._source[:line]))
        return next((text for text in above if text.startswith("..")), "")

    def _title(self, node: nodes.Node, level: int) -> None:
        if isinstance(node.parent, nodes.document):
            self.builder.heading(_words(node), level)
        elif not isinstance(node.parent, nodes.section):
            self.builder.paragraph(_words(node))

    def _admonition(self, node: nodes.Element, level: int) -> None:
        if isinstance(node, nodes.admonition) or not node.children:
            self.write(node, level)
            return
        first, *rest = node.children
        name = node.tagname.capitalize()
        if isinstance(first, nodes.paragraph):
            self.builder.paragraph(f"{name}: {_words(first)}")
        else:
            self.builder.paragraph(f"{name}:")
            self._write(first, level)
        for child in rest:
            self._write(child, level)

    def _table(self, table: nodes.table) -> None:
        for title in table.findall(nodes.title):
            self.builder.paragraph(_words(title))
        rows = list(grid(_cells(row) for row in table.findall(nodes.row)))
        head = sum(isinstance(row.parent, nodes.thead) for row in table.findall(nodes.row))
        self.builder.table(rows, header=head)

    # Lists

    def _list(self, node: nodes.Node, depth: int) -> None:
        for number, item in enumerate(node.children):
            marker = _marker(node, number)
            if isinstance(item, nodes.system_message | nodes.comment):
                self._end_list()
                self._write(item, 9)
            elif isinstance(item, nodes.list_item):
                self._item(item.children, depth, marker, "")
            elif isinstance(item, nodes.authors):
                self._item([], depth, marker, f"Authors: {', '.join(map(_words, item.children))}")
            elif isinstance(item, nodes.TextElement):  # of the docinfo
                self._item([], depth, marker, f"{item.tagname.capitalize()}: {_words(item)}")
            else:
                *names, body = item.children
                lead = " : ".join(map(_words, names))
                self._item(body.children, depth, marker, f"{lead}:" if lead else "")

    def _item(self, children: list[nodes.Node], depth: int, marker: str, lead: str) -> None:
        lines = [lead] if lead else []
        for index, child in enumerate(children):
            if isinstance(child, nodes.paragraph):
                words = _words(child)
                lines = [f"{lead} {words}"] if lead and index == 0 else [*lines, words]
                continue
            if lines:
                self._items.append((depth, marker, "\n".join(lines)))
                lines, marker = [], ""
            if isinstance(child, _LISTS):
                self._list(child, depth + 1)
            else:
                self._end_list()
                self._write(child, 9)
        if lines:
            self._items.append((depth, marker, "\n".join(lines)))

    def _end_list(self) -> None:
        if self._items:
            items, self._items = self._items, []
            self.builder.items(items)


def _marker(node: nodes.Node, index: int) -> str:
    if not isinstance(node, nodes.enumerated_list):
        return "-"
    number = int(node.get("start", 1)) + index
    numeral = str(number)
    if node["enumtype"] in ("loweralpha", "upperalpha") and number <= 26:
        numeral = chr(ord("a" if node["enumtype"] == "loweralpha" else "A") + number - 1)
    return f"{node.get('prefix', '')}{numeral}{node.get('suffix', '.')}"


def _cells(row: nodes.row) -> Iterator[Cell]:
    for entry in row.children:
        yield _words(entry), entry.get("morecols", 0) + 1, entry.get("morerows", 0) + 1


def _words(node: nodes.Node | None) -> str:
    """The text of a paragraph or the like, on one line: its line ends mean nothing."""
    return one_line("".join(_inline(node))) if node is not None else ""


def _inline(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Text):
        yield node.astext()
    elif isinstance(node, nodes.image):
        yield node.get("alt", "")
    elif isinstance(node, nodes.footnote_reference | nodes.citation_reference):
        yield f"[{node.astext()}]"
    elif isinstance(node, nodes.system_message):
        for block in node.findall(nodes.literal_block):
            yield f" {block.astext()} "
    elif not isinstance(node, nodes.raw | nodes.comment):
        yield node.get("delimiter", "") if isinstance(node, nodes.option_argument) else ""
        for child in node.children:
            yield from _inline(child)
            if _stands_apart(child):
                yield " "


def _stands_apart(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Body | nodes.Part) and not isinstance(
        node, nodes.Inline | nodes.option_string | nodes.option_argument
    )


def _metadata(document: nodes.document) -> dict[str, str]:
    info = document.next_node(nodes.docinfo)
    found: dict[str, str] = {}
    for node in info.children if info is not None else ():
        name, value = node.tagname, _words(node)
        if name == "authors":
            name, value = "author", ", ".join(map(_words, node.children))
        elif name == "field":
            name, value = (_words(child) for child in node.children)
        if ours := _METADATA.get(
            name.lower(), name.lower() if name.lower() in ("language", "keywords") else ""
        ):
            found[ours] = iso_date(value) if ours == "created" else value
    return found
