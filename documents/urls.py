"""Addresses of the pages about documents and collections."""

from __future__ import annotations

from django.urls import path

from documents import collection_views, thumbnails, views

urlpatterns = [
    path("documents/", views.document_list, name="document-list"),
    path("documents/upload/", views.document_upload, name="document-upload"),
    path("documents/retry/", views.documents_retry, name="documents-retry"),
    path("documents/<uuid:pk>/", views.document_detail, name="document-detail"),
    path("documents/<uuid:pk>/facts/", views.document_facts, name="document-facts"),
    path("documents/<uuid:pk>/thumbnail/", thumbnails.document_thumbnail, name="document-thumbnail"),
    path("documents/<uuid:pk>/edit/", views.document_edit, name="document-edit"),
    path("documents/<uuid:pk>/replace/", views.document_replace, name="document-replace"),
    path("documents/<uuid:pk>/cancel/", views.document_cancel, name="document-cancel"),
    path("documents/<uuid:pk>/retry/", views.document_retry, name="document-retry"),
    path("documents/<uuid:pk>/delete/", views.document_delete, name="document-delete"),
    path("collections/", collection_views.collection_list, name="collection-list"),
    path("collections/<slug:slug>/", collection_views.collection_detail, name="collection-detail"),
    path("collections/<slug:slug>/edit/", collection_views.collection_edit, name="collection-edit"),
    path("collections/<slug:slug>/delete/", collection_views.collection_delete, name="collection-delete"),
    path("collections/<slug:slug>/members/", collection_views.member_set, name="collection-member-set"),
    path(
        "collections/<slug:slug>/members/remove/",
        collection_views.member_remove,
        name="collection-member-remove",
    ),
]
