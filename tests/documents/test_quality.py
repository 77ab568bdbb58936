from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from dataclasses import replace
from string import ascii_lowercase, ascii_uppercase

import pytest

from documents.language import language_of
from documents.parsing.types import ParsedDocument, ParsedPage
from documents.quality import NO_TEXT, Quality, assess

ENGLISH = (
    "The pump moves the water from the well into the tank on the hill. When the filter is full, the pressure "
    "rises and the controller stops the motor. Change the filter every six months, and write the date on it. "
)
GERMAN = (
    "Die Pumpe fördert das Wasser aus dem Brunnen in den Behälter auf dem Hügel. Wenn der Filter voll ist, "
    "steigt der Druck, und die Steuerung schaltet den Motor ab. Für größere Mengen gibt es zwei Geräte. "
)
LANGUAGES = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": "La pompe déplace l'eau du puits vers le réservoir. Il faut changer le filtre tous les six mois.",
    "es": "La bomba mueve el agua del pozo al depósito. Hay que cambiar el filtro cada seis meses del año.",
    "it": "La pompa sposta l'acqua dal pozzo al serbatoio. Il filtro va cambiato ogni sei mesi, con la data.",
    "nl": "De pomp verplaatst het water van de put naar de tank op de heuvel. Het filter is vaak vol.",
    "pl": "Pompa tłoczy wodę ze studni do zbiornika na wzgórzu. Filtr należy wymieniać co sześć miesięcy.",
    "ru": "Насос качает воду из колодца в бак на холме. Фильтр нужно менять каждые шесть месяцев.",
    "ar": "تنقل المضخة الماء من البئر إلى الخزان فوق التل. يجب تغيير المرشح كل ستة أشهر وكتابة التاريخ عليه.",
    "ja": "ポンプは井戸から丘の上のタンクへ水を送ります。フィルターは半年ごとに交換してください。",
    "zh": "水泵把水从井里送到山上的水箱。过滤器每六个月更换一次,并写上日期。",
}


def page(number: int, text: str, *, drawn: bool = True, picture: bool = False) -> ParsedPage:
    return ParsedPage(number, text, (), 595 if drawn else None, 842 if drawn else None, is_picture=picture)


def examined(*texts: str, pictures: tuple[int, ...] = ()) -> Quality:
    """A scan that text recognition has read; on ``pictures`` it found nothing, other pages may be blank."""
    pages = (
        replace(page(n, text, picture=n in pictures), examined=True, recognised=bool(text))
        for n, text in enumerate(texts, start=1)
    )
    return assess(ParsedDocument(tuple(pages)))


def assessed(*texts: str, drawn: bool = True, language: str = "") -> Quality:
    pages = tuple(page(n, text, drawn=drawn) for n, text in enumerate(texts, start=1))
    return assess(ParsedDocument(pages, metadata={"language": language} if language else {}))


def with_pictures(total: int, *pictures: int) -> Quality:
    pages = (page(n, "" if n in pictures else ENGLISH, picture=n in pictures) for n in range(1, total + 1))
    return assess(ParsedDocument(tuple(pages)))


def test_a_good_document() -> None:
    quality = assessed(ENGLISH, ENGLISH)
    assert quality == Quality(len(ENGLISH.strip()), 0.0, 0.0, "en", "good", "")


def test_a_document_without_text_is_unreadable() -> None:
    quality = assessed("", " \n ")
    assert (quality.verdict, quality.advice, quality.blank_share) == ("unreadable", NO_TEXT, 1)
    assert assess(ParsedDocument(())).verdict == "unreadable"


def test_pages_that_are_pictures_are_named() -> None:
    quality = with_pictures(12, 3, 4, 5, 6, 7, 9)
    assert quality.verdict == "poor"
    assert quality.advice == (
        "Pages 3–7 and 9 are without text that can be selected, and text recognition (Tesseract) is not "
        "installed on this portal. Have it installed, or upload a version whose text can be selected."
    )
    assert quality.blank_share == 0.5
    assert quality.characters_per_page == len(ENGLISH.strip())  # of those that have any


def test_a_long_list_of_pages_is_cut() -> None:
    assert "Pages 2, 4, 6, 8, 10, 12 and others are without" in with_pictures(31, *range(2, 30, 2)).advice


