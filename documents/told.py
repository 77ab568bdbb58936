"""Sentences that are made where no reader is at hand, in the reader's language when they are shown.

A worker, a parser or the API says what went wrong in English, and so it is stored. Parsers know nothing of
Django, hence they cannot mark what they say: it stands here once more. A test reads the source and asks
for what is missing (``tests/documents/test_told.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_noop as noop

from documents.exceptions import DocumentError

PLACEHOLDER = re.compile(r"%\((\w+)\)s")
#: Words in what takes the place of ``pages``.
AND, OTHERS = noop("and"), noop("others")


def told(text: str) -> str:
    """``text`` with every sentence of the table in the reader's language; what is not in it stays."""
    if not text or get_language() in (None, settings.LANGUAGE_CODE):
        return text
    sentences = table()
    return pattern().sub(lambda found: in_words(found, sentences), text)


@cache
def table() -> tuple[str, ...]:
    """Of every app (``settings.TOLD``); the longest first, as some begin with another."""
    found = {sentence for path in settings.TOLD for sentence in import_string(path)}
    return tuple(sorted(found, key=lambda each: (-len(each), each)))


@cache
def pattern() -> re.Pattern[str]:
    """Each sentence is a group of its own. In brackets it stands without its last dot."""
    return re.compile("|".join(f"(?P<s{n}>{as_pattern(each, n)})" for n, each in enumerate(table())), re.S)


