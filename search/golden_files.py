"""Golden questions as an evaluation folder (docs/api.md), or as its ``questions.jsonl`` alone."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from documents.models import Collection, Document
from documents.uploads import clean_filename
from search.exceptions import BadRequest
from search.golden import question_create, question_update
from search.models import GoldenQuestion
from search.questions import Problem, Question, QuestionsRefused, read

if TYPE_CHECKING:
    from django.contrib.auth.models import User

QUESTIONS = "questions.jsonl"
CORPUS = "corpus"
#: Bytes of a file of questions; what a zip file makes of itself is counted.
SIZE_LIMIT = 20 * 1024 * 1024
BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Imported:
    """How many questions were new, how many took the place of one with their id or their words."""

    created: int
    updated: int


# --- In -------------------------------------------------------------------------------------


def import_folder(*, collection: Collection, folder: Path, user: User | None = None) -> Imported:
    """The questions of an evaluation folder; its files are not read, the collection has them already.

    Raises ``QuestionsRefused`` with every line that is wrong; then nothing was imported.
    """
    path = folder / QUESTIONS
    if not path.is_file():
        raise BadRequest(f"There is no {path}.")
    with path.open("rb") as file:
        return import_questions(collection=collection, raw=limited(file), user=user)


def import_upload(*, collection: Collection, upload: IO[bytes], user: User | None = None) -> Imported:
    """The same from an uploaded file: a zip file of such a folder, or bare lines."""
    packed = zipfile.is_zipfile(upload)
    upload.seek(0)
    raw = unpacked(upload) if packed else limited(upload)
    return import_questions(collection=collection, raw=raw, user=user)


def unpacked(upload: IO[bytes]) -> bytes:
    """The questions of the outermost folder that has some."""
    try:
        with zipfile.ZipFile(upload) as archive:
            named = (name for name in archive.namelist() if PurePosixPath(name).name == QUESTIONS)
            name = min(named, key=lambda name: (name.count("/"), name), default=None)
            if name is None:
                raise QuestionsRefused([Problem(0, f"The zip file holds no {QUESTIONS}.")])
            with archive.open(name) as file:
                return limited(file)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:  # RuntimeError: encrypted
        raise QuestionsRefused([Problem(0, f"The zip file cannot be read: {error}")]) from error


def limited(file: IO[bytes]) -> bytes:
    raw = file.read(SIZE_LIMIT + 1)
    if len(raw) > SIZE_LIMIT:
        raise QuestionsRefused([Problem(0, f"The questions are more than {SIZE_LIMIT // (1024 * 1024)} MB.")])
    return raw


@transaction.atomic
def import_questions(*, collection: Collection, raw: bytes, user: User | None = None) -> Imported:
    """All lines or none. A question with a known id, or known words where it has none, is replaced."""
    questions, problems = read(raw)
    if not questions and not problems:
        raise QuestionsRefused([Problem(0, "There is no question in it.")])
    shelf, created = Shelf(collection), 0
    twice = repeated(questions)
    problems += twice
    for question in questions if not twice else ():
        try:
            with transaction.atomic():
                created += shelf.put(question, user)
        except ValidationError as error:
            problems += [Problem(question.line, message) for message in error.messages]
    if problems:
        raise QuestionsRefused(problems)  # which rolls back what could be imported
    return Imported(created, len(questions) - created)


def repeated(questions: list[Question]) -> list[Problem]:
    seen: dict[tuple[str, str], int] = {}
    firsts = [(seen.setdefault(identity(question), question.line), question) for question in questions]
    return [
        Problem(question.line, f"the same question as in line {first}")
        for first, question in firsts
        if first != question.line
    ]


def identity(question: Question) -> tuple[str, str]:
    return ("id", question.id) if question.id else ("words", " ".join(question.text.split()))


class Corpus:
    """A collection's documents, by the names that files give them."""

    def __init__(self, collection: Collection) -> None:
        self.documents: dict[str, list[Document]] = defaultdict(list)
        for document in collection.documents.only("filename", "title", "page_count", "collection_id"):
            self.documents[document.filename].append(document)
            self.documents[str(document.pk)].append(document)

    def named(self, name: str) -> Document:
        """Of this file name, or with this id. Raises ``ValidationError``."""
        found = self.documents.get(name) or self.documents.get(clean_filename(name)) or []
        if len(found) == 1:
            return found[0]
        if found:
            text = _("the collection has %(count)s documents named “%(name)s”")
            raise ValidationError(text % {"count": len(found), "name": name})
        raise ValidationError(_("the collection has no document named “%s”") % name)

    def name_of(self, document: Document) -> str:
        alone = len(self.documents[document.filename]) == 1
        return document.filename if alone else str(document.pk)


