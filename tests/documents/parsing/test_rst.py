from __future__ import annotations

import itertools
import random
import re
import time
from pathlib import Path

import pytest

from documents.parsing.jail import parse_in_jail
from documents.parsing.rst import parse
from documents.parsing.types import ParsedDocument


def parsed(folder: Path, source: str) -> ParsedDocument:
    path = folder / "file.rst"
    path.write_text(source, encoding="utf-8")
    return parse(str(path))


def blocks(document: ParsedDocument) -> list[tuple[str, str]]:
    return [(b.kind, page.text[b.start : b.end]) for page in document.pages for b in page.blocks]


def test_sections_become_headings_and_the_docinfo_metadata(tmp_path: Path) -> None:
    source = """\
=====
Title
=====

:Author: Ann
:Date: 2024-01-02
:Version: 3

Words over
two *lines*.

Section
-------

Sub
~~~

more
"""
    document = parsed(tmp_path, source)
    assert document.title == "Title"
    assert document.metadata == {"author": "Ann", "created": "2024-01-02"}
    assert blocks(document) == [
        ("heading", "Title"),
        ("list", "- Author: Ann\n- Date: 2024-01-02\n- Version: 3"),
        ("paragraph", "Words over two lines."),
        ("heading", "Section"),
        ("heading", "Sub"),
        ("paragraph", "more"),
    ]
    assert [b.level for b in document.pages[0].blocks if b.kind == "heading"] == [1, 2, 3]


def test_sections_side_by_side_are_of_the_highest_level(tmp_path: Path) -> None:
    document = parsed(tmp_path, "One\n===\n\na\n\nTwo\n===\n\nb\n")
    assert [b.level for b in document.pages[0].blocks if b.kind == "heading"] == [1, 1]


def test_lists(tmp_path: Path) -> None:
    source = """\
3. three
4. four

   goes on

   a. nested

   ::

      code

term : class
    meaning

-o FILE  where to

:field: body
"""
    found = blocks(parsed(tmp_path, source))
    assert [kind for kind, _ in found] == ["list", "code", "list", "list", "list"]
    assert " ".join(found[0][1].split()) == "3. three 4. four goes on a. nested"
    assert [text for _, text in found[1:]] == [
        "code",
        "- term : class: meaning",
        "- -o FILE: where to",
        "- field: body",
    ]


@pytest.mark.parametrize(
    "source",
    [
        "==  ==\nA   B\n==  ==\n1   2\n==  ==\n",
        "+---+---+\n| A | B |\n+===+===+\n| 1 | 2 |\n+---+---+\n",
        ".. list-table::\n   :header-rows: 1\n\n   * - A\n     - B\n   * - 1\n     - 2\n",
        '.. csv-table::\n   :header: "A", "B"\n\n   1, 2\n',
    ],
)
def test_tables_keep_their_header(tmp_path: Path, source: str) -> None:
    document = parsed(tmp_path, source)
    assert blocks(document) == [("table", "A | B\n1 | 2")]
    assert document.pages[0].blocks[0].header == "A | B"


def test_cells_that_span_are_not_repeated(tmp_path: Path) -> None:
    source = (
        "+---+---+\n| A | B |\n+===+===+\n| wide  |\n+---+---+\n| x | 1 |\n+   +---+\n|   | 2 |\n+---+---+\n"
    )
    assert blocks(parsed(tmp_path, source))[0][1].split("\n")[:3] == ["A | B", "wide", "x | 1"]


def test_notes_code_figures_and_footnotes(tmp_path: Path) -> None:
    source = """\
.. note:: Take care
   of it.

.. warning::

   - hot

.. admonition:: By the way

   Cold.

.. figure:: http://example.org/pump.png
   :alt: A pump

   The caption

Seen [1]_ and |there|.

.. [1] The foot
   note.

.. parsed-literal::

   a *b*

| one
| two

>>> 1 + 1
2

.. math:: a = b
.. A comment.
"""
    assert blocks(parsed(tmp_path, source)) == [
        ("paragraph", "Note: Take care of it."),
        ("paragraph", "Warning:"),
        ("list", "- hot"),
        ("paragraph", "By the way"),
        ("paragraph", "Cold."),
        ("paragraph", "A pump"),
        ("paragraph", "The caption"),
        ("paragraph", "Seen [1] and |there|."),
        ("paragraph", "[1] The foot note."),
        ("code", "a b"),
        ("paragraph", "one\ntwo"),
        ("code", ">>> 1 + 1\n2"),
        ("code", "a = b"),
    ]