def as_pattern(sentence: str, n: int) -> str:
    parts = PLACEHOLDER.split(sentence.removesuffix("."))
    written = [f"(?P<s{n}_{part}>.+?)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)]
    return "".join(written) + (r"(?:\.|(?=\)|;|$))" if sentence.endswith(".") else "")


def in_words(found: re.Match[str], sentences: tuple[str, ...]) -> str:
    assert found.lastgroup is not None
    sentence = sentences[int(found.lastgroup.removeprefix("s"))]
    values = {
        name: in_place(name, found[f"{found.lastgroup}_{name}"]) for name in PLACEHOLDER.findall(sentence)
    }
    said = gettext(sentence) % values if values else gettext(sentence)
    return said if found[0].endswith(".") else said.removesuffix(".")


def in_place(name: str, value: str) -> str:
    if name == "pages":
        return value.replace(f" {AND} ", f" {gettext(AND)} ").replace(OTHERS, gettext(OTHERS))
    return told(value)


def said_by(base: type[Exception]) -> Iterator[str]:
    """What errors of this kind say where they are given no message: their docstrings."""
    yield (base.__doc__ or "").strip()
    for each in base.__subclasses__():
        yield from said_by(each)


SENTENCES = (
    *said_by(DocumentError),
    # What is not read at all (parsing/detection.py, containers.py, registry.py)
    noop(
        "Supported: PDF, Word (.docx), PowerPoint (.pptx), Excel (.xlsx), OpenDocument text (.odt), EPUB, "
        "HTML, mail (.eml), CSV, Markdown, reStructuredText, plain text, and pictures of text."
    ),
    noop("This seems to be a ZIP archive. Unpack it and upload the files in it."),
    noop("This is an SVG drawing, whose markup is no text to read. Save it as PNG or PDF and upload that."),
    noop("This is a binary file that no reader here understands."),
    noop("This seems to be a file of the type “%(type)s”, which is not supported."),
    noop(
        "This is a document of an older Office program, or one protected by a password. Save it as .docx, "
        ".pptx or .xlsx without a password and upload that."
    ),
    noop(
        "This seems to be a binary Excel workbook, which is not supported. Save it as .xlsx and upload that."
    ),
    noop(
        "This seems to be an OpenDocument spreadsheet, which is not supported. Save it as .xlsx and upload "
        "that."
    ),
    noop(
        "This seems to be an OpenDocument presentation, which is not supported. Save it as .pptx and upload "
        "that."
    ),
    # What takes too much (parsing/jail.py, wire.py, indexing.py and parsers)
    noop(
        "The file is damaged or uses features that cannot be read. Open it in the program that made it, save "
        "it again, and upload that."
    ),
    noop("This file took its reader down (%(cause)s)."),
    noop("Reading this file took more than %(limit)s MB of memory."),
    noop("Reading this file took more than %(limit)s s of processor time."),
    noop("Reading this file took more than %(limit)s s."),
    noop("This file holds more than %(limit)s MB of text."),
    noop("This file is too long: it has more than %(limit)s passages."),
    noop("This file is too long: it has more than %(limit)s pages."),
    noop("This file consists of more than a million lines or paragraphs. Split it and upload the parts."),
    noop("Page %(number)s of this file holds more text than any page can."),
    # What is damaged or closed
    noop(
        "This file is damaged and cannot be read. Open it in the program that made it, save it again, and "
        "upload that."
    ),
    noop("This file is protected by a password. Remove the protection and upload it again."),
    noop("This file unpacks to far more than its size: it looks like an archive bomb and was not read."),
    noop("This file holds XML that is damaged or that declares entities, and was not read."),
    noop(
        "This image is damaged and cannot be read. Open it in the program that made it, save it again, and "
        "upload that."
    ),
    noop("This image has more than %(limit)s million pixels. Scale it down and upload it again."),
    noop("This image has more than %(limit)s pages. Split it and upload the parts."),
    noop("This PDF is protected by a password. Remove the protection and upload it again."),
    noop(
        "This PDF is damaged and cannot be read. Open it in a PDF viewer or in the program that made it, "
        "save it again, and upload that."
    ),
    noop("This PDF has no pages."),
    noop("This PDF has more than %(limit)s pages. Split it and upload the parts."),
    noop("This PDF is protected in a way that cannot be read. Remove the protection and upload it again."),
    noop("This document has no page %(number)s."),
    noop("Page %(number)s of this PDF is damaged."),
    noop("Page %(number)s of this PDF cannot be drawn."),
    noop("Page %(number)s has a size that cannot be drawn."),
    noop(
        "This e-book is protected against copying (DRM), so its text cannot be read. Upload a copy without "
        "protection."
    ),
    noop("This e-book does not say which of its files are its chapters. Convert it again and upload that."),
    noop(
        "The elements of this page are nested too deeply. Open it in a browser, print it to a PDF file, and "
        "upload that."
    ),
    noop("The parts of this mail are nested too deeply to be read. Save what matters as a file of its own."),
    noop(
        "A sheet of this workbook has filled cells too far apart, with millions of empty ones between. "
        "Delete the cells that stand far off and upload it again."
    ),
    # Text recognition
    noop("Text recognition failed."),
    noop(
        "This file is a picture, and text recognition (Tesseract) is not installed on this portal. Have it "
        "installed, or upload a version whose text can be selected."
    ),
    noop(
        "This file is a scan: its pages are pictures without text, and text recognition (Tesseract) is not "
        "installed on this portal. Have it installed, or upload a version whose text can be selected."
    ),
    noop("No text could be recognised on these pages. Sharper or larger pictures may help."),
    # What is thought of the text (quality.py, indexing.py)
    noop("This file holds no text."),
    noop(
        "No text was found in this file. If it is a scan, run text recognition (OCR) over it and upload the "
        "result."
    ),
    noop("No text was found in this file. If it is scanned, recognise the text (OCR) and upload it again."),
    noop("There is hardly any text on the pages of this file."),
    noop("If it is scanned, recognise the text (OCR) and upload the file again."),
    noop("Sharper or larger pictures may help."),
    noop("On page %(pages)s no text could be recognised."),
    noop("On pages %(pages)s no text could be recognised."),
    noop(
        "Page %(pages)s is without text that can be selected, and text recognition (Tesseract) is not "
        "installed on this portal. Have it installed, or upload a version whose text can be selected."
    ),
    noop(
        "Pages %(pages)s are without text that can be selected, and text recognition (Tesseract) is not "
        "installed on this portal. Have it installed, or upload a version whose text can be selected."
    ),
    noop(
        "Page %(pages)s is empty. If there should be text, export the file again from the program it was "
        "made in."
    ),
    noop(
        "Pages %(pages)s are empty. If there should be text, export the file again from the program it was "
        "made in."
    ),
    noop(
        "Much of the text is not readable: the file's fonts lack a character table. Print it to PDF again, "
        "or upload a scan for text recognition."
    ),
    noop(
        "Some of the text is not readable: the file's fonts lack a character table. Print it to PDF again, "
        "or upload a scan for text recognition."
    ),
    noop(
        "Much of the text is not readable: it was saved in another encoding than it says. Save it as UTF-8 "
        "and upload it again."
    ),
    noop(
        "Some of the text is not readable: it was saved in another encoding than it says. Save it as UTF-8 "
        "and upload it again."
    ),
    noop(
        "In much of the text the spaces between words are missing or in the wrong places, so that a search "
        "cannot find them. Export the file again from the program it was written in."
    ),
    noop(
        "In some of the text the spaces between words are missing or in the wrong places, so that a search "
        "cannot find them. Export the file again from the program it was written in."
    ),
    # What became of a document (tasks.py, services/lifecycle.py, attachments.py)
    noop("Something went wrong while this file was being read. The administrators can see what."),
    noop("The portal has no room left at the moment. This document waits and goes on by itself."),
    noop("The reading of this file was interrupted too often. It may be too large for this machine."),
    noop("Reading this document again was cancelled. What was read before is still found."),
    noop("Reading this document again did not work: %(reason)s What was read before is still found."),
    noop("Attachments that were not taken: %(files)s."),
)
