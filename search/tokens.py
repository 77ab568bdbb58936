"""How many tokens a text is for a model whose tokeniser is not known: rather too many than too few."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PARTS = re.compile(r"(?P<letters>[A-Za-z]+)|(?P<digits>[0-9]+)|(?P<accented>[À-ɏḀ-ỿ])|(?P<other>\S)|\n")
#: What a chat template puts around a message.
MESSAGE_TOKENS = 8


def estimate(text: str) -> int:
    """An upper estimate. Those of parts that are separated by white space add up.

    English has four to six letters to a token, German three; capitals and codes are split finer, digits
    often stand alone. A vocabulary that lacks another script falls back to its bytes, and none makes
    more tokens than there are bytes: these are counted.
    """
    return sum(map(cost, PARTS.finditer(text)))


def cost(part: re.Match[str]) -> int:
    text = part.group()
    if part["letters"]:
        return -(-(len(text) + sum(map(str.isupper, text))) // 3)
    if part["digits"]:
        return len(text) + 1
    return len(text.encode()) if part["other"] else 1


def of_messages(messages: Iterable[Mapping[str, str]]) -> int:
    return sum(estimate(message["content"]) + MESSAGE_TOKENS for message in messages)