class Shelf:
    """A collection's golden questions by id and by their words, and its documents."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.corpus = Corpus(collection)
        self.known: dict[tuple[str, str], GoldenQuestion] = {}
        for golden in collection.golden_questions.all():
            self.known["id", golden.origin or str(golden.pk)] = golden
            if not golden.origin:
                self.known["words", golden.question] = golden

    def put(self, question: Question, user: User | None) -> bool:
        """Whether it is new. Raises ``ValidationError``."""
        expected = [(self.corpus.named(name), page) for name, page in question.relevant]
        given: dict[str, Any] = {
            "question": question.text,
            "answer": question.answer,
            "answerable": question.answerable,
            "expected": expected,
        }
        if golden := self.known.get(identity(question)):
            question_update(golden=golden, **given)
            return False
        question_create(collection=self.collection, origin=question.id, user=user, **given)
        return True


# --- Out ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exported:
    questions: int
    documents: int


def export_folder(*, collection: Collection, folder: Path) -> Exported:
    """An evaluation folder of the questions and of every original. ``folder`` must be new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadRequest(f"{folder} is there already, and not empty.")
    (folder / CORPUS).mkdir(parents=True, exist_ok=True)
    names = corpus_names(collection)
    for document, name in named_corpus(collection, names):
        with (folder / CORPUS / name).open("wb") as file:
            copy_original(document, file)
    raw = questions_file(collection, names)
    (folder / QUESTIONS).write_bytes(raw)
    return Exported(raw.count(b"\n"), len(names))


def export_zip(*, collection: Collection, file: IO[bytes]) -> Exported:
    """The same as one zip file."""
    names = corpus_names(collection)
    raw = questions_file(collection, names)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(QUESTIONS, raw)
        for document, name in named_corpus(collection, names):
            with archive.open(f"{CORPUS}/{name}", "w", force_zip64=True) as part:
                copy_original(document, part)
    return Exported(raw.count(b"\n"), len(names))


def questions_file(collection: Collection, names: dict[UUID, str] | None = None) -> bytes:
    """``questions.jsonl``: one object a line. What is expected of another collection now is left out."""
    named = corpus_names(collection) if names is None else names
    rows = collection.golden_questions.prefetch_related("expected")
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines_of(rows, named)).encode()


def lines_of(rows: Any, names: dict[UUID, str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {
            "id": row.origin or str(row.pk),
            "question": row.question,
            "relevant": [place(each, names) for each in row.expected.all() if each.document_id in names],
            "answer": row.answer,
            "answerable": row.answerable,
        }


def place(expected: Any, names: dict[UUID, str]) -> dict[str, Any]:
    page = {} if expected.page is None else {"page": expected.page}
    return {"document": names[expected.document_id], **page}


def corpus_of(collection: Collection) -> Iterator[Document]:
    """Every document, oldest first: each that answers nothing is one to be told apart."""
    rows = collection.documents.order_by("created_at", "pk")
    yield from rows.defer("metadata", "error_detail").iterator()


def named_corpus(collection: Collection, names: dict[UUID, str]) -> Iterator[tuple[Document, str]]:
    """Every document with its name; one that came after these were given is left out."""
    for document in corpus_of(collection):
        if name := names.get(document.pk):
            yield document, name


def corpus_names(collection: Collection) -> dict[UUID, str]:
    """File names, of which no two are the same: the second ``a.txt`` is ``a (2).txt``."""
    names: dict[UUID, str] = {}
    taken: set[str] = set()
    for document in corpus_of(collection):
        path = PurePosixPath(clean_filename(document.filename))
        tries = (f"{path.stem} ({n}){path.suffix}" for n in range(2, len(taken) + 3))
        name = path.name if path.name not in taken else next(each for each in tries if each not in taken)
        taken.add(name)
        names[document.pk] = name
    return names


def copy_original(document: Document, into: IO[bytes]) -> None:
    with document.file.open("rb") as original:
        for block in original.chunks(BLOCK):
            into.write(block)
