"""Collections, their members, and tags over REST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth import get_user_model
from django.db.models import Case, CharField, Count, F, Func, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents import services
from documents.api_access import (
    Pages,
    caller,
    checked,
    manageable_collection,
    page_of,
    visible_collection,
)
from documents.models import Collection, Document, Membership
from documents.serializers import (
    CollectionChangeSerializer,
    CollectionSerializer,
    MemberSerializer,
    RoleSerializer,
    TagSerializer,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class CollectionsView(APIView):
    pagination_class = Pages

    @extend_schema(
        operation_id="collections_list",
        responses=CollectionSerializer(many=True),
        tags=["collections"],
    )
    def get(self, request: Request) -> Response:
        """The collections that the caller may see, by name."""
        rows = described(Collection.objects.visible_to(caller(request)), caller(request))
        return page_of(request, rows, CollectionSerializer, ordering=("name", "id"))

    @extend_schema(request=CollectionSerializer, responses={201: CollectionSerializer}, tags=["collections"])
    def post(self, request: Request) -> Response:
        """A new collection, owned by the caller."""
        given = checked(CollectionSerializer, request.data)
        collection = services.collection_create(owner=caller(request), **given)
        return Response(shown(request, collection), status=status.HTTP_201_CREATED)


class CollectionView(APIView):
    @extend_schema(operation_id="collections_get", responses=CollectionSerializer, tags=["collections"])
    def get(self, request: Request, slug: str) -> Response:
        """One collection."""
        return Response(shown(request, visible_collection(request, slug)))

    @extend_schema(request=CollectionChangeSerializer, responses=CollectionSerializer, tags=["collections"])
    def patch(self, request: Request, slug: str) -> Response:
        """Change name or description. For managers."""
        collection = manageable_collection(request, slug)
        given = checked(CollectionChangeSerializer, request.data, partial=True)
        return Response(shown(request, services.collection_update(collection=collection, **given)))

    @extend_schema(responses={204: None}, tags=["collections"])
    def delete(self, request: Request, slug: str) -> Response:
        """Delete an empty collection. For managers."""
        services.collection_delete(collection=manageable_collection(request, slug))
        return Response(status=status.HTTP_204_NO_CONTENT)


class MembersView(APIView):
    pagination_class = Pages

    @extend_schema(
        operation_id="members_list",
        responses=MemberSerializer(many=True),
        tags=["collections"],
    )
    def get(self, request: Request, slug: str) -> Response:
        """Who shares this collection, beside its owner."""
        # The cursor reads its ordering off the row itself.
        rows = visible_collection(request, slug).memberships.select_related("user")
        rows = rows.annotate(username=F("user__username"))
        return page_of(request, rows, MemberSerializer, ordering=("username",))

    @extend_schema(request=MemberSerializer, responses={201: MemberSerializer}, tags=["collections"])
    def post(self, request: Request, slug: str) -> Response:
        """Add a member, or change a member's role. For managers."""
        collection = manageable_collection(request, slug)
        given = checked(MemberSerializer, request.data)
        membership = services.membership_set(collection=collection, **given)
        return Response(MemberSerializer(membership).data, status=status.HTTP_201_CREATED)


class MemberView(APIView):
    @extend_schema(request=RoleSerializer, responses=MemberSerializer, tags=["collections"])
    def put(self, request: Request, slug: str, username: str) -> Response:
        """Make somebody a member with this role. For managers."""
        collection = manageable_collection(request, slug)
        role = checked(RoleSerializer, request.data)["role"]
        membership = services.membership_set(collection=collection, user=user_named(username), role=role)
        return Response(MemberSerializer(membership).data)

    @extend_schema(responses={204: None}, tags=["collections"])
    def delete(self, request: Request, slug: str, username: str) -> Response:
        """Take a member out: for managers, and for members who leave."""
        leaves = username == caller(request).get_username()
        collection = (visible_collection if leaves else manageable_collection)(request, slug)
        user = user_named(username)
        if not collection.memberships.filter(user=user).exists():
            raise Http404
        services.membership_remove(collection=collection, user=user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TagsView(APIView):
    @extend_schema(operation_id="tags_list", responses=TagSerializer(many=True), tags=["documents"])
    def get(self, request: Request) -> Response:
        """Every tag on a document that the caller may see, with the number of those documents."""
        return Response(list(tag_counts(Document.objects.visible_to(caller(request)))))


class Unnest(Func):
    """A row for each element of an array."""

    function = "unnest"
    set_returning = True
    output_field = CharField()


def tag_counts(documents: QuerySet[Document]) -> QuerySet[Any, Any]:
    named = documents.order_by().annotate(tag=Unnest(F("tags"))).values("tag")
    return named.annotate(documents=Count("pk")).order_by("tag")


def described(collections: QuerySet[Collection], user: User) -> QuerySet[Any]:
    """With ``role`` (the user's) and ``document_count``."""
    mine = Membership.objects.filter(user=user, collection=OuterRef("pk")).values("role")[:1]
    counted = Document.objects.filter(collection=OuterRef("pk")).order_by().values("collection")
    return collections.select_related("owner").annotate(
        role=Case(When(owner=user, then=Value("owner")), default=Subquery(mine), output_field=CharField()),
        document_count=Coalesce(Subquery(counted.annotate(n=Count("pk")).values("n")), 0),
    )


def shown(request: Request, collection: Collection) -> dict[str, Any]:
    rows = described(Collection.objects.filter(pk=collection.pk), caller(request))
    return cast("dict[str, Any]", CollectionSerializer(rows.get()).data)


def user_named(username: str) -> User:
    found = get_user_model().objects.filter(username=username, is_active=True).first()
    if found is None:
        raise Http404
    return found
