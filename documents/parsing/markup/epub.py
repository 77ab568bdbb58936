"""EPUB: the chapters in the order of the book's spine, each on pages of its own."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from lxml import etree

from documents.exceptions import UnreadableDocument
from documents.parsing import archive
from documents.parsing.builder import PageBuilder, one_line
from documents.parsing.markup import tree as markup
from documents.parsing.markup.html import decode_page, iso_date, language, xhtml_tree
from documents.parsing.types import ParsedDocument, Report, unheard

PROTECTED = (
    "This e-book is protected against copying (DRM), so its text cannot be read. Upload a copy without "
    "protection."
)
NO_BOOK = "This e-book does not say which of its files are its chapters. Convert it again and upload that."

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
#: What hides fonts from being copied leaves the text as it is.
_FONT_OBFUSCATION = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "application/xml", "text/xml", "")
_HEADINGS = tuple(markup.HEADINGS)
#: Dublin Core's names for ours.
_METADATA = {"title": "title", "author": "creator", "subject": "description", "language": "language"}


@dataclass(frozen=True, slots=True)
class _Package:
    """The book's description of itself: ``root`` of the OPF file, and the folder it lies in."""

    root: etree._Element
    folder: str

    def locate(self, href: str) -> str:
        """The archive's name for what the package refers to; a path out of the archive finds nothing."""
        path = unquote(href.partition("#")[0])
        return posixpath.normpath(posixpath.join(self.folder, path))


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """Read a book without protection. Chapters that are missing from the file are passed over."""
    builder = PageBuilder()
    with archive.opened(path) as book:
        names = set(book.namelist())
        if _ENCRYPTION in names and _is_protected(archive.parse_xml(archive.read(book, _ENCRYPTION))):
            raise UnreadableDocument(PROTECTED)
        package = _package(book)
        chapters = [name for name in _spine(package) if name in names]
        titles = _titles(book, package) if chapters else {}
        for number, name in enumerate(chapters):
            _write(archive.read(book, name), titles.get(name, ""), builder)
            report(number + 1, len(chapters))
    metadata = _metadata(package.root)
    return builder.build(title=metadata["title"], metadata=metadata)


def _write(content: bytes, title: str, builder: PageBuilder) -> None:
    root = xhtml_tree(decode_page(content))
    if root is None:
        return
    builder.end_page()
    has_heading = any(markup.words(heading).strip() for heading in root.iter(*_HEADINGS))
    if title and not has_heading and markup.words(root).strip() not in ("", title):
        builder.heading(title, 1)
    markup.write(root, builder, skipped=_is_navigation)


def _is_navigation(element: etree._Element) -> bool:
    """The book's own table of contents."""
    return bool(element.tag == "nav")


def _is_protected(root: etree._Element) -> bool:
    methods = (method.get("Algorithm") for method in root.iterfind(".//{*}EncryptedData/{*}EncryptionMethod"))
    return any(method not in _FONT_OBFUSCATION for method in methods)


def _package(book: zipfile.ZipFile) -> _Package:
    if _CONTAINER not in book.namelist():
        raise UnreadableDocument(NO_BOOK)
    rootfile = archive.parse_xml(archive.read(book, _CONTAINER)).find(".//{*}rootfile[@full-path]")
    name = posixpath.normpath((rootfile.get("full-path") or "") if rootfile is not None else "")
    if name not in book.namelist():
        raise UnreadableDocument(NO_BOOK)
    return _Package(archive.parse_xml(archive.read(book, name)), posixpath.dirname(name))


def _manifest(package: _Package) -> dict[str, etree._Element]:
    return {item.get("id") or "": item for item in package.root.iterfind("{*}manifest/{*}item[@href]")}


def _spine(package: _Package) -> Iterator[str]:
    """The names of the chapters, each once."""
    manifest = _manifest(package)
    references = (item.get("idref") or "" for item in package.root.iterfind("{*}spine/{*}itemref"))
    items = (manifest[reference] for reference in dict.fromkeys(references) if reference in manifest)
    pages = (item.get("href") or "" for item in items if (item.get("media-type") or "") in _PAGES)
    return iter(dict.fromkeys(package.locate(page) for page in pages))


def _titles(book: zipfile.ZipFile, package: _Package) -> dict[str, str]:
    """What the table of contents calls the chapters, for those without a heading of their own."""
    titles: dict[str, str] = {}
    for item in _manifest(package).values():
        name = package.locate(item.get("href") or "")
        if name not in book.namelist():
            continue
        inner = _Package(package.root, posixpath.dirname(name))
        if item.get("media-type") == "application/x-dtbncx+xml":
            entries = _ncx_entries(archive.parse_xml(archive.read(book, name)))
        elif "nav" in (item.get("properties") or "").split():
            entries = _nav_entries(xhtml_tree(decode_page(archive.read(book, name))))
        else:
            continue
        for href, title in entries:
            titles.setdefault(inner.locate(href), title)
    return titles


def _ncx_entries(root: etree._Element) -> Iterator[tuple[str, str]]:
    for point in root.iterfind(".//{*}navPoint"):
        text, content = point.find("{*}navLabel/{*}text"), point.find("{*}content[@src]")
        if text is not None and content is not None:
            yield content.get("src") or "", one_line("".join(text.itertext()))


def _nav_entries(root: etree._Element | None) -> Iterator[tuple[str, str]]:
    for nav in root.iter("nav") if root is not None else ():
        if nav.get("{http://www.idpf.org/2007/ops}type") in ("toc", None):
            yield from ((link.get("href") or "", one_line(markup.words(link))) for link in nav.iter("a"))


def _metadata(root: etree._Element) -> dict[str, str]:
    found = {ours: _said(root, theirs) for ours, theirs in _METADATA.items()}
    found["language"] = language(found["language"])
    authors = [one_line("".join(element.itertext())) for element in root.iterfind("{*}metadata//{*}creator")]
    found["author"] = ", ".join(filter(None, authors))
    modified = root.find("{*}metadata/{*}meta[@property='dcterms:modified']")
    dates = {
        "created": _said(root, "date"),
        "modified": (modified.text or "") if modified is not None else "",
    }
    return found | {key: iso_date(date) for key, date in dates.items()}


def _said(root: etree._Element, name: str) -> str:
    """The first of the book's statements of that name; descriptions may hold markup."""
    element = root.find(f"{{*}}metadata//{{*}}{name}")
    text = "".join(element.itertext()) if element is not None else ""
    tree = xhtml_tree(f"<p>{text}</p>") if "<" in text else None
    return one_line(markup.words(tree) if tree is not None else text)
