from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        from portal import (
            checks,  # noqa: F401 - registers the system checks
            revocation,
        )
        from portal.naming import name_in_words

        name_in_words()
        revocation.connect()