def test_one_picture_among_few_pages_is_named() -> None:
    assert with_pictures(4, 2).advice.startswith("Page 2 is without text")


def test_covers_and_a_few_pictures_do_not_make_a_document_poor() -> None:
    assert with_pictures(6, 1, 6).verdict == "good"
    assert with_pictures(30, 7, 8).verdict == "good"


def test_pages_on_which_recognition_found_nothing_are_named_as_such() -> None:
    quality = examined(*[ENGLISH] * 4, "", ENGLISH, "", ENGLISH, "", ENGLISH, pictures=(5, 7))
    assert quality.verdict == "poor"
    assert quality.advice == (
        "On pages 5 and 7 no text could be recognised. Sharper or larger pictures may help."
    )


def test_the_blank_backs_of_a_scan_are_no_loss() -> None:
    assert (examined(ENGLISH, "").verdict, examined(ENGLISH, "").advice) == ("good", "")
    assert examined(ENGLISH, "", ENGLISH, "", "").verdict == "good"
    assert "On page 2 no text could be recognised." in examined(ENGLISH, "", pictures=(2,)).advice


def test_a_scan_of_a_few_letters_is_not_to_be_recognised_again() -> None:
    assert examined("Page 1", "Page 2").advice == (
        "There is hardly any text on the pages of this file. Sharper or larger pictures may help."
    )


def test_pages_left_blank_are_no_loss_unless_they_are_most_of_them() -> None:
    assert assessed(ENGLISH, "", ENGLISH).verdict == "good"
    assert assessed(ENGLISH, "").verdict == "good"
    assert assessed(ENGLISH, "", "").advice == (
        "Pages 2–3 are empty. If there should be text, export the file again from the program it was made in."
    )


def test_a_stamp_on_each_page_is_hardly_any_text() -> None:
    quality = assessed("Page 1", "Page 2", "Page 3")
    assert (quality.verdict, quality.characters_per_page) == ("poor", 6)
    assert quality.advice.startswith("There is hardly any text on the pages")
    assert assessed("a note", "another", drawn=False).verdict == "good"  # slides, sheets: no paper


def exchanged(text: str, seed: int) -> str:
    """The text as a font without a character table gives it: other letters, the same each time."""
    letters = list(ascii_lowercase)
    random.Random(seed).shuffle(letters)
    shuffled = "".join(letters)
    return text.translate(str.maketrans(ascii_lowercase + ascii_uppercase, shuffled + shuffled.upper()))


def test_exchanged_letters_are_unreadable() -> None:
    quality = assessed(exchanged(ENGLISH * 3, 1), exchanged(ENGLISH * 3, 1))
    assert quality.verdict == "unreadable"
    assert "the file's fonts lack a character table" in quality.advice
    assert quality.language == ""


def test_few_fonts_exchange_letters_so_that_it_is_missed() -> None:
    verdicts = [assessed(exchanged(ENGLISH * 3, seed)).verdict for seed in range(60)]
    assert verdicts.count("unreadable") >= 54


def test_glyph_numbers_without_blanks_are_unreadable() -> None:
    shifted = "".join(chr(ord(char) - 29) for char in ENGLISH if char.isalpha())
    assert assessed(shifted * 3).verdict == "unreadable"


@pytest.mark.parametrize(
    "text",
    [
        "(cid:12)(cid:7)(cid:133) " * 50,
        "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd word " * 40,
        "\ue012\uf0b7\ue0a1\uf001 " * 50,
    ],
)
def test_lost_characters_are_unreadable(text: str) -> None:
    quality = assessed(text)
    assert quality.verdict == "unreadable"
    assert quality.garbled_share > 0.4
    assert "lack a character table" in quality.advice


def test_a_font_lost_in_parts_of_a_document_is_poor() -> None:
    quality = assessed(*[ENGLISH * 3] * 9, exchanged(ENGLISH * 3, 1))
    assert quality.verdict == "poor"
    assert 0.05 < quality.garbled_share < 0.2
    assert quality.advice.startswith("Some of the text is not readable")
    assert quality.language == "en"


