"""Files inside a mail become documents of their own, linked to it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import transaction

from documents.exceptions import DocumentError, StorageFull
from documents.models import Attachment, Document, Status
from documents.parsing.types import Attachment as Attached
from documents.parsing.types import ParsedDocument
from documents.services import document_create, document_delete
from documents.storing import Superseded
from documents.uploads import clean_filename

#: A mail in a mail in a mail …
MAX_DEPTH = 5
#: So many refused ones are told by name.
NAMED = 5
TOO_DEEP = "it is nested too deeply"


@dataclass(frozen=True, slots=True)
class Refused:
    filename: str
    reason: str


def take_out(pk: UUID, version: int, parsed: ParsedDocument) -> str:
    """Upload what the mail ``pk`` has attached. May be run again: nothing is taken twice.

    What a former version of the mail had attached goes. Returns a sentence about those refused. Raises
    ``Superseded`` when the mail no longer waits for this ``version``.
    """
    deep = bool(parsed.attachments) and depth(pk) >= MAX_DEPTH
    refused: list[Refused] = []
    taken: set[UUID] = set()
    for attached in parsed.attachments:
        found = Refused(attached.filename, TOO_DEEP) if deep else take(pk, version, attached)
        if isinstance(found, Refused):
            refused.append(found)
        else:
            taken.add(found)
    drop_all_but(pk, version, taken)
    return sentence(refused)


def take(pk: UUID, version: int, attached: Attached) -> UUID | Refused:
    """Row and link are committed together, where the mail is at that moment."""
    name = clean_filename(attached.filename)
    upload = ContentFile(attached.content, name=name)
    try:
        with transaction.atomic():
            message = waiting(pk, version)
            found = document_create(
                user=message.uploaded_by,
                collection=message.collection,
                upload=upload,
                tags=message.tags,
                attached=True,
            ).document
            if found.pk != pk:
                Attachment.objects.get_or_create(message=message, document=found, defaults={"filename": name})
    except StorageFull as error:
        raise error.__cause__ or error from None  # the document waits for room
    except DocumentError as error:
        return Refused(name, str(error))
    return found.pk


def waiting(pk: UUID, version: int) -> Document:
    """The mail, held where it is until the transaction ends."""
    rows = Document.objects.select_for_update(no_key=True, of=("self",)).select_related("collection")
    message = rows.filter(pk=pk, content_version=version, status=Status.PROCESSING).first()
    if message is None:
        raise Superseded
    return message


def drop_all_but(pk: UUID, version: int, taken: set[UUID]) -> None:
    former = Attachment.objects.filter(message=pk).exclude(document__in=taken)
    with transaction.atomic():
        gone = list(former.values_list("document", flat=True))
        if not gone:
            return
        message = waiting(pk, version)
        former.delete()
    orphans = Document.objects.filter(pk__in=gone, only_attached=True, messages=None)
    for orphan in orphans.filter(collection=message.collection):
        document_delete(document=orphan, user=None)


def depth(pk: UUID) -> int:
    """How many mails this one stands in, one inside the other."""
    count, level = 0, [pk]
    while level and count <= MAX_DEPTH:
        level = list(Attachment.objects.filter(document__in=level).values_list("message", flat=True))
        count += bool(level)
    return count


def sentence(refused: list[Refused]) -> str:
    if not refused:
        return ""
    named = "; ".join(f"{each.filename} ({each.reason.rstrip('.')})" for each in refused[:NAMED])
    more = f"; and {len(refused) - NAMED} more" if len(refused) > NAMED else ""
    return f"Attachments that were not taken: {named}{more}."
