"""Tokens in the admin: who has which, since when; never the secret, and revoking only."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from portal.accounts.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):
    list_display = ("user", "name", "hint", "created_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "name", "hint")
    readonly_fields = ("user", "name", "hint", "created_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A token made here would have to show its secret to somebody who is not its user."""
        return False
