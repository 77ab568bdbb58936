"""The hostile set, uploaded and worked off as real files are: each has an end, no worker dies.

The limits are lowered for speed: what takes more than 384 MB or 10 s here takes more than 1 GiB or 60 s.
Passages are few and vectors are all the same, as embedding is not what these files are after.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile

from documents import indexing, services, tasks
from documents.embedding.base import Encoding
from documents.exceptions import DocumentError
from documents.integrity import check_integrity
from documents.models import Collection, Document, Page, Status
from documents.parsing.confinement import MEGABYTE, Limits
from documents.parsing.detection import detect
from documents.parsing.jail import parse_in_jail, recognise_page_in_jail
from documents.parsing.pictures import recognition
from documents.parsing.types import ParsedDocument
from tests.documents.hostile import hostile_files
from tests.documents.hostile_types import Hostile

pytestmark = pytest.mark.django_db

LOW = Limits(memory=384 * MEGABYTE, cpu_seconds=10, wall_seconds=40)
ESCAPED = Path("/tmp/escaped-from-the-jail")

#: Read in the jail only: to split so much text into passages takes longer than a test should.
LONG = {
    "one-line-of-49-mb",
    "one-word-of-20-mb",
    "csv-1000000-lines",
    "csv-100000-columns",
    "csv-quote-never-closed",
    "blank-lines-of-10-mb",
}

DAMAGED, LOCKED, DEEP = "damaged", "protected by a password", "nested too deep"
BOMB, MEMORY, ENTITIES = "looks like an archive bomb", "more than 384 MB of memory", "declares entities"
#: As recognised pictures without words end, and pictures where there is no Tesseract.
WORDLESS = "No text was found|No text could be recognised|holds no text|is not installed"
LONG_TEXT = "more than 300 passages|more than a million lines"
#: How files end that do not end ready: a pattern of ids, and one of the reason.
ENDS = {
    r"pdf-(page-tree-loop|only-a-header|of-noise|without-xref|cut-at-.*)": DAMAGED,
    r"pdf-page-tree-of-10001": "more than 10,000 pages",
    r"pdf-(flate-400-mb|flate-of-flate|forms-billion-laughs)": MEMORY,
    r"pdf-encrypted|docx-protected": LOCKED,
    r"pdf-image-60000-by-60000": WORDLESS,
    r".*-of-10-gigabytes|docx-overlapping-entries|docx-100000-entries": BOMB,
    r"(docx|odt|epub)-size-lies": f"{MEMORY}|{BOMB}|{DAMAGED}",
    r"(docx|odt|xlsx)-(billion-laughs|quadratic|external-entity)": ENTITIES,
    r"(docx|odt)-deep-.*|docx-of-noise|docx-cut-at-.*|xlsx-missing-.*|pptx-that-is-none": DAMAGED,
    r"docx-without-document": "seems to be a ZIP archive",
    r"xlsx-last-cell-of-all": "too far apart",
    r"epub-(climbs-out|absolute-address)": "holds no text",
    r"epub-deep-markup|web-(deep|formatting).*|mail-nested-.*": DEEP,
    r"(png|jpeg)-.*-by-.*|bmp-of-negative-size": "more than 100 million pixels",
    r"png-of-no-size|png-text-bomb|(png|jpeg|webp)-cut|tiff-tags-that-lie": "This image is damaged",
    r"png-of-90-megapixels|tiff-pages-in-a-loop|gif-of-10000-frames|png-named-pdf": WORDLESS,
    r"nothing": "The file is empty",
    r"only-blanks|csv-of-commas": "holds no text",
    r"only-zeros|exe-named-docx": "which is not supported|no reader here",
    r"web-(script|laughs)-svg": "an SVG drawing",
    r"json-100000-deep|form-feeds|rst-deep-quotes": LONG_TEXT,
    r"markdown-(indented|emphasis|brackets|links|backticks|entities|html|reference|wide).*": LONG_TEXT,
    r"rst-(deep-inline|math-and-code)": f"holds no text|{LONG_TEXT}|^ready$",
}


class OneVector:
    """An embedder for which all texts are the same."""

    def encode(self, texts: list[str]) -> list[Encoding]:
        vector = np.full(384, 1 / 384**0.5, dtype=np.float32)
        return [Encoding(vector, vector[None]) for _ in texts]


@pytest.fixture(autouse=True)
def _lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)  # the test's transaction lives on it
    monkeypatch.setattr(indexing, "parse_in_jail", partial(parse_in_jail, limits=LOW))
    monkeypatch.setattr(recognition, "recognise_page_in_jail", partial(recognise_page_in_jail, limits=LOW))
    monkeypatch.setattr(indexing, "get_passage_embedder", lambda model: OneVector())
    monkeypatch.setattr(indexing, "MAX_PASSAGES", 300)


def upload(collection: Collection, hostile: Hostile) -> Document:
    file = ContentFile(hostile.make(), name=hostile.filename)
    return services.document_create(user=collection.owner, collection=collection, upload=file).document


def work_off() -> None:
    """What the worker does until its queue is empty, less the pauses; of many attachments the first few."""
    for _ in range(12):
        waiting = Document.objects.filter(status__in=[Status.QUEUED, Status.PROCESSING]).first()
        if waiting is None:
            return
        tasks.index_document(str(waiting.pk))


def end_of(collection: Collection, hostile: Hostile) -> str:
    """ "ready", or the reason why not; a refused upload leaves nothing."""
    try:
        document = upload(collection, hostile)
    except DocumentError as error:
        assert not Document.objects.exists()
        return str(error)
    work_off()
    document.refresh_from_db()
    assert document.status in (Status.READY, Status.FAILED)
    assert document.tries < tasks.MAX_TRIES
    return "ready" if document.status == Status.READY else document.reason


@pytest.mark.parametrize(
    "hostile",
    [hostile for hostile in hostile_files() if hostile.id not in LONG],
    ids=lambda hostile: hostile.id,
)
def test_it_has_an_end_and_harms_nobody(collection: Collection, hostile: Hostile) -> None:
    end = end_of(collection, hostile)
    expected = next((reason for ids, reason in ENDS.items() if re.fullmatch(ids, hostile.id)), "^ready$")
    assert re.search(expected, end), end
    assert tasks.GAVE_UP not in end
    assert not Page.objects.filter(text__contains="root:").exists()
    assert not ESCAPED.exists()


@pytest.mark.parametrize(
    "hostile", [hostile for hostile in hostile_files() if hostile.id in LONG], ids=lambda hostile: hostile.id
)
def test_much_text_is_read_within_the_limits(tmp_path: Path, hostile: Hostile) -> None:
    path = tmp_path / "file"
    path.write_bytes(hostile.make())
    with path.open("rb") as file:
        kind = detect(file, hostile.filename).kind
    assert parse_in_jail(str(path), kind, limits=replace(LOW, memory=1024 * MEGABYTE)).has_text


def test_a_poison_file_is_tried_twice_and_the_rest_goes_on(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(path: str, kind: str, **given: Any) -> ParsedDocument:
        read.append(kind)
        return parse_in_jail(path, kind, limits=LOW, **given)

    monkeypatch.setattr(indexing, "parse_in_jail", counted)
    wanted = {"pdf-flate-of-flate", "name-0", "docx-billion-laughs", "pdf-cut-at-50-percent"}
    for hostile in hostile_files():
        if hostile.id in wanted:
            upload(collection, hostile)
    work_off()
    assert sorted(read) == ["docx", "pdf", "pdf", "pdf", "text"]
    assert Document.objects.filter(status=Status.READY).count() == 1
    assert Document.objects.filter(status=Status.FAILED).count() == 3
    assert not [finding for finding in check_integrity() if finding.breaches]


def test_the_set_is_the_same_each_time() -> None:
    first, second = ({h.id: h for h in hostile_files()} for _ in range(2))
    assert len(first) >= 60
    assert list(first) == list(second)
    for name in ("pdf-flate-4-mb", "docx-size-lies", "png-text-bomb", "mail-nested-messages"):
        assert first[name].make() == second[name].make()
