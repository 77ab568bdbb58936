"""Addresses of the pages that search and answer."""

from __future__ import annotations

from django.urls import path

from search import views

urlpatterns = [
    path("", views.home, name="home"),
    path("search/", views.search, name="search"),
    path("search/explain/", views.search_explain, name="search-explain"),
    path("search/why/", views.search_why, name="search-why"),
    path("ask/", views.ask, name="ask"),
    path("ask/<uuid:pk>/", views.answer_detail, name="answer-detail"),
    path("ask/<uuid:pk>/stop/", views.answer_stop, name="answer-stop"),
    path("ask/<uuid:pk>/feedback/", views.answer_feedback, name="answer-feedback"),
    path("conversations/<uuid:pk>/", views.conversation_detail, name="conversation-detail"),
    path("conversations/<uuid:pk>/delete/", views.conversation_delete, name="conversation-delete"),
]
