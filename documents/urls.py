"""Addresses of the pages about documents and collections."""

from __future__ import annotations

from django.urls import path

from documents import (
    bulk_views,
    collection_views,
    document_views,
    list_views,
    sample_views,
    saved_views,
    thumbnails,
    undo,
    views,
)

urlpatterns = [
    path("documents/", list_views.document_list, name="document-list"),
    path("documents/upload/", views.document_upload, name="document-upload"),
    path("documents/samples/", sample_views.samples_add, name="samples-add"),
    path("documents/samples/remove/", sample_views.samples_remove, name="samples-remove"),
    path("documents/bulk/", bulk_views.documents_bulk, name="documents-bulk"),
    path("documents/undo/<str:token>/", undo.documents_undo, name="documents-undo"),
    path("documents/views/", saved_views.view_save, name="view-save"),
    path("documents/views/<int:pk>/rename/", saved_views.view_rename, name="view-rename"),
    path("documents/views/<int:pk>/delete/", saved_views.view_delete, name="view-delete"),
    path("documents/retry/", views.documents_retry, name="documents-retry"),
    path("documents/<uuid:pk>/", document_views.document_detail, name="document-detail"),
    path("documents/<uuid:pk>/facts/", document_views.document_facts, name="document-facts"),
    path("documents/<uuid:pk>/thumbnail/", thumbnails.document_thumbnail, name="document-thumbnail"),
    path("documents/<uuid:pk>/pages/", document_views.document_strip, name="document-strip"),
    path("documents/<uuid:pk>/history/", document_views.document_history, name="document-history"),
    path("documents/<uuid:pk>/similar/", document_views.document_similar, name="document-similar"),
    path("documents/<uuid:pk>/edit/<slug:name>/", document_views.document_field, name="document-field"),
    path("documents/<uuid:pk>/replace/", document_views.document_replace, name="document-replace"),
    path("documents/<uuid:pk>/cancel/", views.document_cancel, name="document-cancel"),
    path("documents/<uuid:pk>/retry/", views.document_retry, name="document-retry"),
    path("documents/<uuid:pk>/delete/", views.document_delete, name="document-delete"),
    path("collections/", collection_views.collection_list, name="collection-list"),
    path("collections/<slug:slug>/", collection_views.collection_detail, name="collection-detail"),
    path("collections/<slug:slug>/edit/", collection_views.collection_edit, name="collection-edit"),
    path("collections/<slug:slug>/delete/", collection_views.collection_delete, name="collection-delete"),
    path("collections/<slug:slug>/leave/", collection_views.collection_leave, name="collection-leave"),
    path("collections/<slug:slug>/members/", collection_views.member_set, name="collection-member-set"),
    path(
        "collections/<slug:slug>/members/remove/",
        collection_views.member_remove,
        name="collection-member-remove",
    ),
]
