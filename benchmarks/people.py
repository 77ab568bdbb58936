"""``python -m benchmarks.people COLLECTION COUNT``: people who may see a collection, for a load test.

Runs in the environment of that portal. Prints JSON: the token and session cookie of each, as if
all had signed in before, and the ids of the documents.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    slug, count = sys.argv[1], int(sys.argv[2])
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    import django
    from django.conf import settings

    from portal.embedded import use

    use(settings.EMBEDDED_LAYOUT)
    django.setup()
    print(json.dumps(made(slug, count)))


def made(slug: str, count: int) -> dict[str, Any]:
    from django.contrib.auth.models import User

    from documents.models import Collection, Document, Membership

    collection = Collection.objects.get(slug=slug)
    # Nobody signs in by a password, which a hundred would do one after the other.
    people = [User.objects.create_user(f"person-{number}") for number in range(1, count + 1)]
    Membership.objects.bulk_create(Membership(collection=collection, user=user) for user in people)
    documents = Document.objects.filter(collection=collection).values_list("pk", flat=True)
    return {"people": [ways_in(user) for user in people], "documents": [str(pk) for pk in documents]}


def ways_in(user: Any) -> dict[str, str]:
    from django.conf import settings
    from django.test import Client

    from portal.accounts.services import token_create

    _, token = token_create(user=user, name="benchmark")
    client = Client()
    client.force_login(user)
    return {"token": token, "session": client.cookies[settings.SESSION_COOKIE_NAME].value}


if __name__ == "__main__":
    main()
