"""Office packages (ZIP archives of XML) in the form that the libraries accept.

python-docx and python-pptx refuse files that Word and PowerPoint open: templates, shows, files with
macros, the "Strict" dialect, links to parts that are not there. They also load every picture. So they
are given a copy in memory that holds the XML alone, with these differences removed.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Set
from io import BytesIO

from lxml import etree

from documents.parsing import archive, containers

_TYPES = "[Content_Types].xml"
_KEPT = (".xml", ".rels")
_LEFT_OUT = ("customXml/", "word/glossary/")
#: Types of main parts that differ from the usual ones in name only.
_MAIN_TYPES = re.compile(
    rb"application/[\w.-]+\.(?:document|template|presentation|slideshow)"
    rb"(?:\.macroEnabled(?:Template)?)?\.main\+xml"
)
_WORD = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_SLIDES = b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
_PROPERTIES = "docProps/core.xml"
#: Elements of the properties, and what they are called here.
_NAMES = {
    "title": "title",
    "creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "created": "created",
    "modified": "modified",
    "language": "language",
}
#: calamine knows the main part of a workbook by its usual name only.
_NUMBERED_WORKBOOK = re.compile(r"(xl/(?:_rels/)?workbook)\d+(?=\.xml)")
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")


def accepted(path: str) -> BytesIO:
    """The package at ``path`` as the libraries take it. Raises ``UnreadableDocument``."""
    copy = BytesIO()
    with archive.opened(path) as source, zipfile.ZipFile(copy, "w") as target:
        names = {
            name for name in source.namelist() if name.endswith(_KEPT) and not name.startswith(_LEFT_OUT)
        }
        for name in sorted(names):
            content = _usual(name, archive.read(source, name), names)
            target.writestr(_NUMBERED_WORKBOOK.sub(r"\1", name), content)
    copy.seek(0)
    return copy


def metadata(path: str) -> dict[str, str]:
    """What the file says of itself (see ``ParsedDocument.metadata``); dates are ISO 8601 in the file too."""
    with archive.opened(path) as source:
        if _PROPERTIES not in source.namelist():
            return {}
        root = archive.parse_xml(archive.read(source, _PROPERTIES))
    found = {etree.QName(element).localname: element.text or "" for element in root.iter("{*}*")}
    return {name: found[tag] for tag, name in _NAMES.items() if found.get(tag, "").strip()}


def _usual(name: str, content: bytes, names: Set[str]) -> bytes:
    archive.refuse_entities(content)
    content = _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", content)
    if name == _TYPES:
        is_word = "docx" in map(containers.kind_of_part, names)
        return _MAIN_TYPES.sub(_WORD if is_word else _SLIDES, content)
    return _without_dead_links(name, content, names) if name.endswith(".rels") else content


def _without_dead_links(name: str, content: bytes, names: Set[str]) -> bytes:
    """Links to parts that the copy holds, and to addresses outside, which nobody follows."""
    root = archive.parse_xml(content)
    base = posixpath.dirname(posixpath.dirname(name))
    for link in list(root):
        target = posixpath.normpath(posixpath.join("/", base, link.get("Target", ""))).lstrip("/")
        if link.get("TargetMode") != "External" and target not in names:
            root.remove(link)
    return etree.tostring(root)