def test_what_sphinx_adds_keeps_its_text(tmp_path: Path) -> None:
    source = """\
.. toctree::
   :maxdepth: 2

   chapter

See :ref:`the manual <target>`, :py:class:`~pump.Motor` and :kbd:`Ctrl`; `odd`:role: too.

.. seealso::

   Another *thing*.

.. versionadded:: 3.2
   The parameter.

.. code-block:: python
   :linenos:

   x = 1

.. code-block::
   y = 2

.. py:function:: start(pump)
   :noindex:

   Starts it.

   :param pump: which

.. only:: html

   Shown.

.. rst-class:: wide

   Wide.

.. made-up:: argument
   :option: value

   Content.
"""
    assert blocks(parsed(tmp_path, source)) == [
        ("paragraph", "See the manual, pump.Motor and Ctrl; odd too."),
        ("paragraph", "See also"),
        ("paragraph", "Another thing."),
        ("paragraph", "Added in version 3.2 The parameter."),
        ("code", "x = 1"),
        ("code", "y = 2"),
        ("paragraph", "start(pump)"),
        ("paragraph", "Starts it."),
        ("list", "- param pump: which"),
        ("paragraph", "Shown."),
        ("paragraph", "Wide."),
        ("paragraph", "argument"),
        ("paragraph", "Content."),
    ]


def test_no_other_file_is_read_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docutils.conf").write_text("[general]\nfile_insertion_enabled: yes\n")
    (tmp_path / "secret.txt").write_text("hidden words")
    path = tmp_path / "secret.txt"
    source = f".. include:: {path}\n\n.. csv-table::\n   :file: {path}\n\n.. literalinclude:: {path}\n\n"
    source += f".. raw:: html\n   :file: {path}\n\nwords *broken\n\n.. figure::\n"
    text = parsed(tmp_path, source).pages[0].text
    assert "hidden words" not in text
    assert "words *broken" in text
    assert capfd.readouterr() == ("", "")


def test_markup_that_docutils_cannot_read_is_kept_as_it_is(tmp_path: Path) -> None:
    found = blocks(
        parsed(tmp_path, ".. image:: x.png\n   :width: very\n   :alt: A pump\n\n== ==\na b c\n== ==\n")
    )
    assert "A pump" in found[0][1]
    assert "a b c" in found[1][1]


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        (".. note::\n   :bogus: 3\n\n   Open the valve.\n", ".. note::\n   :bogus: 3\n\n   Open the valve."),
        (".. note: Open the\n   valve.\n", "note: Open the\nvalve."),
        (".. code  block:: python\n\n   valve = 1\n", "code  block:: python\n\nvalve = 1"),
        (".. note\n\n   Open the valve.\n", "note\n\nOpen the valve."),
        (".. py:function: start(pump)\n\n   Opens it.\n", "py:function: start(pump)\n\nOpens it."),
        (".. [1 Open the valve.\n", "[1 Open the valve."),
        (".. _valve open\n   it slowly\n", ".. _valve open\nit slowly"),
        (".. |valve: replace:: open\n", ".. |valve: replace:: open"),
        (".. role:: small\n\n   Open the valve.\n", "Open the valve."),
        (".. |x| replace:: Open it.\n", "Open it."),
        (".. |x| replace:: Open it.\n.. |x| replace:: Never.\n\n|x|\n", "Open it."),
        ("- a\n- b\n.. note: Open it.\n", "note: Open it."),
    ],
)
def test_broken_markup_keeps_its_words(tmp_path: Path, source: str, kept: str) -> None:
    assert kept in [text for _, text in blocks(parsed(tmp_path, source + "\nThe end.\n"))]


def test_cells_keep_broken_markup_and_leave_comments_out(tmp_path: Path) -> None:
    cells = (".. note::", "   :no: 1", "", "   Valve", "", ".. unsaid")
    rows = "".join(f"| {line:12} |\n" for line in cells)
    found = blocks(parsed(tmp_path, f"+{'-' * 14}+\n{rows}+{'-' * 14}+\n"))
    assert found == [("table", ".. note:: :no: 1 Valve")]


