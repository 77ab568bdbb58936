from __future__ import annotations

import time
from email.message import EmailMessage
from pathlib import Path

import pytest

from documents.exceptions import UnreadableDocument
from documents.parsing import mail
from documents.parsing.jail import parse_in_jail
from documents.parsing.mail import parse
from documents.parsing.types import Attachment, ParsedDocument

PDF = b"%PDF-1.4 a drawing"
HEAD = b"From: a@x.org\nTo: b@x.org\nSubject: Pump\nMIME-Version: 1.0\n"


def parsed(folder: Path, message: EmailMessage | bytes) -> ParsedDocument:
    path = folder / "file.eml"
    path.write_bytes(message if isinstance(message, bytes) else message.as_bytes())
    return parse(str(path))


def blocks(document: ParsedDocument) -> list[tuple[str, str]]:
    return [(b.kind, page.text[b.start : b.end]) for page in document.pages for b in page.blocks]


def text(document: ParsedDocument) -> str:
    return "\n".join(page.text for page in document.pages)


@pytest.fixture
def message() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Änna Müller <anna@x.org>"
    message["To"] = "bob@x.org, charlie@x.org"
    message["Cc"] = "dora@x.org"
    message["Subject"] = "Größe der Pumpe P-101"
    message["Date"] = "Mon, 3 Feb 2025 10:00:00 +0100"
    message.set_content("Hello,\n\n- one\n- two\n  more\n\n> quoted\n> words\n\n-- \nAnna\n")
    return message


def test_header_and_body(tmp_path: Path, message: EmailMessage) -> None:
    document = parsed(tmp_path, message)
    assert document.title == "Größe der Pumpe P-101"
    assert document.metadata == {
        "title": "Größe der Pumpe P-101",
        "subject": "Größe der Pumpe P-101",
        "author": "Änna Müller <anna@x.org>",
        "created": "2025-02-03T10:00:00+01:00",
    }
    header = "From: Änna Müller <anna@x.org>\nTo: bob@x.org, charlie@x.org\nCc: dora@x.org\n"
    found = blocks(document)
    assert found[:3] == [
        ("heading", "Größe der Pumpe P-101"),
        ("paragraph", header + "Date: Mon, 03 Feb 2025 10:00:00 +0100"),
        ("paragraph", "Hello,"),
    ]
    assert found[3][0] == "list"
    assert " ".join(found[3][1].split()) == "- one - two more"
    assert found[4:] == [("paragraph", "> quoted\n> words"), ("paragraph", "--\nAnna")]


def test_html_is_read_where_there_is_no_plain_text(tmp_path: Path, message: EmailMessage) -> None:
    page = "<style>x</style><h1>News</h1><table><tr><th>a<th>b<tr><td>1<td>2</table>"
    message.set_content(page, subtype="html")
    found = blocks(parsed(tmp_path, message))
    assert found[2:] == [("heading", "News"), ("table", "a | b\n1 | 2")]
    message.set_content("   \n")
    message.add_alternative("<p>rich</p>", subtype="html")
    assert blocks(parsed(tmp_path, message))[2:] == [("paragraph", "rich")]


def test_of_two_versions_the_plain_one_is_read(tmp_path: Path, message: EmailMessage) -> None:
    message.add_alternative("<p>rich</p>", subtype="html")
    assert "rich" not in text(parsed(tmp_path, message))


def test_files_sent_along_become_attachments(tmp_path: Path, message: EmailMessage) -> None:
    message.add_attachment(PDF, maintype="application", subtype="pdf", filename="Zeichnung ä.pdf")
    message.add_attachment(PDF, maintype="application", subtype="pdf")
    message.add_attachment("a,b\n", subtype="csv", filename="table.csv", disposition="inline")
    message.add_attachment(b"TNEF", maintype="application", subtype="ms-tnef", filename="winmail.dat")
    message.add_attachment(b"signed", maintype="application", subtype="pkcs7-signature", filename="smime.p7s")
    document = parsed(tmp_path, message)
    assert document.attachments == (
        Attachment("Zeichnung ä.pdf", PDF),
        Attachment("attachment.pdf", PDF),
        Attachment("table.csv", b"a,b\n"),
        Attachment("winmail.dat", b"TNEF"),
    )
    assert "Attachments: Zeichnung ä.pdf, attachment.pdf, table.csv, winmail.dat" in text(document)
    assert "a,b" not in text(document)


