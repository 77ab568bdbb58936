#!/usr/bin/env python
"""Django's command line. In the embedded default every command brings the servers it needs."""

import os
import sys

#: Commands that need no database: they answer at once on a machine where nothing is set up.
WITHOUT_SERVERS = {
    *("help", "--help", "-h", "version", "--version"),
    *("collectstatic", "makemessages", "compilemessages", "prepare_models"),
}

#: Commands about documents and searches: in a data folder without tables they begin by making these.
ABOUT_DOCUMENTS = {
    *("create_token", "ingest", "watch", "worker", "evaluate", "golden", "tune", "space"),
    *("check_integrity", "audit_recall", "check_bm25", "changepassword", "mcp"),
}


def bring_servers() -> None:
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        embedded = settings.EMBEDDED
    except ImproperlyConfigured as error:
        sys.exit(f"The settings are not right: {error}")
    if embedded:
        from concurrent.futures import ThreadPoolExecutor

        import django

        from portal.embedded import EmbeddedError, use

        # Django loads while the servers start.
        with ThreadPoolExecutor(1) as beside:
            servers = beside.submit(use, settings.EMBEDDED_LAYOUT)
            django.setup()
        try:
            servers.result()
        except EmbeddedError as error:
            sys.exit(f"The embedded servers did not start: {error}")


def prepare_new_folder() -> None:
    """Tables and first user, where nobody has run the portal yet. A database of one's own is left alone."""
    import django
    from django.conf import settings

    if settings.EMBEDDED:
        django.setup()
        from portal.first_start import prepare_if_new

        prepare_if_new()


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    if len(sys.argv) > 1 and sys.argv[1] not in WITHOUT_SERVERS:
        bring_servers()
        if sys.argv[1] in ABOUT_DOCUMENTS:
            prepare_new_folder()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
