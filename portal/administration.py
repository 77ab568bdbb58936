"""The admin as an application: with a site of our own. Apart from it, as models are not there yet."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class AdministrationConfig(AdminConfig):
    default_site = "portal.dashboard.DashboardSite"
