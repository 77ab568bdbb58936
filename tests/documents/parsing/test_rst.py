from __future__ import annotations

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
