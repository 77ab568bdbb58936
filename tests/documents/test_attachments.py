"""What a mail has attached: a document of its own, which goes where the mail goes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile

from documents import attachments, indexing, services, tasks
from documents.exceptions import StorageFull
from documents.integrity import check_integrity
from documents.models import Attachment, Collection, Deletion, Document, Status
from documents.parsing.types import Attachment as Attached
from documents.parsing.types import Block, ParsedDocument, ParsedPage

pytestmark = pytest.mark.django_db

Upload = Callable[..., Document]
MINUTES = Attached("minutes.txt", b"The pump was replaced.")
TOOL = Attached("tool.exe", b"\x7fELF" + bytes(99))


@pytest.fixture(autouse=True)
def _keep_the_connection(monkeypatch: Any) -> None:
    # The test's transaction lives on it.
    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)


@pytest.fixture
def contents(monkeypatch: Any) -> dict[str, tuple[Attached, ...]]:
    """What each file has attached, by a word of its text; a file without any is read as it is."""
    found: dict[str, tuple[Attached, ...]] = {}
    parse = indexing.parse_in_jail

    def with_attachments(path: str, kind: str, **options: Any) -> ParsedDocument:
        parsed = parse(path, kind, **options)
        text = parsed.pages[0].text
        attached = next((files for word, files in found.items() if word in text), ())
        page = ParsedPage(1, text, (Block("paragraph", 0, len(text)),))
        return ParsedDocument((page,), attachments=attached)

    monkeypatch.setattr(indexing, "parse_in_jail", with_attachments)
    return found


@pytest.fixture
def mail(collection: Collection, upload: Upload, contents: Any) -> Document:
    contents["FIRST"] = (MINUTES, TOOL)
    return run(upload(collection, "FIRST: see the attached minutes.", filename="first.txt"))


@pytest.fixture
def second(collection: Collection, upload: Upload, contents: Any, mail: Document) -> Document:
    """Another mail with the same attachment."""
    contents["SECOND"] = (MINUTES,)
    return run(upload(collection, "SECOND: the minutes again.", filename="second.txt"))


def run(document: Document) -> Document:
    tasks.index_document(str(document.pk))
    document.refresh_from_db()
    return document


def minutes() -> list[Document]:
    return list(Document.objects.filter(filename="minutes.txt"))


def broken() -> list[str]:
    # Files go when the transaction is committed, which a test's never is.
    found = check_integrity()
    return [each.invariant for each in found if each.breaches and "stored files" not in each.invariant]


def test_attachments_become_documents_of_their_own(mail: Document, collection: Collection) -> None:
    (link,) = mail.attachments.all()
    assert (link.filename, link.document.collection) == ("minutes.txt", collection)
    assert link.document.only_attached
    assert link.document.status == Status.QUEUED
    assert "tool.exe" in mail.notice
    assert "not supported" in mail.notice
    services.document_reindex(document=mail)
    run(mail)
    assert list(mail.attachments.all()) == [link]
    assert Document.objects.count() == 2


def test_what_came_with_a_mail_goes_with_it(mail: Document, alice: User) -> None:
    (attachment,) = minutes()
    services.document_delete(document=mail, user=alice)
    assert not Document.objects.exists()
    assert Deletion.objects.filter(document_id__in=[mail.pk, attachment.pk]).count() == 2


def test_what_was_there_before_the_mail_stays(collection: Collection, upload: Upload, contents: Any) -> None:
    own = upload(collection, MINUTES.content.decode(), filename="own.txt")
    contents["FIRST"] = (MINUTES,)
    mail = run(upload(collection, "FIRST: see the attached minutes."))
    assert mail.attachments.get().document == own
    services.document_delete(document=mail, user=None)
    assert Document.objects.get() == own


def test_what_somebody_uploads_after_the_mail_brought_it_stays(
    mail: Document, collection: Collection, alice: User
) -> None:
    upload = ContentFile(MINUTES.content, name="mine.txt")
    accepted = services.document_create(user=alice, collection=collection, upload=upload)
    assert accepted.duplicate
    services.document_delete(document=mail, user=alice)
    assert Document.objects.get() == accepted.document


def test_what_two_mails_brought_goes_with_the_last(mail: Document, second: Document) -> None:
    services.document_delete(document=mail, user=None)
    assert len(minutes()) == 1
    services.document_delete(document=second, user=None)
    assert not Document.objects.exists()


def test_a_forwarded_mail_and_what_both_have_go_together(
    collection: Collection, upload: Upload, contents: Any
) -> None:
    contents["INNER"] = (MINUTES,)
    contents["OUTER"] = (MINUTES, Attached("inner.txt", b"INNER: a mail in a mail."))
    outer = run(upload(collection, "OUTER: forwarded."))
    run(Document.objects.get(filename="inner.txt"))
    assert minutes()[0].messages.count() == 2
    services.document_delete(document=outer, user=None)
    assert not Document.objects.exists()


def test_what_a_new_version_has_no_more_goes(mail: Document, contents: Any) -> None:
    contents["FIRST"] = (Attached("budget.txt", b"The pump cost 400."),)
    services.document_reindex(document=mail)
    run(mail)
    assert minutes() == []
    assert mail.attachments.get().filename == "budget.txt"


@pytest.fixture
def secret(charlie: User) -> Collection:
    return services.collection_create(owner=charlie, name="Secret")


def test_attachments_move_with_their_mail(mail: Document, secret: Collection) -> None:
    services.document_update(document=mail, collection=secret)
    assert {document.collection for document in Document.objects.all()} == {secret}
    assert broken() == []


def test_an_attachment_that_is_there_already_is_linked_instead(
    mail: Document, secret: Collection, upload: Upload
) -> None:
    twin = upload(secret, MINUTES.content.decode(), filename="twin.txt")
    services.document_update(document=mail, collection=secret)
    assert mail.attachments.get().document == twin
    assert minutes() == []


def test_a_mail_that_is_moved_while_it_is_read_takes_its_attachments_along(
    collection: Collection, secret: Collection, upload: Upload, contents: Any, monkeypatch: Any
) -> None:
    contents["FIRST"] = (MINUTES,)
    mail = upload(collection, "FIRST: see the attached minutes.")
    split = indexing.split

    def moved_meanwhile(claim: Any, parsed: Any) -> Any:
        services.document_update(document=mail, collection=secret)
        return split(claim, parsed)

    monkeypatch.setattr(indexing, "split", moved_meanwhile)
    run(mail)
    assert minutes()[0].collection == secret


def test_an_attachment_that_was_moved_for_itself_stays_there(mail: Document, secret: Collection) -> None:
    (attachment,) = minutes()
    services.document_update(document=attachment, collection=secret)
    services.document_delete(document=mail, user=None)
    assert Document.objects.get() == attachment


def test_an_old_version_of_a_mail_takes_nothing(mail: Document) -> None:
    before = Document.objects.count()
    with pytest.raises(attachments.Superseded):
        attachments.take(mail.pk, mail.content_version, Attached("new.txt", b"Something new."))
    assert Document.objects.count() == before


def test_without_room_for_an_attachment_the_mail_waits(
    collection: Collection, upload: Upload, contents: Any, monkeypatch: Any
) -> None:
    contents["FIRST"] = (MINUTES,)
    mail = upload(collection, "FIRST: see the attached minutes.")

    def full(**_: Any) -> None:
        raise StorageFull from OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(attachments, "document_create", full)
        assert run(mail).status == Status.PROCESSING
    assert mail.reason == tasks.NO_ROOM
    assert run(mail).status == Status.READY
    assert len(minutes()) == 1


def test_mails_in_mails_end_somewhere(mail: Document, monkeypatch: Any) -> None:
    monkeypatch.setattr(attachments, "MAX_DEPTH", 0)
    services.document_reindex(document=mail)
    assert "nested too deeply" in run(mail).notice
    assert not Attachment.objects.exists()
