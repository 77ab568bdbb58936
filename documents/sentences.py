"""Where sentences begin and end. Rules, not a model: fast, and the same on the write and the read way."""

from __future__ import annotations

import re
from collections.abc import Iterator


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Never the end of a sentence: something has to follow them.
_ALWAYS_INSIDE = _words(
    "dr mr mrs ms messrs prof rev hon gen sen rep gov capt lt col sgt maj mt ft fig figs eq eqs tab ref refs "
    "sec sect art arts vol vols ch chap cf vs v viz ca approx nr bzw resp dept est e.g i.e eg ie al"
)
#: Not the end when a number follows: "No. 5", "pp. 3–7", "Jan. 31".
_BEFORE_NUMBER = _words(
    "no nos p pp para jan feb mar apr jun jul aug sep sept oct nov dec par cl st item note rule"
)
#: The end only when the next word looks like the first of a sentence: "Apple Inc. The company …".
_MAYBE_LAST = _words("inc corp co ltd plc llc bros jr sr st ave blvd etc ph.d ed eds assn natl intl univ")
_STARTERS = _words(
    "a after all also although an and another any as at because before both but by despite during each every "
    "finally first for from further given he her here his how however i if in instead is it its last later "
    "many meanwhile moreover most my next no nor now of on once one or other our over second she similarly "
    "since so some such than that the their then there therefore these they this those though three thus to "
    "today two under unlike until upon we what when where whether which while who why "
    "with without yet you"
)

_BOUNDARY = re.compile(
    r"""
      (?P<stop> [.!?…]+ ["'”’»)\]]* (?=\s) )          # a stop, closing quotes, then a space
    | (?P<cjk> [。！？｡]+ [」』”’）】]* )                  # no space follows these
    | (?P<blank> \n [^\S\n]* \n \s* )
    | (?P<bullet> \n (?= [^\S\n]* (?: [•·▪●‣*–-] | \(?(?:\d{1,3}|[a-z])[.)] ) [^\S\n]+ \S ) )
    """,
    re.VERBOSE,
)
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«/—–]*\Z")
_NEXT = re.compile(r"\s+[\"'“‘«(\[]*(\S)(\w*)")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_ENUMERATOR = re.compile(r"\(?(?:\d{1,3}(?:\.\d{1,3})*|[a-zA-Z]|[ivxIVX]{1,5})")


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans (start, end) of the sentences, in order, without the white space around them.

    A blank line and a new list item end a sentence, a single newline does not. Together the spans
    cover every character that is not white space.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for end, resume in _boundaries(text):
        # The blank behind an enumerator ("1. ") is no boundary either, and only here it is known
        # that the enumerator begins its sentence.
        begin = _skip_space(text, start, end)
        if begin < end and not _is_enumerator(text, begin, end):
            spans.append((begin, begin + len(text[begin:end].rstrip())))
            start = resume
    begin = _skip_space(text, start, len(text))
    if begin < len(text):
        spans.append((begin, begin + len(text[begin:].rstrip())))
    return spans


def _boundaries(text: str) -> Iterator[tuple[int, int]]:
    """(where a sentence ends, where the next may begin)"""
    for found in _BOUNDARY.finditer(text):
        if found["stop"] is None:
            yield (found.end(), found.end()) if found["cjk"] else (found.start(), found.end())
        elif _ends_sentence(text, found):
            yield found.end(), found.end()


def _skip_space(text: str, start: int, end: int) -> int:
    while start < end and text[start].isspace():
        start += 1
    return start


def _is_enumerator(text: str, start: int, end: int) -> bool:
    return end - start < 12 and text[end - 1] == "." and bool(_ENUMERATOR.fullmatch(text, start, end - 1))


def _ends_sentence(text: str, found: re.Match[str]) -> bool:
    following = _NEXT.match(text, found.end())
    if not following:
        return True
    first, rest = following[1], following[2]
    stop = found["stop"]
    if first.islower():
        return False  # "e.g. this", "Really?" he asked
    if not stop.startswith(".") or stop.startswith("..") or len(stop) > 1:
        return True
    word = _LAST_WORD.search(text, max(0, found.start() - 30), found.start())
    return _ends_after(word[0] if word else "", first, first + rest)


def _ends_after(word: str, first: str, next_word: str) -> bool:
    """Whether the dot behind ``word`` ends a sentence, when ``next_word`` comes next."""
    bare = word.lower().strip(".")
    if bare in _ALWAYS_INSIDE:
        return False
    if bare in _BEFORE_NUMBER and first.isdigit():
        return False
    if bare in _MAYBE_LAST or _DOTTED.fullmatch(word) or (len(word) == 1 and word.isupper()):
        return next_word.lower() in _STARTERS
    return True
