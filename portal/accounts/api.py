"""API tokens over REST: everybody sees and revokes their own."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents.api_access import caller, checked
from portal.accounts import services
from portal.accounts.models import ApiToken


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without its secret."""

    class Meta:
        model = ApiToken
        fields = ["id", "name", "hint", "created_at", "last_used_at"]
        read_only_fields = ["hint", "created_at", "last_used_at"]


class NewTokenSerializer(TokenSerializer):
    """A token at its making."""

    token = serializers.CharField(read_only=True, help_text="The secret. It is shown this once.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class TokensView(APIView):
    @extend_schema(operation_id="tokens_list", responses=TokenSerializer(many=True), tags=["tokens"])
    def get(self, request: Request) -> Response:
        """The caller's tokens, newest first."""
        return Response(TokenSerializer(ApiToken.objects.filter(user=caller(request)), many=True).data)

    @extend_schema(request=TokenSerializer, responses={201: NewTokenSerializer}, tags=["tokens"])
    def post(self, request: Request) -> Response:
        """A new token; its secret is in this answer and nowhere else."""
        name = checked(TokenSerializer, request.data).get("name", "")
        token, secret = services.token_create(user=caller(request), name=name)
        body: dict[str, Any] = {**TokenSerializer(token).data, "token": secret}
        return Response(body, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class TokenView(APIView):
    @extend_schema(responses={204: None}, tags=["tokens"])
    def delete(self, request: Request, pk: int) -> Response:
        """Revoke a token."""
        services.token_revoke(token=get_object_or_404(ApiToken, pk=pk, user=caller(request)))
        return Response(status=status.HTTP_204_NO_CONTENT)
