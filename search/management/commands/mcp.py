"""``mcp --user NAME``: the portal's tools over standard input and output, for MCP clients on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Command(BaseCommand):
    help = "Serves search, ask and read_document to an MCP client over standard input and output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, help="On whose behalf: the user name.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["user"]
        if active(name) is None:
            raise CommandError(f"There is no user named {name}.")
        from search.mcp_stdio import serve

        serve(lambda: active(name))


def active(name: str) -> User | None:
    return get_user_model().objects.filter(username=name, is_active=True).first()
