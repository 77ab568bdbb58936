from __future__ import annotations

from pathlib import Path

import docx
import pptx
import pytest

from documents.parsing.detection import detect
from documents.parsing.jail import parse_in_jail
from tests.documents.parsing.ooxml_factory import replaced, rezip, texts, with_numbered_part

_TEMPLATE = "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml"
_DOCUMENT = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def word_file(folder: Path) -> Path:
    document = docx.Document()
    document.add_heading("Pump")
    document.add_paragraph("Open the valve.")
    path = folder / "file.docx"
    document.save(str(path))
    return path


def kind(path: Path) -> str:
    with path.open("rb") as file:
        return detect(file, path.name).kind


@pytest.mark.parametrize("content_type", [_DOCUMENT, _TEMPLATE])
def test_a_word_file_whose_main_part_has_a_number_is_read(tmp_path: Path, content_type: str) -> None:
    path = with_numbered_part(word_file(tmp_path), "word/document")
    rezip(path, {"[Content_Types].xml": replaced(_DOCUMENT, content_type)})
    assert kind(path) == "docx"
    assert texts(parse_in_jail(str(path), "docx")) == ["Pump", "Open the valve."]


def test_slides_whose_main_part_has_a_number_are_read(tmp_path: Path) -> None:
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "Pump"
    path = tmp_path / "file.pptx"
    show.save(str(path))
    with_numbered_part(path, "ppt/presentation")
    assert kind(path) == "pptx"
    assert texts(parse_in_jail(str(path), "pptx")) == ["Pump"]
