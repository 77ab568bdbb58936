"""How much a collection holds, and what somebody is in it: for lists and its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import (
    Case,
    CharField,
    Count,
    F,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from documents.models import Collection, Document, Membership

if TYPE_CHECKING:
    from django.contrib.auth.models import User

OWNER = "owner"


def counted(collections: QuerySet[Collection]) -> QuerySet[Any]:
    """Each with ``documents_count``, ``bytes`` and ``people_count`` (the owner too), one subquery each."""
    documents = Document.objects.order_by().filter(collection=OuterRef("pk")).values("collection")
    members = Membership.objects.order_by().filter(collection=OuterRef("pk")).values("collection")
    return collections.annotate(
        documents_count=number(documents.annotate(n=Count("pk"))),
        bytes=number(documents.annotate(n=Sum("size"))),
        people_count=number(members.annotate(n=Count("pk"))) + 1,
    )


def number(rows: QuerySet[Any]) -> Coalesce:
    return Coalesce(Subquery(rows.values("n"), output_field=IntegerField()), 0)


def with_role(collections: QuerySet[Collection], user: User) -> QuerySet[Any]:
    """Each with ``role``: the user's, or ``owner``."""
    member = Membership.objects.filter(collection=OuterRef("pk"), user=user).values("role")
    return collections.annotate(
        role=Case(When(owner=user, then=Value(OWNER)), default=Subquery(member), output_field=CharField())
    )


def usage_of(collection: Collection) -> dict[str, int]:
    """Documents, pages, passages and bytes; how many documents wait and how many failed."""
    figures = {"pages": "page_count", "passages": "chunk_count", "bytes": "size"}
    sums = {name: Coalesce(Sum(F(column)), 0) for name, column in figures.items()}
    return Document.objects.filter(collection=collection).aggregate(documents=Count("pk"), **sums)