@pytest.mark.parametrize(
    "comment", ["A plain word.", "Copyright: Ann", "todo: more", "vim: set ft=rst :", "x"]
)
def test_comments_are_not_read(tmp_path: Path, comment: str) -> None:
    assert blocks(parsed(tmp_path, f"Words.\n\n.. {comment}\n")) == [("paragraph", "Words.")]


@pytest.mark.parametrize("line", ["*a " * 50_000, "Valve. " * 2_000, "\t" * 1_300 + "Valve"])
def test_a_file_with_a_line_that_docutils_refuses_is_read_as_plain_text(tmp_path: Path, line: str) -> None:
    pages = parsed(tmp_path, f"Title\n=====\n\n{line}\n").pages
    read = "".join("".join(page.text.split()) for page in pages)
    assert read == "Title=====" + "".join(line.split())


def test_a_file_full_of_errors_is_read_as_plain_text_within_seconds(tmp_path: Path) -> None:
    started = time.process_time()
    pages = parsed(tmp_path, "*a\n" * 20_000).pages
    assert sum(page.text.count("*a") for page in pages) == 20_000
    assert time.process_time() - started < 10


def test_no_word_of_a_file_with_random_faults_vanishes(tmp_path: Path) -> None:
    for seed in range(100):
        source = _with_faults(random.Random(seed))
        read = " ".join(page.text for page in parsed(tmp_path, source).pages)
        assert [word for word in re.findall(r"zq[a-z]{4}", source) if word not in read] == [], source


#: Letters stand for words: each becomes one that occurs once.
_SAMPLE = """\
W W
===

:Author: W

W *W W* **W** ``W W`` :ref:`W <target>` [1]_ |there| `W <http://e.org>`_

- W W

  - W
- W

1. W

W : W
    W W

.. note:: W W

.. warning::
   :class: wide

   W

   - W

.. [1] W

W::

    W

.. code-block:: python
   :linenos:

   W

.. list-table:: W
   :header-rows: 1

   * - W
     - W
   * - W
     - W

======  ======
W       W
======  ======
W       W
======  ======

+--------+--------+
| W | W |
+========+========+
| W | W |
+--------+--------+

.. py:function:: start(W)

   W

   :param pump: W

-o FILE  W W

.. topic:: W

   W

.. versionadded:: 3.2
   W

.. |there| replace:: W

| W
| W
"""
_SIGNS = [*"*`|_:-=+ .<>[]()~#^", "\n", "\n\n", "   ", "::", "**", "``", "|x|", "_`"]
_LINES = ["", ".. note::", "   :bogus: 3", "====", "::", ".. list-table::", "*a", ".. role:: q", ".. table::"]


def _with_faults(chance: random.Random) -> str:
    """The sample with signs added and lines added, moved and indented, but not in the names of directives."""
    number = itertools.count()
    lines = [re.sub(r"W", lambda _: _word(next(number)), line) for line in _SAMPLE.split("\n")]
    for _ in range(chance.choice([1, 2, 4, 8])):
        at = chance.randrange(len(lines))
        if chance.random() < 0.3:
            lines.insert(at, chance.choice(_LINES))
        elif not lines[at].startswith(".."):
            lines[at] = " " * chance.randrange(-3, 4) + lines[at] if chance.random() < 0.4 else lines[at]
            gaps = [found.start() for found in re.finditer(r"\b|$", lines[at])]
            cut = chance.choice(gaps)
            lines[at] = lines[at][:cut] + chance.choice(_SIGNS) + lines[at][cut:]
    return "\n".join(lines)


def _word(number: int) -> str:
    return "zq" + "".join(chr(97 + number // 26**place % 26) for place in range(4))


def test_nesting_without_end_is_read_as_plain_text(tmp_path: Path) -> None:
    document = parsed(tmp_path, "\n\n".join(" " * depth + "- deep" for depth in range(0, 800, 2)))
    assert sum(page.text.count("deep") for page in document.pages) == 400


def test_an_empty_file(tmp_path: Path) -> None:
    assert not parsed(tmp_path, "\n").has_text


def test_a_file_is_read_in_the_jail(tmp_path: Path) -> None:
    path = tmp_path / "file.rst"
    path.write_text("Title\n=====\n\n.. note:: words\n")
    document = parse_in_jail(str(path), "rst")
    assert document.title == "Title"
    assert document.pages[0].text == "Title\n\nNote: words"
