from __future__ import annotations

import time

import pytest

from documents.sentences import sentences


@pytest.mark.parametrize(
    "text",
    [
        "One sentence.|Another one.",
        "Dr. Smith met Mrs. Jones.|They spoke.",
        "Use it, e.g. for tests, i.e. here.|Done.",
        "The U.S. Government paid.|He lives in the U.S.|The weather is fine.",
        "It rose 3.5 % (p<.001) in 2.4 years.|Then it fell.",
        "See No. 5 and Fig. 3.|No.|That is wrong.",
        "J. K. Rowling wrote it.|Others read it.",
        'He said "Stop." She did.'.replace(" She", "|She"),
        "(It was late.)|We left.",
        "Really?|Yes!|Good.",
        "“Really?” he asked.|She nodded.",
        "Apple Inc. (NASDAQ) fell.|It was Apple Inc.|The company rose.",
        "On Jan. 31 we closed.|On Feb. 3 we opened.",
        "1. First point.|2. Second point.",
        "これは文です。|次の文です。",
        "A line\nthat goes on.|Next.",
        "A heading\n\n|A paragraph",
        "Intro:\n|- one\n|- two",
        "Wait... what happened?|Nothing.",
        "Version 2.0 is out at www.example.com now.|Get it.",
    ],
)
def test_boundaries(text: str) -> None:
    parts = [part.strip() for part in text.split("|")]
    joined = text.replace("\n|", "\n").replace("|", " ") if "。" not in text else text.replace("|", "")
    assert [joined[start:end] for start, end in sentences(joined)] == parts


def test_nothing_in_nothing_out() -> None:
    assert sentences("") == sentences(" \n ") == []


@pytest.mark.parametrize("unit", ["word ", "a. ", ". ", "\n", "1. ", "A.", "Dr. ", " "])
def test_time_is_linear(unit: str) -> None:
    began = time.process_time()
    sentences(unit * 200_000)
    assert time.process_time() - began < 3
