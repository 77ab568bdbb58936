#!/usr/bin/env python
"""Django's command line. In the embedded default every command brings the servers it needs."""

import os
import sys

#: Commands that need no database: they answer at once on a machine where nothing is set up.
WITHOUT_SERVERS = {
    *("help", "--help", "-h", "version", "--version"),
    *("collectstatic", "makemessages", "compilemessages", "prepare_models"),
}


def bring_servers() -> None:
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        embedded = settings.EMBEDDED
    except ImproperlyConfigured as error:
        sys.exit(f"The settings are not right: {error}")
    if embedded:
        from portal.embedded import EmbeddedError, use

        try:
            use(settings.EMBEDDED_LAYOUT)
        except EmbeddedError as error:
            sys.exit(f"The embedded servers did not start: {error}")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    if len(sys.argv) > 1 and sys.argv[1] not in WITHOUT_SERVERS:
        bring_servers()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
