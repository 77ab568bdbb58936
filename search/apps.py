from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SearchConfig(AppConfig):
    name = "search"
    verbose_name = _("Search")

    def ready(self) -> None:
        from prometheus_client import REGISTRY

        from search import receivers  # noqa: F401 - connects them
        from search.audit import LastAudit

        REGISTRY.register(LastAudit())
