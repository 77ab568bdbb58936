"""HTML: what a person would read of the page. Nothing that it refers to is ever fetched."""

from __future__ import annotations

import codecs
import re
from html.entities import html5

from lxml import etree

from documents.exceptions import UnreadableDocument
from documents.parsing.builder import PageBuilder, one_line
from documents.parsing.detection import wide_encoding
from documents.parsing.markup import tree as markup
from documents.parsing.text import decode
from documents.parsing.types import ParsedDocument, Report, unheard

TOO_DEEP = (
    "The elements of this page are nested too deeply. Open it in a browser, print it to a PDF file, and "
    "upload that."
)
#: Of a page's text; where menus hold more, they are what it is about.
MOST_IN_MARGINS = 0.3
#: What may stand around the menus of a page; those of a section are a part of it.
_FRAMES = frozenset({"html", "body", "div", "header", "form", "center"})
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_XML_NAMES = ("amp", "lt", "gt", "quot", "apos")

_DECLARED = re.compile(
    rb"""<meta[^>]{0,500}charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]{0,200}encoding\s*=\s*["']([\w.:-]+)""",
    re.IGNORECASE,
)
#: What browsers read for what pages declare: the larger sets, of which people use the larger part.
_READ_AS = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}
#: Codecs of Python that are no encodings of files: slow, or made for something else.
_REFUSED = ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7")
_AMPERSAND = re.compile(r"&(?:#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|(\w{1,40});)?")
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?)?)?")

#: Names of <meta> elements, best first.
_META = {
    "author": ("author", "dc.creator", "dcterms.creator", "article:author"),
    "subject": ("description", "og:description", "dc.description", "dcterms.abstract"),
    "keywords": ("keywords",),
    "created": ("date", "article:published_time", "dc.date", "dcterms.created", "dcterms.date"),
    "modified": ("last-modified", "article:modified_time", "dcterms.modified"),
    "language": ("content-language", "dc.language"),
}


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """Read a page without its menus and margins, where it says which they are."""
    with open(path, "rb") as file:
        text = decode_page(file.read())
    builder = PageBuilder()
    root = xhtml_tree(text) if text.lstrip().startswith("<?xml") else page_tree(text)
    if root is None:
        return builder.build()
    margins = _margins(root)
    markup.write(root, builder, skipped=margins.__contains__)
    return builder.build(title=_title(root), metadata=_metadata(root))


def _margins(root: etree._Element) -> frozenset[etree._Element]:
    """Menus and footers of the page as a whole; none when they hold much of its text."""
    found = [element for element in root.iter(etree.Element) if _is_margin(element)]
    length = sum(len(one_line(markup.words(element))) for element in found)
    whole = len(one_line(markup.words(root))) if found else 0
    return frozenset(found) if length < MOST_IN_MARGINS * whole else frozenset()


def _is_margin(element: etree._Element) -> bool:
    if element.tag not in ("nav", "footer") and element.get("role") not in ("navigation", "contentinfo"):
        return False
    return all(parent.tag in _FRAMES and not _is_named(parent) for parent in element.iterancestors())


def _is_named(element: etree._Element) -> bool:
    """A margin within a margin, or a footer of what is to be read."""
    return element.get("role") in ("navigation", "contentinfo", "main", "article")


def page_tree(text: str) -> etree._Element | None:
    """The page's elements, or None without any. Raises ``UnreadableDocument`` when they are too deep."""
    # The depth that libxml2 allows with huge_tree is 2,048; beyond it, reading just ends.
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    content = text.replace("\0", "").encode("utf-8", "replace")
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:  # without a single element
        return None
    if "Excessive depth" in str(parser.error_log):
        raise UnreadableDocument(TOO_DEEP)
    return root


def xhtml_tree(text: str) -> etree._Element | None:
    """The same for a page that says it is XML; one that is not well-formed is read as HTML."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True,
        huge_tree=True, encoding="utf-8",
    )  # fmt: skip
    text = _AMPERSAND.sub(_spelled_out, text)
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return page_tree(text)
    for element in root.iter():
        element.tag = etree.QName(element).localname.lower()
    return root


def _spelled_out(reference: re.Match[str]) -> str:
    """XML knows five names of characters, HTML two thousand. No other entity survives."""
    name = reference[1]
    if name in _XML_NAMES or (reference[0] != "&" and name is None):
        return reference[0]
    character = html5.get(f"{name};", "")
    return character or f"&amp;{reference[0][1:]}"


def decode_page(content: bytes, charset: str = "") -> str:
    """Decode by byte order mark, as UTF-8, by ``charset`` or what the page declares, or by a guess."""
    if wide_encoding(content[:4096]):
        return decode(content)
    declared = _codec(charset) or _codec(_declared(content))
    if not declared or declared == "utf-8" or _is_utf8(content):
        return decode(content)
    return content.decode(declared, "replace")


def _is_utf8(content: bytes) -> bool:
    """Beyond ASCII, nothing but UTF-8 looks like UTF-8, whatever the page says."""
    if content.isascii():
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _declared(content: bytes) -> str:
    found = _DECLARED.search(content[:8192])
    return (found[1] or found[2]).decode("ascii", "replace") if found else ""


def _codec(name: str) -> str:
    """The codec for a declared encoding, or nothing."""
    try:
        codec = codecs.lookup(name.strip().lower()).name if name.isascii() and name.strip() else ""
        "".encode(codec or "utf-8")  # LookupError for codecs that are not about text
    except (LookupError, ValueError):
        return ""
    if codec in _REFUSED or codec.startswith(("utf-16", "utf-32")):
        return ""  # a page whose declaration can be read as ASCII is not in UTF-16
    return _READ_AS.get(codec, codec)


def _title(root: etree._Element) -> str:
    for element in root.iter("title"):
        parent = element.getparent()
        if parent is not None and parent.tag in ("head", "html") and (text := _text(element)):
            return text
    return _meta(root).get("og:title", "")


def _text(element: etree._Element) -> str:
    return one_line("".join(element.itertext()))


def _metadata(root: etree._Element) -> dict[str, str]:
    said = _meta(root)
    found = {key: next((said[n] for n in names if said.get(n)), "") for key, names in _META.items()}
    found["language"] = language(
        root.get("lang") or root.get("xml:lang") or root.get(_XML_LANG) or found["language"]
    )
    for key in ("created", "modified"):
        found[key] = iso_date(found[key])
    return {"title": _title(root), **found}


def _meta(root: etree._Element) -> dict[str, str]:
    named = ((m.get("name") or m.get("property") or m.get("http-equiv") or "", m) for m in root.iter("meta"))
    said: dict[str, str] = {}
    for name, meta in named:
        said.setdefault(name.lower(), one_line(meta.get("content") or ""))
    return said


def iso_date(text: str) -> str:
    """The date at the beginning of the text in ISO 8601, or nothing."""
    found = _DATE.match(text.strip())
    return found[0].replace(" ", "T") if found else ""


def language(tag: str) -> str:
    """The code of a language tag's language: "en" of "en-GB"."""
    code = tag.strip().replace("_", "-").split("-")[0].lower()
    return code if re.fullmatch(r"[a-z]{2,3}", code) else ""
