"""How what is kept is found: access and all retrieval SQL, beside the indexes it depends on.

``visible_to(user)`` is the first call on every read path, so access is decided inside the query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

    User = AbstractBaseUser | AnonymousUser


class CollectionQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        """Collections that the user owns or is a member of; nothing for the anonymous."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(Q(owner=user) | Q(pk__in=membership_ids(user)))

    def writable_by(self, user: User) -> Self:
        """Collections in which the user may upload and change documents."""
        return self._with_role(user, "editor", "manager")

    def manageable_by(self, user: User) -> Self:
        """Collections whose members and settings the user may change."""
        return self._with_role(user, "manager")

    def _with_role(self, user: User, *roles: str) -> Self:
        if not user.is_authenticated:
            return self.none()
        return self.filter(Q(owner=user) | Q(pk__in=membership_ids(user).filter(role__in=roles)))


def membership_ids(user: User) -> models.QuerySet[Any]:
    from documents.models import Membership

    return Membership.objects.filter(user=user).values("collection_id")


class DocumentQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        return self._in(lambda collections: collections.visible_to(user))

    def writable_by(self, user: User) -> Self:
        return self._in(lambda collections: collections.writable_by(user))

    def manageable_by(self, user: User) -> Self:
        return self._in(lambda collections: collections.manageable_by(user))

    def _in(self, choose: Any) -> Self:
        from documents.models import Collection

        return self.filter(collection__in=choose(Collection.objects).values("pk"))

    def matching(
        self,
        *,
        collection: str = "",
        status: str = "",
        tag: str = "",
        kind: str = "",
        text: str = "",
    ) -> Self:
        """The filters of the document list; empty ones do not filter."""
        found = self
        if collection:
            found = found.filter(collection__slug=collection)
        if status:
            found = found.filter(status=status)
        if tag:
            found = found.filter(tags__contains=[tag.casefold()])
        if kind:
            found = found.filter(kind=kind)
        if text:
            found = found.filter(Q(title__icontains=text) | Q(filename__icontains=text))
        return found


class ChunkQuerySet(models.QuerySet[Any]):
    """The lexical leg."""


class EmbeddingQuerySet(models.QuerySet[Any]):
    """The vector leg."""
