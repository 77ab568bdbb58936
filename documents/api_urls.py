"""Addresses of the REST calls about documents and collections, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path, re_path

from documents import api, api_collections, api_content

# The same characters as Django's user names have: nothing that Postgres would refuse gets through.
MEMBER = r"^collections/(?P<slug>[-a-zA-Z0-9_]+)/members/(?P<username>[\w.@+-]+)/$"

urlpatterns = [
    path("documents/", api.DocumentsView.as_view(), name="api-documents"),
    path("documents/retry/", api.RetryView.as_view(), name="api-documents-retry"),
    path("documents/<uuid:pk>/", api.DocumentView.as_view(), name="api-document"),
    path("documents/<uuid:pk>/reindex/", api.ReindexView.as_view(), name="api-document-reindex"),
    path("documents/<uuid:pk>/cancel/", api.CancelView.as_view(), name="api-document-cancel"),
    path("documents/<uuid:pk>/file/", api_content.FileView.as_view(), name="api-document-file"),
    path("documents/<uuid:pk>/chunks/", api_content.ChunksView.as_view(), name="api-document-chunks"),
    path("documents/<uuid:pk>/pages/<int:number>/", api_content.PageView.as_view(), name="api-document-page"),
    path(
        "documents/<uuid:pk>/pages/<int:number>/image/",
        api_content.PageImageView.as_view(),
        name="api-document-page-image",
    ),
    path("collections/", api_collections.CollectionsView.as_view(), name="api-collections"),
    path("collections/<slug:slug>/", api_collections.CollectionView.as_view(), name="api-collection"),
    path("collections/<slug:slug>/members/", api_collections.MembersView.as_view(), name="api-members"),
    re_path(MEMBER, api_collections.MemberView.as_view(), name="api-member"),
    path("tags/", api_collections.TagsView.as_view(), name="api-tags"),
]
