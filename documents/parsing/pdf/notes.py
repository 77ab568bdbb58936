"""What readers of a PDF added to a page: values typed into its form, and comments."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence

import pypdfium2 as pdfium
from pypdfium2 import raw

from documents.parsing.pdf.glyphs import Fragment, display_transform
from documents.parsing.text import unusable_removed
from documents.parsing.types import Box

MAX_NOTES, MAX_CHARACTERS = 1_000, 5_000
#: Secrets stay where they are.
_PASSWORD = 1 << 13
_TYPED = (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX)
_TICKED = (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON)
#: Links, and the windows in which comments pop up, say nothing themselves.
_SILENT = (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP)

#: One of PDFium's functions that fill a buffer of UTF-16, and tell its size when they get none.
_Fill = Callable[[object, int], int]


def read_notes(page: pdfium.PdfPage, lines: Sequence[Fragment]) -> list[Fragment]:
    """One line for each value and comment that the page's own ``lines`` do not show."""
    count = raw.FPDFPage_GetAnnotCount(page.raw)
    if count <= 0:
        return []
    notes: dict[str, Fragment] = {}
    for index in range(min(count, MAX_NOTES)):
        annotation = raw.FPDFPage_GetAnnot(page.raw, index)
        if annotation:
            try:
                for note in _notes(page, annotation, lines):
                    notes.setdefault(note.text, note)
            finally:
                raw.FPDFPage_CloseAnnot(annotation)
    return list(notes.values())


def _notes(page: pdfium.PdfPage, annotation: object, lines: Sequence[Fragment]) -> Iterator[Fragment]:
    kind = raw.FPDFAnnot_GetSubtype(annotation)
    if kind in _SILENT:
        return
    if kind == raw.FPDF_ANNOT_WIDGET:
        name, text = _field(page.formenv, annotation)
    else:
        name = "" if kind == raw.FPDF_ANNOT_FREETEXT else "Comment"
        text = _text(lambda out, size: raw.FPDFAnnot_GetStringValue(annotation, b"Contents", out, size))
    if not text:
        return
    box = _box(page, annotation)
    if not any(text in line.text and _meet(line.box, box) for line in lines):
        yield Fragment(f"{name}: {text}" if name else text, box, box[3] - box[1])


def _field(form: pdfium.PdfFormEnv | None, annotation: object) -> tuple[str, str]:
    """A form field's name and what was typed or ticked, or nothing."""
    if form is None or raw.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD:
        return "", ""
    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind not in _TYPED and not (kind in _TICKED and raw.FPDFAnnot_IsChecked(form, annotation)):
        return "", ""
    name = _text(lambda out, size: raw.FPDFAnnot_GetFormFieldName(form, annotation, out, size))
    return name, _text(lambda out, size: raw.FPDFAnnot_GetFormFieldValue(form, annotation, out, size))


def _text(fill: _Fill) -> str:
    size = fill(None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    fill(ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    found = buffer.raw[: 2 * MAX_CHARACTERS].decode("utf-16-le", "replace").partition("\0")[0]
    return " ".join(unusable_removed(found).split())


def _box(page: pdfium.PdfPage, annotation: object) -> Box:
    rect = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, rect)
    x0, y0, x1, y1 = display_transform(page)(rect.left, rect.bottom, rect.right, rect.top)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _meet(first: Box, second: Box) -> bool:
    across = min(first[2], second[2]) > max(first[0], second[0])
    return across and min(first[3], second[3]) > max(first[1], second[1])
