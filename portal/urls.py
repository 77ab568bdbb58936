"""Addresses of the whole portal."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView

from portal import api_docs, favicon, health, metrics
from search import openai_api

api: list[URLPattern | URLResolver] = [
    path("", include("documents.api_urls")),
    path("", include("search.api_urls")),
    path("", include("portal.accounts.api_urls")),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", api_docs.page, name="api-docs"),
]

urlpatterns = [
    path("language/", set_language, name="set-language"),
    path("", include("portal.accounts.urls")),
    path("", include("documents.urls")),
    path("", include("search.urls")),
    path("api/v1/", include(api)),
    path("v1/chat/completions", openai_api.ChatCompletionsView.as_view(), name="chat-completions"),
    path("v1/models", openai_api.ModelsView.as_view(), name="models"),
    path("v1/models/<str:name>", openai_api.ModelView.as_view(), name="model"),
    path("healthz/live", health.live, name="live"),
    path("healthz/ready", health.ready, name="ready"),
    path("favicon.ico", favicon.favicon, name="favicon"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/", admin.site.urls),
]

handler400 = "portal.problems.bad_request"
handler403 = "portal.problems.permission_denied"
handler404 = "portal.problems.page_not_found"
handler500 = "portal.problems.server_error"
