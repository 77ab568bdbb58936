"""The admin's site: its first page is the curator's dashboard."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _


class DashboardSite(AdminSite):
    site_header = site_title = _("Document portal: administration")
    index_title = _("Overview")

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from portal.metrics import cache_shares
        from search.dashboard import dashboard_for

        shown = {"dashboard": dashboard_for(cast(User, request.user)), "caches": cache_shares()}
        return super().index(request, {**(extra_context or {}), **shown})