@pytest.mark.parametrize(
    "text",
    [GERMAN * 2, ENGLISH + "It’s the pump’s own filter: “full”. " * 4, LANGUAGES["ru"], LANGUAGES["ja"]],
)
def test_the_wrong_encoding_is_seen(text: str) -> None:
    misread = text.encode().decode("cp1252", "replace").replace("\ufffd", "")
    quality = assessed(misread, drawn=False)
    assert quality.verdict in ("poor", "unreadable")
    assert "saved in another encoding" in quality.advice


def test_words_without_blanks_are_unreadable() -> None:
    quality = assessed(re.sub(r"\W", "", ENGLISH) * 2)
    assert quality.verdict == "unreadable"
    assert "spaces between words are missing" in quality.advice


def test_spaced_letters_are_seen() -> None:
    quality = assessed(ENGLISH + " ".join(ENGLISH.replace(" ", "")))
    assert quality.verdict == "poor"
    assert "in the wrong places" in quality.advice


CODE = "def assess(parsed):\n    return [page for page in parsed.pages if page.has_text()]\n\nclass Xyz:\n"
GOOD = {
    "numbers": "\n".join(f"{n}  1,{n:03}  {n * 7}.5%  (2,{n:03})" for n in range(100)),
    "product codes": "\n".join(f"XK-{n}Q  PRZ{n}  BQT  ZKWX  NVDA  0x{n:04x}" for n in range(100)),
    "code": CODE * 10,
    "bases": "\n".join(["ACGTTGCATGCCGATTACGGATCCATGCAAGCTTGGCATTCCGGTTACGTAGCTA"] * 20),
    "proteins": "\n".join(["MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAV"] * 20),
    "marks": "Y N N Y N Y Y N N Y\n" * 40,
    "addresses": "https://example.org/a/very/long/path/to/some/document-of-the-portal?with=parameters\n" * 10,
    "base64": "aGVsbG8gd29ybGQsIHRoaXMgaXMgYSBsb25nZXIgdGV4dCBpbiBiYXNlNjQgZW5jb2Rpbmc9\n" * 10,
    "capitals": ENGLISH.upper() * 2,
    "bullets of a symbol font": "".join(f"\uf0b7 {line}.\n" for line in ENGLISH.split(".")) * 2,
    "latin": "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor. " * 5,
    "quotes after accents": "«Così è la città», disse “papà”… L’été à “Orléans” : “santé”, “IRMÔ” et “Ñ”. "
    * 5,
    "a short note": "\ufffd zq",
}


@pytest.mark.parametrize("name", GOOD)
def test_what_looks_odd_is_not_called_garbled(name: str) -> None:
    quality = assessed(GOOD[name])
    assert (quality.verdict, quality.advice) == ("good", "")
    assert quality.garbled_share < 0.05


@pytest.mark.parametrize("code", LANGUAGES)
def test_languages_are_told_and_none_is_garbled(code: str) -> None:
    quality = assessed(LANGUAGES[code] * 3)
    assert (quality.language, quality.verdict, quality.garbled_share) == (code, "good", 0)


@pytest.mark.parametrize("text", ["", "P-101", "12 34 56,7 " * 50, "水", "Hello"])
def test_no_language_is_named_where_the_text_does_not_tell(text: str) -> None:
    assert language_of(text) == language_of(text, "de") == ""


def test_the_text_decides_and_what_the_file_says_is_a_hint() -> None:
    assert assessed(GERMAN, language="en-US").language == "de"
    unsure = "Die Pumpe fördert Wasser."
    assert (language_of(unsure), language_of(unsure, "de-AT"), language_of(unsure, "ja")) == ("", "de", "")


def test_only_a_sample_of_a_long_document_is_read() -> None:
    pages = tuple(page(n, ENGLISH * 20) for n in range(1, 5_000))
    assess(ParsedDocument(pages[:2]))  # loads the model
    began = time.process_time()
    assert assess(ParsedDocument(pages)).language == "en"
    assert time.process_time() - began < 0.3


@pytest.mark.parametrize(
    "unit", ["a ", "a", "Ã", "(cid:", " ", "é ", "\n", "â€", "Ab", "ß\u0301", "https://"]
)
def test_hostile_text_takes_no_time(unit: str) -> None:
    began = time.process_time()
    assessed(unit * 300_000)
    assert time.process_time() - began < 1.5


def test_importing_the_gate_loads_no_model() -> None:
    program = "import sys, documents.quality; sys.exit('py3langid' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