def test_pictures_of_the_page_are_no_attachments(tmp_path: Path, message: EmailMessage) -> None:
    message.add_alternative("<p>See <img src='cid:shown'></p>", subtype="html")
    page = message.get_payload()[1]  # type: ignore[index]
    large, small = bytes(30_000), bytes(300)
    page.add_related(large, "image", "png", cid="<shown>", filename="shown.png")  # type: ignore[union-attr]
    message.add_attachment(small, "image", "png", filename="logo.png", disposition="inline")
    message.add_attachment(large, "image", "png", filename="photo.png", disposition="inline")
    message.add_attachment(small, "image", "png", filename="sent.png")
    assert [a.filename for a in parsed(tmp_path, message).attachments] == ["photo.png", "sent.png"]


def test_a_mail_sent_along_keeps_its_bytes(tmp_path: Path, message: EmailMessage) -> None:
    inner = b"Subject: Re: a/b\nX-Long: " + b"x" * 200 + b"\nFrom: z@x.org\n\ninner words\n"
    outer = HEAD + b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nouter\n--b\n'
    outer += b"Content-Type: message/rfc822\n\n" + inner + b"\n--b--\n"
    document = parsed(tmp_path, outer)
    assert document.attachments == (Attachment("Re a b.eml", inner),)
    assert "inner words" not in text(document)


def test_text_after_a_file_and_files_beside_the_rich_text_are_read(tmp_path: Path) -> None:
    source = HEAD + (
        b'Content-Type: multipart/alternative; boundary="a"\n\n--a\n\nplain words\n--a\n'
        b'Content-Type: multipart/mixed; boundary="m"\n\n--m\nContent-Type: text/html\n\n<p>rich</p>\n--m\n'
        b'Content-Type: application/pdf; name="=?utf-8?q?=C3=A4.pdf?="\n\n%PDF-1.4\n--m--\n--a--\n'
    )
    document = parsed(tmp_path, source)
    assert [a.filename for a in document.attachments] == ["ä.pdf"]
    assert blocks(document)[2:] == [("paragraph", "plain words")]
    source = HEAD + (
        b'Content-Type: multipart/mixed; boundary="m"\n\n--m\n\nbefore\n--m\n'
        b"Content-Type: application/pdf\n\n%PDF-1.4\n--m\nContent-Type: text/plain\n\nafter\n--m--\n"
    )
    assert blocks(parsed(tmp_path, source))[2:] == [("paragraph", "before"), ("paragraph", "after")]


@pytest.mark.parametrize(
    ("media_type", "filename"),
    [
        ("application/pdf", "attachment.pdf"),
        ("text/html", "attachment.html"),
        ("text/calendar", "attachment.txt"),
        ("image/jpeg", "attachment.jpeg"),
        ("application/epub+zip", "attachment.epub"),
        ("application/unheard-of", "attachment.bin"),
    ],
)
def test_a_file_without_a_name_gets_one(
    tmp_path: Path, message: EmailMessage, media_type: str, filename: str
) -> None:
    message.add_attachment(b"content", *media_type.split("/"))
    assert parsed(tmp_path, message).attachments == (Attachment(filename, b"content"),)


def test_an_empty_body_leaves_the_header(tmp_path: Path) -> None:
    source = HEAD + b'Content-Type: application/pdf; name="plan.pdf"\n\n%PDF-1.4\n'
    document = parsed(tmp_path, source)
    assert text(document) == "Pump\n\nFrom: a@x.org\nTo: b@x.org\nAttachments: plan.pdf"
    assert len(document.attachments) == 1


