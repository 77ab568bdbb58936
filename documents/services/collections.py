"""Writes to collections and their members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.text import slugify
from django.utils.translation import gettext

from documents.models import Collection, Membership, Role
from documents.signals import send_corpus_changed

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@transaction.atomic
def collection_create(*, owner: User, name: str, slug: str = "", description: str = "") -> Collection:
    """A new shared collection. Without a slug the name makes one; a taken slug is refused."""
    wanted = slug or free_slug(slugify(name) or "collection")
    collection = Collection(owner=owner, name=name.strip(), slug=wanted, description=description)
    collection.full_clean()
    collection.save()
    return collection


@transaction.atomic
def collection_private(*, user: User) -> Collection:
    """The user's own collection, created when it is first needed."""
    found = Collection.objects.filter(owner=user, is_private=True).first()
    if found:
        return found
    slug = free_slug(slugify(f"{user.get_username()}-private") or f"user-{user.pk}")
    try:
        with transaction.atomic():
            return Collection.objects.create(
                owner=user, is_private=True, name=f"{user.get_username()}: private"[:120], slug=slug
            )
    except IntegrityError:  # made by another request just now
        return Collection.objects.get(owner=user, is_private=True)


def free_slug(base: str) -> str:
    base = base[:70]
    taken = set(Collection.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    if base not in taken:
        return base
    return next(slug for n in range(2, len(taken) + 3) if (slug := f"{base}-{n}") not in taken)


@transaction.atomic
def collection_update(
    *, collection: Collection, name: str | None = None, description: str | None = None
) -> Collection:
    if name is not None:
        collection.name = name.strip()
    if description is not None:
        collection.description = description
    collection.full_clean()
    collection.save(update_fields=["name", "description"])
    return collection


def collection_bin(*, collection: Collection) -> Collection:
    """Where documents deleted from ``collection`` wait, made when it is first needed."""
    slug = free_slug(f"bin-of-{collection.slug}")
    given = {"owner_id": collection.owner_id, "name": f"Bin: {collection.name}"[:120], "slug": slug}
    return Collection.objects.get_or_create(bin_of=collection, defaults=given)[0]


@transaction.atomic
def membership_set(*, collection: Collection, user: User, role: str) -> Membership:
    """Make ``user`` a member with ``role``, or change the role."""
    if collection.is_private:
        raise ValidationError(gettext("A private collection has no members."))
    if user.pk == collection.owner_id:
        raise ValidationError(gettext("The owner has every right already."))
    if role not in Role.values:
        raise ValidationError(f"Unknown role: {role}. Roles: {', '.join(Role.values)}.")
    membership, _ = Membership.objects.update_or_create(
        collection=collection, user=user, defaults={"role": role}
    )
    return membership


@transaction.atomic
def membership_remove(*, collection: Collection, user: User) -> None:
    collection.memberships.filter(user=user).delete()


def touch_corpus(collection_id: int) -> None:
    """Say that what a search in this collection returns may have changed."""
    Collection.objects.filter(pk=collection_id).update(corpus_version=F("corpus_version") + 1)
    send_corpus_changed()


def corpora_touch(collections: Iterable[int]) -> None:
    """The same for several, always in one order: two transactions must not wait for each other."""
    for collection in sorted(collections):
        touch_corpus(collection)
