"""Addresses of the sign-in and of the account pages."""

from __future__ import annotations

from django.contrib.auth.views import LoginView
from django.urls import path

from portal.accounts import views

urlpatterns = [
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", views.SignOut.as_view(), name="logout"),
    path("account/", views.account, name="account"),
    path("account/tokens/", views.token_create, name="token-create"),
    path("account/tokens/<int:pk>/revoke/", views.token_revoke, name="token-revoke"),
    path("account/conversations/delete/", views.conversations_delete, name="conversations-delete"),
    path("theme/", views.theme, name="theme"),
    path("account/password/", views.PasswordChange.as_view(), name="password-change"),
]
