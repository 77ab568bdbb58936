"""The quality gate: whether what was read from a file is text that can be searched and quoted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from documents.garbled import Garbled, garbled
from documents.language import language_of
from documents.parsing.types import ParsedDocument, ParsedPage

#: What is looked at, evenly over the document: more would not change the shares.
SAMPLE_PAGES, SAMPLE_CHARACTERS = 100, 100_000
#: More than half is no text: whatever a search finds in it, nobody can read.
UNREADABLE_GARBLED = 0.5
#: Good documents stay below 0.01 (bullets from symbol fonts, formulas).
POOR_GARBLED = 0.05
#: Words in the wrong encoding are few even where every accent is broken, and are never there by chance.
POOR_MISREAD = 0.01
#: Fewer characters say nothing about the rest: a short note, a label.
MIN_CHARACTERS = 100
#: A part of this size is missed by its readers; covers, which are pictures by design, are not counted.
POOR_PICTURES = 0.1
#: Pages that show nothing are left blank for print; when they are more, something was not read.
POOR_BLANK = 0.5
#: On paper: a stamp or a page number, and the rest of the page is a picture.
POOR_CHARACTERS = 25
MAX_RANGES = 6

RECOGNISE = "If it is scanned, recognise the text (OCR) and upload the file again."
SHARPER = "Sharper or larger pictures may help."
UNSEEN = (
    "{Pages} {is} without text that can be selected, and text recognition (Tesseract) is not installed on "
    "this portal. Have it installed, or upload a version whose text can be selected."
)
EMPTY = "{Pages} {is} empty. If there should be text, export the file again from the program it was made in."
NO_TEXT = "No text was found in this file. If it is scanned, recognise the text (OCR) and upload it again."
FEW = "There is hardly any text on the pages of this file."
FONTS = (
    "{much} of the text is not readable: the file's fonts lack a character table. "
    "Print it to PDF again, or upload a scan for text recognition."
)
ENCODING = (
    "{much} of the text is not readable: it was saved in another encoding than it says. "
    "Save it as UTF-8 and upload it again."
)
SPACING = (
    "In {much} of the text the spaces between words are missing or in the wrong places, so that a search "
    "cannot find them. Export the file again from the program it was written in."
)


@dataclass(frozen=True, slots=True)
class Quality:
    """``characters_per_page`` is the mean over pages that hold text; shares are from 0 to 1.

    ``language`` is an ISO 639-1 code, or empty when unsure. ``advice`` says what is wrong and what to
    do; empty when good. An ``unreadable`` document is of no use to anybody, a ``poor`` one is in parts.
    """

    characters_per_page: int
    blank_share: float
    garbled_share: float
    language: str
    verdict: Literal["good", "poor", "unreadable"]
    advice: str = ""


def assess(parsed: ParsedDocument) -> Quality:
    """Look at a sample of the text, and at which pages have none."""
    written = [page for page in parsed.pages if page.text.strip()]
    samples = _samples(written)
    damage = garbled(samples) if sum(map(len, samples)) >= MIN_CHARACTERS else Garbled()
    characters = sum(len(page.text.strip()) for page in written) // max(len(written), 1)
    verdict, advice = _verdict(parsed, damage, characters)
    return Quality(
        characters,
        1 - len(written) / max(len(parsed.pages), 1),
        damage.share,
        "" if verdict == "unreadable" else _language(samples, parsed.metadata.get("language", "")),
        verdict,
        advice,
    )


def _samples(pages: Sequence[ParsedPage]) -> list[str]:
    step = max(len(pages) / SAMPLE_PAGES, 1)
    chosen = [pages[int(number * step)] for number in range(min(len(pages), SAMPLE_PAGES))]
    return [page.text[: SAMPLE_CHARACTERS // len(chosen)] for page in chosen]


def _language(samples: Sequence[str], hint: str) -> str:
    """Of some pages from all over the document: a cover or a summary may be in another language."""
    few = samples[:: max(len(samples) // 8, 1)]
    return language_of("\n".join(sample[: 4_000 // len(few)] for sample in few), hint)


def _verdict(
    parsed: ParsedDocument, damage: Garbled, characters: int
) -> tuple[Literal["good", "poor", "unreadable"], str]:
    if not parsed.has_text:
        return "unreadable", NO_TEXT
    if damage.share >= UNREADABLE_GARBLED:
        return "unreadable", _damage_advice(damage, parsed)
    advice = [_blank_advice(parsed.pages, characters)]
    if damage.share >= POOR_GARBLED or damage.misread >= POOR_MISREAD:
        advice.append(_damage_advice(damage, parsed))
    found = " ".join(filter(None, advice))
    return ("poor", found) if found else ("good", "")


def _damage_advice(damage: Garbled, parsed: ParsedDocument) -> str:
    much = "much" if damage.share >= UNREADABLE_GARBLED / 2 else "some"
    if damage.spacing > max(damage.glyphs, damage.misread):
        return SPACING.format(much=much)
    drawn = any(page.width for page in parsed.pages)
    sentence = ENCODING if damage.misread > damage.glyphs or not drawn else FONTS
    return sentence.format(much=much.capitalize())


def _blank_advice(pages: Sequence[ParsedPage], characters: int) -> str:
    """A page that recognition has looked at and that is no picture is blank on paper too: no loss."""
    missing = [page for page in pages if not page.text.strip() and (page.is_picture or not page.examined)]
    pictures = [page for page in missing if page.is_picture]
    inner = [page for page in pictures if page not in (pages[0], pages[-1])]
    if len(inner) >= POOR_PICTURES * len(pages):
        return _missing_advice(inner)
    if len(pictures) >= POOR_BLANK * len(pages) or len(missing) > POOR_BLANK * len(pages):
        return _missing_advice(missing)
    if len(pages) > 1 and characters < POOR_CHARACTERS and all(page.width for page in pages):
        return f"{FEW} {SHARPER if any(page.recognised for page in pages) else RECOGNISE}"
    return ""


def _missing_advice(pages: Sequence[ParsedPage]) -> str:
    """What was looked at in vain, what could not be looked at, and what shows nothing at all."""
    seen = [page.number for page in pages if page.examined]
    unseen = [page.number for page in pages if page.is_picture and not page.examined]
    empty = [page.number for page in pages if not page.is_picture]
    sentences = []
    if seen:
        sentences.append(f"On {_named(seen)} no text could be recognised. {SHARPER}")
    for sentence, numbers in ((UNSEEN, unseen), (EMPTY, empty)):
        if numbers:
            verb = "is" if len(numbers) == 1 else "are"
            sentences.append(sentence.format(Pages=_named(numbers).capitalize(), **{"is": verb}))
    return " ".join(sentences)


def _named(numbers: Sequence[int]) -> str:
    return f"page{'s' * (len(numbers) > 1)} {_listed(numbers)}"


def _listed(numbers: Sequence[int]) -> str:
    """ "3–7 and 9" """
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    named = ["–".join(map(str, numbers)) for numbers in ranges[:MAX_RANGES]]
    if len(ranges) > MAX_RANGES:
        named.append("others")
    return " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
