"""Sentences, and the sources they name, cut from the stream of a language model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from documents.sentences import sentences
from search.exceptions import GenerationFailed
from search.prompts import REFUSAL, Prompt
from search.tokens import estimate, of_messages
from search.types import DraftSentence, Piece, Token, Used, Waiting

#: [1], [1][2], [1, 2], also "[source 1]": what models write in spite of the rule.
MARK = re.compile(r"\s*[\[【](?:source\s*)?(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)[\]】]", re.IGNORECASE)
#: Marks behind the full stop belong to the sentence before it.
STOP_THEN_MARKS = re.compile(rf"([.!?…]+[\"'”’)]*)((?:{MARK.pattern})+)", re.IGNORECASE)
#: A mark that the stream has not finished yet.
OPEN_MARK = re.compile(r"[\[【][^\]】]{0,20}\Z")

Stream = Iterable[str | Used | Waiting]


class Draft:
    """An answer as a model writes it: its words passed on, sentences cut from them, its tokens counted."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.said = ""
        self.pending = ""
        self._used: Used | None = None

    def pieces(self, stream: Stream) -> Iterator[Piece]:
        for got in past_refusal(self._noted(stream)):
            if isinstance(got, Waiting):
                yield got
                continue
            yield Token(got)
            finished, self.pending = cut(self.pending + got)
            for text in finished:
                yield from drafted(text, self.prompt.given)

    def rest(self) -> Iterator[DraftSentence]:
        """What was said of the sentence that is not finished."""
        return drafted(self.pending, self.prompt.given)

    def used(self) -> Used:
        counted = Used(of_messages(self.prompt.messages), estimate(self.said), estimated=True)
        return self._used or counted

    def _noted(self, stream: Stream) -> Iterator[str | Waiting]:
        for got in stream:
            if isinstance(got, Used):
                self._used = got
                continue
            if isinstance(got, str):
                self.said += got
            yield got


def past_refusal(stream: Iterable[str | Waiting]) -> Iterator[str | Waiting]:
    """The stream, held back while it may still turn out to be nothing but the refusal."""
    held, open_ = "", True
    for got in stream:
        if isinstance(got, Waiting):
            yield got
            continue
        held += got
        if open_ and could_be_refusal(held):
            continue
        open_ = False
        yield held
        held = ""
    if not open_:
        return
    if not held.strip():
        raise GenerationFailed("The language model returned no text.")
    if bare(held) != bare(REFUSAL):
        yield held


def could_be_refusal(text: str) -> bool:
    return bare(REFUSAL).startswith(bare(text))


def bare(text: str) -> str:
    """Letters and digits of any script alone."""
    return re.sub(r"[\W_]", "", text.casefold())


def cut(text: str) -> tuple[list[str], str]:
    """The sentences that are surely over, and the rest. One is over when another has begun."""
    text = STOP_THEN_MARKS.sub(r"\2\1", text)
    spans = sentences(text)
    if len(spans) < 2 or OPEN_MARK.search(text):
        return [], text
    return [text[start:end] for start, end in spans[:-1]], text[spans[-1][0] :]


def drafted(text: str, known: Iterable[int]) -> Iterator[DraftSentence]:
    """The sentence without its marks, which become its sources. Nothing of a bare mark or refusal."""
    text = STOP_THEN_MARKS.sub(r"\2\1", text)
    cited = [int(n) for found in MARK.findall(text) for n in re.findall(r"\d+", found)]
    said = " ".join(MARK.sub("", text).split())
    if bare(said) and bare(said) != bare(REFUSAL):
        yield DraftSentence(said, cited=tuple(dict.fromkeys(n for n in cited if n in known)))
