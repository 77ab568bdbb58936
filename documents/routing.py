"""Addresses of the write way's sockets."""

from __future__ import annotations

from django.urls import path

from documents.consumers import DocumentConsumer

websocket_urlpatterns = [path("ws/documents/", DocumentConsumer.as_asgi())]
