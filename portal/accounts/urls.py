"""Addresses of the account pages."""

from __future__ import annotations

from django.urls import path

from portal.accounts import views

urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/tokens/", views.token_create, name="token-create"),
    path("account/tokens/<int:pk>/revoke/", views.token_revoke, name="token-revoke"),
    path("account/password/", views.PasswordChange.as_view(), name="password-change"),
]
