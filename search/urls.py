"""Addresses of the pages that search and answer."""

from __future__ import annotations

from django.urls import path

from search import conversation_views, home, search_views, views

urlpatterns = [
    path("", home.home, name="home"),
    path("search/", search_views.search, name="search"),
    path("search/explain/", search_views.search_explain, name="search-explain"),
    path("search/why/", search_views.search_why, name="search-why"),
    path("ask/", views.ask, name="ask"),
    path("ask/documents/", conversation_views.ask_documents, name="ask-documents"),
    path("ask/<uuid:pk>/", views.answer_detail, name="answer-detail"),
    path("ask/<uuid:pk>/stop/", views.answer_stop, name="answer-stop"),
    path("ask/<uuid:pk>/feedback/", views.answer_feedback, name="answer-feedback"),
    path("ask/<uuid:pk>/regenerate/", conversation_views.answer_regenerate, name="answer-regenerate"),
    path("ask/<uuid:pk>/follow-ups/", conversation_views.answer_follow_ups, name="answer-follow-ups"),
    path("ask/<uuid:pk>/text/", conversation_views.answer_text, name="answer-text"),
    path("ask/<uuid:pk>/receipt/", conversation_views.answer_receipt, name="answer-receipt"),
    path("ask/<uuid:pk>/replay/", conversation_views.answer_replay, name="answer-replay"),
    path("conversations/", conversation_views.conversation_list, name="conversation-list"),
    path("conversations/links/", conversation_views.conversation_links, name="conversation-links"),
    path("conversations/<uuid:pk>/", views.conversation_detail, name="conversation-detail"),
    path(
        "conversations/<uuid:pk>/delete/", conversation_views.conversation_delete, name="conversation-delete"
    ),
    path(
        "conversations/<uuid:pk>/rename/", conversation_views.conversation_rename, name="conversation-rename"
    ),
    path(
        "conversations/<uuid:pk>/export.<slug:ending>",
        conversation_views.conversation_export,
        name="conversation-export",
    ),
]
