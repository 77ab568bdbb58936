"""Texts, mails and web pages that mean harm, or came to harm."""

from __future__ import annotations

from collections.abc import Iterator

from tests.documents.hostile_types import Hostile

REMOTE = "http://127.0.0.1:1"
WORDS = "Readable words in a file.\n"


def text_files() -> Iterator[Hostile]:
    yield Hostile("nothing", "nothing.txt", lambda: b"")
    yield Hostile("only-blanks", "blank.txt", lambda: b" \n\t \r\n\f " * 1_000)
    yield Hostile("only-zeros", "zeros.txt", lambda: bytes(100_000))
    yield Hostile("text-with-zeros", "some.txt", lambda: WORDS.encode() * 20 + b"\0" * 5)
    yield Hostile("one-line-of-49-mb", "line.txt", lambda: b"word " * (49 * 1024 * 1024 // 5))
    yield Hostile("one-word-of-20-mb", "word.txt", lambda: b"a" * (20 * 1024 * 1024))
    yield Hostile(
        "blank-lines-of-10-mb", "lines.txt", lambda: WORDS.encode() + b" \n\t\n" * 2_500_000 + b"end"
    )
    yield Hostile(
        "invalid-utf-8", "invalid.txt", lambda: (WORDS.encode() + b"\xc3\x28\xff\xfe\xf0\x9f ") * 50
    )
    yield Hostile(
        "lone-surrogates", "surrogates.txt", lambda: (WORDS.encode() + b"\xed\xa0\x80\xed\xbf\xbf ") * 50
    )
    yield Hostile("utf-16-cut", "wide.txt", lambda: (WORDS * 50).encode("utf-16")[:-1])
    yield Hostile("combining-marks", "zalgo.txt", lambda: ("e" + "\u0301" * 100_000 + " words\n").encode())
    yield Hostile("turned-text", "turned.txt", lambda: ("\u202e\u2066" + WORDS).encode() * 100)
    yield Hostile("json-100000-deep", "deep.json", lambda: b"[" * 100_000 + b"1" + b"]" * 100_000)
    yield Hostile("form-feeds", "sheets.txt", lambda: b"x\f" * 1_600_000)
    yield Hostile("exe-named-docx", "tool.docx", lambda: b"MZ\x90\0\3\0\0\0" + bytes(range(256)) * 100)
    yield Hostile("pdf-named-txt", "paper.txt", pdf_named_text)
    yield Hostile(
        "html-named-pdf", "page.pdf", lambda: b"<!doctype html><title>T</title><p>Readable words.</p>"
    )
    yield from _markdown()
    yield from _rst()
    yield from _tables()
    yield from _web()
    yield from _mails()
    yield from _names()


def pdf_named_text() -> bytes:
    from tests.documents.parsing.pdf_factory import make_pdf

    return make_pdf([["Readable words of a PDF."]])


def _markdown() -> Iterator[Hostile]:
    lists = "".join(f"{'  ' * depth}- item\n" for depth in range(2_000))
    for name, text in {
        "quotes-10000-deep": "> " * 10_000 + "words",
        "lists-10000-deep": "- " * 10_000 + "words",
        "indented-lists-2000-deep": lists,
        "emphasis": "**a *b " * 30_000,
        "brackets": "[" * 100_000 + "words",
        "links": "[a](" * 50_000,
        "backticks": "".join("`" * n + " " for n in range(1_500)),
        "entities": "&" * 100_000 + " words",
        "html-comments": "<!-- " * 50_000,
        "reference-definitions": "".join(f"[r{n}]: /x\n" for n in range(50_000)) + "\n[r1] words",
        "wide-table": "|" + "a|" * 20_000 + "\n|" + "-|" * 20_000 + "\n" + ("|" + "b|" * 5 + "\n") * 2_000,
        "remote-references": f"# Words\n\n![picture]({REMOTE}/a.png) <img src='{REMOTE}/b.png'> [x](file:///etc/passwd)\n",
    }.items():
        yield Hostile(f"markdown-{name}", f"{name}.md", text.encode)


def _rst() -> Iterator[Hostile]:
    includes = (
        ".. include:: /etc/passwd\n\n.. include:: ../../../../../../etc/passwd\n   :literal:\n\n"
        ".. literalinclude:: /etc/passwd\n\n.. raw:: html\n   :file: /etc/passwd\n\n"
        f".. raw:: html\n   :url: {REMOTE}/x\n\n.. csv-table:: T\n   :file: /etc/passwd\n\n"
        f".. csv-table:: T\n   :url: {REMOTE}/x\n\n.. figure:: {REMOTE}/a.png\n\n   Caption words.\n"
    )
    doubled = "".join(f".. |s{n}| replace:: {f'|s{n - 1}| ' * 10}\n" for n in range(1, 12))
    for name, text in {
        "includes": f"Title\n=====\n\nReadable words.\n\n{includes}",
        "raw-html": "Words.\n\n.. raw:: html\n\n   <script>alert(1)</script><p>raw words</p>\n",
        "substitutions-billion-laughs": f".. |s0| replace:: ha\n{doubled}\nReadable words |s11|\n",
        "deep-quotes": "".join(f"{' ' * depth}words\n\n" for depth in range(1_500)),
        "deep-inline": "*a " * 50_000,
        "role-that-reads": ".. role:: raw-html(raw)\n   :format: html\n\n:raw-html:`<b>x</b>` words\n",
        "loop-of-targets": "a_ b_ words\n\n.. _a: b_\n.. _b: a_\n",
        "math-and-code": ".. math:: \\"
        + "frac{1}" * 5_000
        + "\n\n.. code:: python\n   :include: /etc/passwd\n\n   words\n",
    }.items():
        yield Hostile(f"rst-{name}", f"{name}.rst", text.encode)


def _tables() -> Iterator[Hostile]:
    yield Hostile("csv-1000000-lines", "lines.csv", lambda: b"a,b\n" + b"1,2\n" * 1_000_000)
    yield Hostile("csv-100000-columns", "wide.csv", lambda: (b"a," * 100_000 + b"b\n") * 3)
    yield Hostile("csv-quote-never-closed", "quote.csv", lambda: b'a,b\n"words ' + b"x, y\n" * 500_000)
    yield Hostile("csv-of-commas", "commas.csv", lambda: b"," * 1_000_000)
    yield Hostile(
        "csv-of-formulas", "formula.csv", lambda: b"name,value\nx,\"=cmd|'/bin/sh'!A1\"\ny,@SUM(1)\n"
    )


def _web() -> Iterator[Hostile]:
    remote = "".join(
        f"<{tag} {name}='{REMOTE}/x'></{tag}>"
        for tag, name in (
            ("img", "src"),
            ("script", "src"),
            ("iframe", "src"),
            ("link rel=stylesheet", "href"),
            ("object", "data"),
        )
    )
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script><text>Words</text></svg>"
    page = "<!doctype html>"
    refresh = f"<base href='{REMOTE}/'><meta http-equiv=refresh content='0;url={REMOTE}'>"
    entity = '[<!ENTITY e SYSTEM "file:///etc/passwd">]'
    laughs = '<!ENTITY l0 "ha ">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    for name, text in {
        "deep.html": "<div>" * 100_000 + "words",
        "deep-tables.html": "<table><tr><td>" * 5_000 + "words",
        "deep-lists.html": "<ul><li>" * 20_000 + "words",
        "formatting.html": "<b><i><a>" * 20_000 + "words" + "<p>" * 5_000,
        "remote.html": f"{page}{refresh}{remote}<p>Readable words.",
        "script.html": page + "<script>secret()</script><style>p{}</style><p onclick=x()>Readable words.",
        "spans.html": "<table><tr><td colspan=1000000000 rowspan=1000000000>words</td><td>b</table>",
        "attributes.html": "<p " + " ".join(f"a{n}=1" for n in range(20_000)) + ">Readable words.",
        "one-tag.html": "<!doctype html><p title='" + "x" * 11_000_000 + "'>Readable words.",
        "laughs.html": f"<!DOCTYPE html [{laughs}]><html><p>Readable words &l9;</p></html>",
        "entity.html": f"<!DOCTYPE html {entity}><html><p>Readable words &e;</p></html>",
        "laughs.xhtml": f"<?xml version='1.0'?><!DOCTYPE html [{laughs}]><html><p>Words &l9;</p></html>",
        "script.svg": svg,
        "laughs.svg": f"<?xml version='1.0'?><!DOCTYPE svg [{laughs}]><svg><text>Words &l9;</text></svg>",
        "charset.html": "<meta charset='utf-7'><p>Readable words +ADw-script+AD4-",
    }.items():
        yield Hostile(f"web-{name.replace('.', '-')}", name, text.encode)


def _mails() -> Iterator[Hostile]:
    head = (
        "From: a@example.org\nTo: b@example.org\nSubject: Words\n"
        "Date: Mon, 1 Jan 2024 10:00:00 +0000\nMIME-Version: 1.0\n"
    )
    mixed = f'{head}Content-Type: multipart/mixed; boundary="b"\n\n'
    plain = "Content-Type: text/plain\n\nReadable words.\n"
    nested = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(10_000))
    messages = "Content-Type: message/rfc822\n\n" * 1_000
    attachment = (
        '--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename="{0}.txt"\n\nNumber {0}\n'
    )
    climbing = attachment.replace("{0}.txt", "../../../../etc/passwd")
    for name, text in {
        "nested-multiparts": f"{head}{nested}{plain}",
        "nested-messages": f"{head}{messages}{head}{plain}",
        "1000-attachments": f'{head}Content-Type: multipart/mixed; boundary="b"\n\n--b\n{plain}'
        + "".join(attachment.format(n) for n in range(1_000))
        + "--b--\n",
        "attachment-that-climbs": f"{mixed}--b\n{plain}{climbing.format(1)}--b--\n",
        "unknown-charset": f"{head}Content-Type: text/plain; charset=klingon\n"
        "Content-Transfer-Encoding: base64\n\n!!!!notbase64\n",
        "header-of-5-mb": f"{head}X-Long: {'word ' * 1_000_000}\n{plain}",
        "encoded-words": f"{head}X: {'=?utf-8?q?=' * 50_000}\n"
        f"Subject: {'=?utf-8?b?//79?= ' * 5_000}\n{plain}",
        "parameters": f"{head}Content-Type: text/plain; "
        + "; ".join(f"a*{n}=x" for n in range(5_000))
        + "\n\nReadable words.\n",
        "boundary-missing": f"{head}Content-Type: multipart/mixed\n\n{plain}",
        "addresses": head.replace("b@example.org", '"x" <' * 20_000) + plain,
    }.items():
        yield Hostile(f"mail-{name}", f"{name}.eml", text.encode)


def _names() -> Iterator[Hostile]:
    for number, name in enumerate(
        [
            "../../../../etc/passwd",
            "/etc/passwd",
            "..\\..\\windows\\win.ini",
            "nul\0byte.txt",
            "cod\u202etxt.exe",
            "n" * 300 + ".txt",
            "CON",
            "COM1.txt",
            "two\nlines\r.txt",
            "\U0001f600\U0001f4a9.txt",
            "...hidden",
            "  .  ",
            "",
            "-rf.txt",
            "a;b|c$(d)`e`.txt",
            "<script>alert(1)</script>.txt",
            "e\u0301\u0301\u0301.txt",
            "\ud800.txt",
            "x.txt::$DATA",
            "%2e%2e%2f.txt",
        ]
    ):
        yield Hostile(f"name-{number}", name, f"{WORDS}Number {number}.\n".encode)