def test_attachments_beyond_the_limits_are_named(
    tmp_path: Path, message: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "MAX_ATTACHMENTS", 3)
    monkeypatch.setattr(mail, "MAX_ATTACHED", 100)
    for number, size in enumerate((50, 60, 20, 20, 20)):
        message.add_attachment(bytes(size), "application", "x", filename=f"{number}.bin")
    document = parsed(tmp_path, message)
    assert [a.filename for a in document.attachments] == ["0.bin", "2.bin", "3.bin"]
    assert "too much to be read here: 1.bin, 4.bin" in text(document)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"Subject: =?utf-8?b?R3LDtsOf?=\n =?utf-8?b?ZQ==?=\n\nx", "Größe"),
        (b"Subject: =?no-such?q?words?=\n\nx", "words"),
        (b"Subject: =?utf-8?b?R3L!!?= rest\n\nx", "rest"),
        (b"Subject: =?utf-8?b?R?= rest\n\nx", "rest"),
        ("Subject: Größe\n\nx".encode(), "Größe"),
        ("Subject: Größe\n\nx".encode("latin-1"), "Größe"),
        (b'From: "=?utf-8?q?=C3=84nna?=" <a@x>\n\nx', 'From: "Änna" <a@x>'),
        (b'From: <<>>,,;"@ [(\nTo: ;;\nDate: never\n\nx', 'From: <<>>,,;"@ [('),
        (b"Content-Type: text/plain; charset=no-such\n\n" + "Größe".encode(), "Größe"),
        (b"Content-Type: text/plain; charset=utf-8\n\n" + "Die Größe der Pumpe".encode("cp1252"), "Größe"),
        (b"Content-Type: text/plain; charset=\n\nwords", "words"),
        (b"Content-Type: ;;;=\n\nwords", "words"),
        (b"Content-Type: text/html; charset=windows-1251\n\n" + "<p>Насос".encode("cp1251"), "Насос"),
        (b"Content-Transfer-Encoding: base64\n\n!!!not base64", "base64"),
        (b"Content-Transfer-Encoding: quoted-printable\n\nGr=C3=B6=ZZ=", "Grö"),
        (b"Content-Type: multipart/mixed\n\nno boundary", "no boundary"),
        (b"Content-Type: multipart/mixed; boundary=b\n\nnever begins", "never begins"),
        (b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nnever ends", "never ends"),
        (b"Content-Type: message/rfc822\n\n", ""),
        (b"only words, no header", "only words, no header"),
        (b"\n\n", ""),
    ],
)
def test_mails_that_break_the_rules(tmp_path: Path, source: bytes, expected: str) -> None:
    assert expected in text(parsed(tmp_path, source))


def test_parts_nested_without_end_are_refused(tmp_path: Path) -> None:
    nested = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (number, number)
        for number in range(10_000)
    )
    path = tmp_path / "file.eml"
    path.write_bytes(HEAD + nested + b"\ndeep")
    with pytest.raises(UnreadableDocument, match="nested too deeply"):
        parse(str(path))
    with pytest.raises(UnreadableDocument, match="nested too deeply"):
        parse_in_jail(str(path), "email")


def test_a_mail_is_read_in_the_jail_with_its_attachments(tmp_path: Path, message: EmailMessage) -> None:
    message.add_attachment(PDF, maintype="application", subtype="pdf")
    path = tmp_path / "file.eml"
    path.write_bytes(message.as_bytes())
    document = parse_in_jail(str(path), "email")
    assert document.title == "Größe der Pumpe P-101"
    assert document.attachments == (Attachment("attachment.pdf", PDF),)


def test_a_header_of_megabytes_is_cut(tmp_path: Path) -> None:
    start = time.perf_counter()
    document = parsed(tmp_path, b"Subject: " + b"=?utf-8?q?a?= " * 100_000 + b"\nFrom: a\n\nwords")
    assert time.perf_counter() - start < 5
    assert len(document.title) <= mail.MAX_HEADER
    assert "words" in text(document)
