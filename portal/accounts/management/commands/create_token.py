"""``create_token --user NAME``: prints one API token and nothing else."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.services import token_create


class Command(BaseCommand):
    help = "Makes an API token for a user and prints it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, help="The user name.")
        parser.add_argument("--name", default="", help="What the token is for.")

    def handle(self, *args: Any, **options: Any) -> None:
        users = get_user_model()
        try:
            user = users.objects.get_by_natural_key(options["user"])
        except users.DoesNotExist:
            raise CommandError(f"There is no user named {options['user']}.") from None
        _token, secret = token_create(user=user, name=options["name"])
        self.stdout.write(secret)
