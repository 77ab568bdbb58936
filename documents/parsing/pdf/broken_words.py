"""Words that a file tears apart, put together where the rest of the document writes them whole.

Producers place ligatures and kerned letters one by one: PDFium then sees a blank in ``e ffect``, and
takes the second ``f`` of ``af fect`` for a shadow of the first and drops it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from documents.parsing.pdf.glyphs import Fragment

#: Pieces that are at most so frequent are no words; beside a single letter, a piece may be twice as frequent.
RARE = 2
#: A whole word is known when the document has it so often, and so many times more often than its pieces.
KNOWN, TIMES_RARER = 3, 5
#: Shorter words prove nothing.
SHORTEST = 4

#: Not what stands beside an apostrophe: the ``s`` of possessives is no word.
_WORD = re.compile(r"(?<![\w’'])[^\W\d_]+(?![\w’'])")
_PAIR = re.compile(r"(?<![^\W_])(?<![’'])([^\W\d_]+) (?=([^\W\d_]+))")
_AFTER_F = re.compile(r"(?<![^\W_])[^\W\d_]*f ([^\W\d_]+)")
_NO_SIGNS = str.maketrans(dict.fromkeys(".,;:()!?\"“”’'", " "))
_WORDS_IN_F = ("of", "if")
#: Letters that are words in no language that writes them alone.
_CONSONANTS = frozenset("bcdfghjklmnpqrstvwxz")


def mend_broken_words(pages: Sequence[Sequence[Fragment]]) -> None:
    """In place: ``suf icient`` becomes ``sufficient``, ``liabil ities`` becomes ``liabilities``."""
    texts = [fragment.text for page in pages for fragment in page]
    counts = Counter(word.lower() for text in texts for word in _WORD.findall(text))
    after_f = Counter(word.lower() for text in texts if "f " in text for word in _AFTER_F.findall(text))
    words = _Words(counts, after_f)
    for page in pages:
        for fragment in page:
            if " " in fragment.text:
                _replace(fragment, words.mended(fragment.text))


def _replace(fragment: Fragment, text: str) -> None:
    if text != fragment.text:
        fragment.text, fragment.blanks = text, ()  # they count words


class _Words:
    """What the document's own vocabulary says about two pieces that stand side by side."""

    def __init__(self, counts: Counter[str], after_f: Counter[str]) -> None:
        self._counts = counts
        self._tails = {word for word, count in after_f.items() if count == counts[word]}
        known = [word for word, count in counts.items() if count >= KNOWN - 1]
        heads = {word[:end] for word in known for end in range(1, len(word))}
        ends = {word[start:] for word in known for start in range(1, len(word))}
        rare = {word for word, count in counts.items() if count <= 2 * RARE}
        self._suspects = (rare & (heads | ends)) | {tail for tail in self._tails if f"f{tail}" in ends}

    def mended(self, text: str) -> str:
        if self._suspects.isdisjoint(text.lower().translate(_NO_SIGNS).split()):
            return text
        return _PAIR.sub(self._joined, text)

    def _joined(self, pair: re.Match[str]) -> str:
        """The first piece with what follows it: a blank, an ``f`` that was dropped, or nothing."""
        head, tail = pair[1].lower(), pair[2].lower()
        if self._lost_an_f(pair[1], head, tail):
            return pair[1] + "f"
        return pair[1] if self._is_torn(pair[1], pair[2]) else pair[0]

    def _lost_an_f(self, piece: str, head: str, tail: str) -> bool:
        """The tail is found nowhere but behind an ``f``, and with a second one it makes a word."""
        if not head.endswith("f") or tail not in self._tails or piece in _WORDS_IN_F:
            return False
        return self._counts[head + "f" + tail] > 1

    def _is_torn(self, head: str, tail: str) -> bool:
        """Both pieces are rare, or one is a lone consonant and the other is rare; the whole is not."""
        whole = self._counts[(head + tail).lower()]
        two_names = tail[0].isupper() and not head.isupper()
        if whole < KNOWN or len(head + tail) < SHORTEST or two_names:
            return False
        rarer, other = sorted((self._counts[head.lower()], self._counts[tail.lower()]))
        if not _CONSONANTS.isdisjoint((head, tail)):
            return rarer <= 2 * RARE and whole >= TIMES_RARER * rarer
        return other <= RARE and whole >= TIMES_RARER * other
