"""Questions whose right documents are known, and the file that holds them (``questions.jsonl``)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from search.exceptions import BadRequest

#: A file name, or a document's id, and a page from 1.
Place = tuple[str, int]
#: More than these are counted, not shown.
SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Question:
    """One line of ``questions.jsonl``. Of what is relevant the page may be unknown."""

    text: str
    relevant: tuple[tuple[str, int | None], ...]
    answer: str = ""
    answerable: bool = True
    id: str = ""
    #: Where it stands in its file, from 1.
    line: int = 0

    @property
    def documents(self) -> set[str]:
        return {name for name, _ in self.relevant}

    @property
    def pages(self) -> set[Place]:
        return {(name, page) for name, page in self.relevant if page is not None}

    def holds(self, place: Place) -> bool:
        """Whether this passage's page is one that answers; where no page is given, its document."""
        return place in self.pages or (place[0], None) in self.relevant


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong; with the line, or with the file as a whole (line 0)."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}" if self.line else self.text


class QuestionsRefused(BadRequest):
    """The questions cannot be read."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = [str(problem) for problem in sorted(problems)]
        shown = self.problems[:SHOWN_PROBLEMS]
        if more := len(self.problems) - len(shown):
            shown.append(f"and {more} more")
        super().__init__("\n".join(shown))


class BadLine(ValueError):
    """What is wrong with a line."""


def parsed(raw: bytes) -> list[Question]:
    """Every question of the file. Raises ``QuestionsRefused``, which names each line that is wrong."""
    questions, problems = read(raw)
    if problems:
        raise QuestionsRefused(problems)
    return questions


def read(raw: bytes) -> tuple[list[Question], list[Problem]]:
    """The questions that could be read, and what is wrong with the other lines."""
    questions: list[Question] = []
    problems: list[Problem] = []
    for number, line in lines_of(raw):
        try:
            questions.append(question_of(line, number))
        except BadLine as error:
            problems.append(Problem(number, str(error)))
    return questions, problems


def lines_of(raw: bytes) -> Iterator[tuple[int, str]]:
    """Lines that hold something. Split at line feeds alone: others may stand inside of a string."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise QuestionsRefused([Problem(0, "The file is not UTF-8.")]) from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line


def question_of(line: str, number: int) -> Question:
    try:
        given = json.loads(line)
    except ValueError as error:
        raise BadLine("this is not JSON") from error
    if not isinstance(given, dict):
        raise BadLine("this is not an object in braces")
    relevant = relevant_in(given)
    answerable = given.get("answerable", bool(relevant))
    if not isinstance(answerable, bool):
        raise BadLine("“answerable” is neither true nor false")
    return Question(
        text=words_in(given, "question", needed=True),
        relevant=relevant,
        answer=words_in(given, "answer"),
        answerable=answerable,
        id=str(given.get("id") or ""),
        line=number,
    )


def words_in(given: dict[str, Any], name: str, *, needed: bool = False) -> str:
    value = given.get(name)
    if value is None:
        value = ""
    if not isinstance(value, str) or "\x00" in value:
        raise BadLine(f"“{name}” is not a text")
    if needed and not value.strip():
        raise BadLine(f"there is no “{name}”")
    return value.strip()


def relevant_in(given: dict[str, Any]) -> tuple[tuple[str, int | None], ...]:
    listed = given.get("relevant") or []
    if not isinstance(listed, list):
        raise BadLine("“relevant” is not a list")
    return tuple(dict.fromkeys(entry_of(entry) for entry in listed))


def entry_of(entry: Any) -> tuple[str, int | None]:
    if not isinstance(entry, dict) or not isinstance(entry.get("document"), str) or not entry["document"]:
        raise BadLine("an entry of “relevant” names no “document”")
    page = entry.get("page")
    if page is not None and (not isinstance(page, int) or isinstance(page, bool) or page < 1):
        raise BadLine(f"page {page!r} of “{entry['document']}”: pages are whole numbers from 1")
    return entry["document"], page
