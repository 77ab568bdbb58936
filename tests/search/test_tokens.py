"""Estimates of tokens: above what a small vocabulary makes of a text, and not far above for English."""

from __future__ import annotations

import pytest

from search.tokens import estimate
from tests.search.examples import BREAD, HERONS, TRAMS

#: Counted by the tokeniser of SmolLM2, whose 49,152 pieces were learned from English.
COUNTED = {
    "Die Graureiher fischen in der Dämmerung. Die Kolonie am Ormundsee zählte 1987 zweihundertvierzehn "
    "Brutpaare. Das Bundesverfassungsgericht entschied über die Rechtmäßigkeit der "
    "Straßenverkehrsordnung.": 81,
    "Les hérons cendrés pêchent au crépuscule. La colonie du lac comptait deux cent quatorze couples "
    "reproducteurs. L’observatoire fut fondé par un professeur d’été.": 56,
    "Серые цапли ловят рыбу в сумерках. Колония на озере насчитывала двести четырнадцать гнездящихся пар в "
    "тысяча девятьсот восемьдесят седьмом году.": 113,
    "تصطاد البلشونات الرمادية عند الغسق. وبلغ عدد الأزواج المتكاثرة في المستعمرة مائتين وأربعة عشر زوجا.": 94,
    "धूसर बगुले शाम के समय मछली पकड़ते हैं। झील पर बस्ती में दो सौ चौदह प्रजनन जोड़े थे।": 98,
    "นกกระสานวลหาปลาตอนพลบค่ำ อาณานิคมที่ทะเลสาบมีคู่ผสมพันธุ์สองร้อยสิบสี่คู่": 137,
    "苍鹭在黄昏时捕鱼。湖边的群落共有两百一十四对繁殖的鸟。天文台由林奎斯特于一九二三年建立。": 87,
    "왜가리는 해 질 녘에 물고기를 잡는다. 호수의 군락에는 이백십사 쌍의 번식 쌍이 있었다.": 100,
    "1,234,567.89 2024-01-31 $12.5 million 98.6% (23) 4,001 7.25 1987 214 12/31/2023 0.0045": 77,
    "PUMP P-103 XQ-77/B MCDXLVII QWRTZPLKJ NASDAQ:XYZW": 33,
    "<<<9f3a1bc47de02158 source [12] begins>>>": 23,
    "😀🎉🚗👩‍👩‍👧‍👦✈️": 30,
}


@pytest.mark.parametrize(("text", "counted"), COUNTED.items(), ids=[text[:12] for text in COUNTED])
def test_it_is_above_the_count_in_every_script(text: str, counted: int) -> None:
    assert counted <= estimate(text) < 2.5 * counted


@pytest.mark.parametrize("text", [HERONS, TRAMS, BREAD])
def test_english_is_not_made_longer_than_it_may_be(text: str) -> None:
    assert len(text) / 4 < estimate(text) < len(text) / 2


def test_parts_add_up() -> None:
    text = "Grey herons fish at dusk.\n\nTrams, 1904: серые цапли."
    assert estimate(text) == 2 + sum(estimate(word) for word in text.split())
    assert estimate("") == 0
