"""Addresses of the token calls, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from portal.accounts import api

urlpatterns = [
    path("tokens/", api.TokensView.as_view(), name="api-tokens"),
    path("tokens/<int:pk>/", api.TokenView.as_view(), name="api-token"),
]
