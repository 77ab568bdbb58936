"""Characters that nobody sees: what hides text in text goes, what scripts and emoji are spelled with stays.

A zero-width joiner belongs into Persian and Hindi words and into emoji of families; between Latin letters it
splits a word for programs and not for people. Tag characters and runs of variation selectors carry whole
hidden sentences. So each such character is judged by its neighbours, and never two in a row are kept.
"""

from __future__ import annotations

import re
from functools import lru_cache

#: Never of use in text that is read, found and quoted: soft hyphens, word joiners, invisible operators,
#: embeddings, overrides and isolates of direction, fillers, annotation marks, musical and shorthand
#: controls, the whole block of tags.
_NEVER = (
    "\u00ad\u2060-\u206f\u202a-\u202e\u3164\uffa0\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
#: Of use between the right neighbours.
_JOINERS, _SPACE, _MARKS = "\u200c\u200d", "\u200b", "\u200e\u200f\u061c"
_SELECTORS, _IDEOGRAPHIC = "\ufe00-\ufe0f\u180b-\u180d\u180f", "\U000e0100-\U000e01ef"
_OTHER = "\u034f\u115f\u1160\u180e"
HIDDEN = re.compile(f"[{_NEVER}{_JOINERS}{_SPACE}{_MARKS}{_SELECTORS}{_IDEOGRAPHIC}{_OTHER}]")

#: Flags of England, Scotland and Wales: the only sequences of tags that are in use.
_FLAGS = frozenset(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in name) + "\U000e007f"
    for name in ("gbeng", "gbsct", "gbwls")
)
_RUN = re.compile(f"(?:\U0001f3f4[\U000e0020-\U000e007f]+)|{HIDDEN.pattern}+")

_EMOJI = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
#: Scripts whose letters join or stack: Arabic, Syriac, N'Ko, those of India, Tibetan, Burmese, Mongolian.
_JOINING = (
    "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ua840-\ua877\ua8e0-\ua8ff\U00011000-\U000114ff"
)
#: Scripts that write no blanks between words: Thai, Lao, Tibetan, Burmese, Khmer, Tai, Javanese.
_WITHOUT_BLANKS = (
    "\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua980-\ua9df\uaa60-\uaadf"
)
_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe"
_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"


def _of(characters: str) -> re.Pattern[str]:
    return re.compile(f"[{characters}]")


#: Hidden character → what has to stand before it, and behind it. None: anything may.
_Rule = tuple[re.Pattern[str], re.Pattern[str] | None, re.Pattern[str] | None]
_RULES: tuple[_Rule, ...] = (
    (_of(_JOINERS), _of(_JOINING), None),
    (_of("\u200d"), _of(_EMOJI + "\ufe0f"), _of(_EMOJI)),
    (_of(_SPACE), _of(_WITHOUT_BLANKS), _of(_WITHOUT_BLANKS)),
    (_of(_MARKS), _of(_RIGHT_TO_LEFT), None),
    (_of(_MARKS), None, _of(_RIGHT_TO_LEFT)),
    (_of("\ufe0e\ufe0f"), _of(_EMOJI + "0-9#*"), None),
    (_of("\ufe00-\ufe02"), _of(_HAN + "\u2190-\u2aff\u1000-\u109f\ua840-\ua877"), None),
    (_of(_IDEOGRAPHIC), _of(_HAN), None),
    (_of("\u180b-\u180f"), _of("\u1800-\u18af"), None),
    (_of("\u034f"), _of("\u0590-\u05ff"), None),
    (_of("\u115f\u1160"), _of("\u1100-\u11ff"), None),
)
#: An emoji keeps its selector in front of a joiner: the one run of two that is spelled so.
_SELECTED = "\ufe0f\u200d"


def visible(text: str) -> str:
    """``text`` without what hides in it. What it keeps it keeps in place; clean text comes back as it is."""
    if text.isascii() or not HIDDEN.search(text):
        return text
    return _RUN.sub(_kept, text)


def _kept(found: re.Match[str]) -> str:
    run = found[0]
    if run[0] == "\U0001f3f4":
        return run if run in _FLAGS else run[0]
    text, start, end = found.string, found.start(), found.end()
    before, behind = text[start - 1 : start], text[end : end + 1]
    if run == _SELECTED and _belongs(run[0], before, run[1]) and _belongs(run[1], run[0], behind):
        return run
    return run if len(run) == 1 and _belongs(run, before, behind) else ""


def _belongs(hidden: str, before: str, behind: str) -> bool:
    return any(
        (not left or left.match(before)) and (not right or right.match(behind))
        for left, right in _rules_of(hidden)
    )


@lru_cache(maxsize=1024)
def _rules_of(hidden: str) -> tuple[tuple[re.Pattern[str] | None, re.Pattern[str] | None], ...]:
    return tuple((left, right) for one, left, right in _RULES if one.match(hidden))
