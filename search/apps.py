from django.apps import AppConfig


class SearchConfig(AppConfig):
    name = "search"

    def ready(self) -> None:
        from prometheus_client import REGISTRY

        from search import receivers  # noqa: F401 - connects them
        from search.audit import LastAudit

        REGISTRY.register(LastAudit())
