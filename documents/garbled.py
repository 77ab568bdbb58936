"""How much of a text is no text: what is left of letters when a font or an encoding was not understood.

Every rule here is about characters alone, in linear time: the text may come from a hostile file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Characters that stand for a lost one: replacement, private use, controls; "(cid:12)" for a glyph
#: that has no character.
_LOST = re.compile(r"\(cid:\d{1,6}\)|[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f\x7f-\x9f\U000f0000-\U0010ffff]")
#: UTF-8 read as cp1252: the first byte of a character as a letter, the others as what cp1252 makes of
#: 0x80 to 0xBF. Words may end in such a letter before a quotation mark or a dash, so those do not count
#: after a single one, and scripts beyond Latin only in pairs.
_ODD = "\u0080-\u00ba\u00bc-\u00bf€‚ƒ„†‡ˆ‰Š‹ŒŽ•˜™š›œžŸ"
_CONTINUED = _ODD + "»‘’“”…–—"
_MISREAD = re.compile(
    rf"[ÂÃÄÅ][{_ODD}]|â[€‚„][{_CONTINUED}]|(?:[ÐÑÎÏØÙ×][{_CONTINUED}]){{2}}"
    rf"|(?:[ã-í][{_CONTINUED}]{{2}}){{2}}|ðŸ[{_CONTINUED}]{{2}}"
)
_SPACED = re.compile(r"(?<!\S)(?:[A-Za-zÀ-ɏͰ-ӿ] ){7,}[A-Za-zÀ-ɏͰ-ӿ](?!\S)")
#: Fewer different letters than this are a table of marks ("Y N N Y"), or a sequence of bases.
_DISTINCT = 5
#: The longest words of languages that write words apart are shorter; a name in a program rarely is not.
_RUN = re.compile(r"[A-Za-zÀ-ɏ]{40,}")
#: Letters that no sequence of amino acids or bases holds.
_NOT_IN_PROTEINS = frozenset("bjouxzBJOUXZ")
#: Words as a language has them: no codes (digits, few capitals), no names of programs.
_WORD = re.compile(r"\b(?:[A-Z]{7,30}|[A-Z]?[a-z]{3,29})\b")
#: The 200 most frequent pairs of letters in 40 languages of the Latin script, of the same weight each.
#: They make 70 to 95 % of a text in any of them; of one whose letters were exchanged at random 29 %
#: (median; 49 % at the 95th percentile).
_COMMON_PAIRS = _words(
    "aa ab ac ad ag ai aj ak al am an ap ar as at au av ay az ba be bi bo br bu ca ce ch ci co cr ct cu "
    "da de di dj do dr du ea eb ec ed ee eg ei ek el em en ep er es et ev ex ez fa fe fi fo ga ge gi go "
    "gs gu ha he hi ho ht ia ic id ie if ig ij ik il im in io ir is it iv iz ja je ka ke ki ko kt ku la "
    "ld le li ll lo ls lt lu ma me mi mo ms mu na nc nd ne ng ni nn no ns nt nu ny ob oc od og oi oj ok "
    "ol om on or os ot ou ov pa pe pl po pr qu ra rd re ri rm ro rr rs rt ru sa sc se sh si sk sl so sp "
    "ss st su ta te th ti to tr tt tu ty ua ue ug ui ul um un ur us ut uu va ve vi vo wa we ww ya yp za "
    "ze zi"
)
COMMON_SHARE = 0.5
#: With fewer pairs chance decides.
MIN_PAIRS = 120
#: So much of a page is enough to tell a language from a cipher.
PAIR_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Garbled:
    """Shares, from 0 to 1, of the characters that are no blanks.

    ``glyphs``: lost or exchanged letters; ``misread``: words in the wrong encoding; ``spacing``: words
    without blanks between them, or with blanks between their letters.
    """

    glyphs: float = 0.0
    misread: float = 0.0
    spacing: float = 0.0

    @property
    def share(self) -> float:
        return min(self.glyphs + self.misread + self.spacing, 1.0)


def garbled(samples: Sequence[str]) -> Garbled:
    """What is wrong with the text of these pages, or parts of pages."""
    total = sum(map(_printed, samples))
    if not total:
        return Garbled()
    return Garbled(
        sum(max(_lost(text), _exchanged(text)) for text in samples) / total,
        sum(map(_misread, samples)) / total,
        sum(_run_together(text) + _torn_apart(text) for text in samples) / total,
    )


def _printed(text: str) -> int:
    return sum(map(len, text.split()))


def _lost(text: str) -> int:
    return sum(len(found) for found in _LOST.findall(text))


def _misread(text: str) -> int:
    if not _MISREAD.search(text):
        return 0
    return sum(len(word) for word in text.split() if _MISREAD.search(word))


def _run_together(text: str) -> int:
    runs = _RUN.findall(text)
    return sum(len(run) for run in runs if len(_NOT_IN_PROTEINS.intersection(run)) > 1)


def _torn_apart(text: str) -> int:
    runs = ("".join(found.split()) for found in _SPACED.findall(text))
    return sum(len(run) for run in runs if len(set(run)) >= _DISTINCT)


def _exchanged(text: str) -> int:
    """The letters of a Latin text that reads like no language: a font's numbers in place of letters."""
    plain = unicodedata.normalize("NFD", text[:PAIR_CHARACTERS])
    words = _WORD.findall("".join(char for char in plain if not unicodedata.combining(char)))
    pairs = [word[at : at + 2].lower() for word in words for at in range(len(word) - 1)]
    if len(pairs) < MIN_PAIRS:
        return 0
    common = sum(pair in _COMMON_PAIRS for pair in pairs)
    if common >= COMMON_SHARE * len(pairs):
        return 0
    return sum(char.isalpha() for char in text)
