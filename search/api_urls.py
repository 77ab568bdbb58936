"""Addresses of the REST calls that search and answer, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from search import api

urlpatterns = [
    path("search/", api.SearchView.as_view(), name="api-search"),
    path("search/why/", api.WhyView.as_view(), name="api-search-why"),
    path("answers/", api.AnswersView.as_view(), name="api-answers"),
    path("answers/<uuid:pk>/", api.AnswerView.as_view(), name="api-answer"),
    path("answers/<uuid:pk>/events/", api.EventsView.as_view(), name="api-answer-events"),
    path("answers/<uuid:pk>/stop/", api.StopView.as_view(), name="api-answer-stop"),
    path("answers/<uuid:pk>/feedback/", api.FeedbackView.as_view(), name="api-answer-feedback"),
    path("answers/<uuid:pk>/replay/", api.ReplayView.as_view(), name="api-answer-replay"),
    path("answers/<uuid:pk>/receipt/", api.ReceiptView.as_view(), name="api-answer-receipt"),
    path("answers/<uuid:pk>/regenerate/", api.RegenerateView.as_view(), name="api-answer-regenerate"),
    path("conversations/", api.ConversationsView.as_view(), name="api-conversations"),
    path("conversations/<uuid:pk>/", api.ConversationView.as_view(), name="api-conversation"),
    path("conversations/<uuid:pk>/export/", api.ExportView.as_view(), name="api-conversation-export"),
]
