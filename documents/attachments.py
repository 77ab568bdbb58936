"""Files inside a mail become documents of their own, linked to it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction

from documents.exceptions import DocumentError
from documents.models import Attachment, Document
from documents.parsing.types import Attachment as Attached
from documents.parsing.types import ParsedDocument
from documents.services import Accepted, document_create, document_delete
from documents.services.deletion import brought_only_by
from documents.storing import Superseded
from documents.uploads import clean_filename, discard_file

#: A mail in a mail in a mail …
MAX_DEPTH = 5
#: So many refused ones are told by name.
NAMED = 5
TOO_DEEP = "it is nested too deeply"


@dataclass(frozen=True, slots=True)
class Refused:
    filename: str
    reason: str


def take_out(message: Document, parsed: ParsedDocument) -> str:
    """Upload what ``message`` has attached. May be run again: nothing is taken twice.

    What a former version of the mail had attached goes. Returns a sentence about those refused.
    """
    deep = depth(message) >= MAX_DEPTH
    refused: list[Refused] = []
    taken: set[UUID] = set()
    for attached in parsed.attachments:
        found = Refused(attached.filename, TOO_DEEP) if deep else take(message, attached)
        if isinstance(found, Refused):
            refused.append(found)
        else:
            taken.add(found.pk)
    drop_all_but(message, taken)
    return sentence(refused)


def take(message: Document, attached: Attached) -> Document | Refused:
    """Row and link are committed together: a document that came with a mail is known to have."""
    name = clean_filename(attached.filename)
    upload = ContentFile(attached.content, name=name)
    accepted: Accepted | None = None
    try:
        with transaction.atomic():
            accepted = document_create(
                user=message.uploaded_by, collection=message.collection, upload=upload, tags=message.tags
            )
            link(message, accepted, name)
    except DocumentError as error:
        return Refused(name, str(error))
    except IntegrityError as error:  # the mail was deleted meanwhile
        if accepted and not accepted.duplicate:
            discard_file(accepted.document)
        raise Superseded from error
    return accepted.document


def link(message: Document, accepted: Accepted, name: str) -> None:
    if accepted.document.pk == message.pk:
        return
    defaults = {"filename": name, "brought": not accepted.duplicate}
    Attachment.objects.get_or_create(message=message, document=accepted.document, defaults=defaults)


def drop_all_but(message: Document, taken: set[UUID]) -> None:
    gone = [document for document in brought_only_by(message) if document.pk not in taken]
    Attachment.objects.filter(message=message).exclude(document__in=taken).delete()
    for document in gone:
        document_delete(document=document, user=None)


def depth(document: Document) -> int:
    """How many mails this one stands in, one inside the other."""
    count, level = 0, [document.pk]
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
