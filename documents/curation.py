"""Who may do what in the admin: curators, in the collections they manage; superusers everywhere."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest


def curator(request: HttpRequest) -> bool:
    """Staff need no model permissions: their roles in collections are their permissions."""
    return bool(request.user.is_active and request.user.is_staff)


class CuratedAdmin(admin.ModelAdmin):
    """Rows within the collections that the curator manages (``managed``), all rows for a superuser."""

    def managed(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows that this user may work on. None, unless a subclass says otherwise."""
        return self.model._default_manager.none()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(pk__in=self.managed(request).values("pk"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return curator(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return curator(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """One object is only ever looked up through ``get_queryset``; what that hides is 404."""
        return curator(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return curator(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return curator(request)


class ReadOnlyAdmin(CuratedAdmin):
    """To look at only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
