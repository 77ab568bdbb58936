"""The sample documents in a user's private collection: added, and removed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.files import File
from django.db import transaction

from documents.models import Document
from documents.samples import SAMPLES
from documents.services.collections import collection_private
from documents.services.deletion import document_delete
from documents.services.documents import document_create

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def samples_add(*, user: User) -> int:
    """How many are new: those that the collection has already are not added twice. Raises ``StorageFull``."""
    collection = collection_private(user=user)
    added = 0
    for sample in reversed(SAMPLES):  # the first is the newest, so that lists begin with it
        with sample.path.open("rb") as source:
            upload = File(source, name=sample.filename)
            accepted = document_create(
                user=user, collection=collection, upload=upload, title=sample.title, tags=["sample"]
            )
        added += not accepted.duplicate
    return added


@transaction.atomic
def samples_remove(*, user: User) -> int:
    """Delete them as any document is deleted; how many there were."""
    found = list(Document.objects.samples_of(user))
    for document in found:
        document_delete(document=document, user=user)
    return len(found)
