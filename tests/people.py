"""Alice owns, bob is a member, charlie sees nothing: made where they are not there yet."""

from __future__ import annotations

from django.contrib.auth.models import User

from documents.models import Collection, Role
from documents.services import collection_create, membership_set


def person(name: str) -> User:
    found = User.objects.filter(username=name).first()
    return found or User.objects.create_user(name, password=f"{name}-password")


def research() -> Collection:
    """Alice's; bob may read it."""
    if found := Collection.objects.filter(slug="research").first():
        return found
    created = collection_create(owner=person("alice"), name="Research", slug="research")
    membership_set(collection=created, user=person("bob"), role=Role.VIEWER)
    person("charlie")
    return created
