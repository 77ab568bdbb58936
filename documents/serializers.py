"""How documents and collections look over REST, and what is read from a request about them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db.models import Prefetch
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from documents.api_access import PageQuery
from documents.models import (
    TITLE_LENGTH,
    Attachment,
    Chunk,
    Collection,
    Document,
    Membership,
    Page,
    Quality,
    Role,
    Status,
)
from documents.told import told

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Read = Mapping[str, Any]


def attachments_for(user: User) -> list[Prefetch[str]]:
    """What ``DocumentSerializer`` needs beside the row: the links by attachment that ``user`` may see."""
    visible = Document.objects.visible_to(user).order_by().values("pk")
    links = Attachment.objects.order_by("id")
    return [
        Prefetch(
            "attachments",
            links.filter(document__in=visible).select_related("document"),
            to_attr="visible_attachments",
        ),
        Prefetch("messages", links.filter(message__in=visible), to_attr="visible_messages"),
    ]


class TagsField(serializers.ListField):
    """Tags as a list, as a repeated field, or in one string with commas."""

    child = serializers.CharField(allow_blank=True)

    def to_internal_value(self, data: Any) -> list[str]:
        given = [data] if isinstance(data, str) else data
        texts = super().to_internal_value(given)
        return [tag.strip() for text in texts for tag in text.split(",") if tag.strip()]


class LinksSerializer(serializers.Serializer[Read]):
    self = serializers.CharField()
    file = serializers.CharField()
    chunks = serializers.CharField()
    html = serializers.CharField()


class QualitySerializer(serializers.ModelSerializer[Document]):
    """What was measured of the text; null where nothing was. Shares run from 0 to 1."""

    verdict = serializers.CharField(source="quality")

    class Meta:
        model = Document
        fields = ["verdict", "characters_per_page", "blank_share", "garbled_share"]
        read_only_fields = fields


class ProgressSerializer(serializers.ModelSerializer[Document]):
    """Of the present stage: pages read or recognised, passages embedded, and how many there are."""

    done = serializers.IntegerField(source="stage_done")
    total = serializers.IntegerField(source="stage_total")

    class Meta:
        model = Document
        fields = ["done", "total"]
        read_only_fields = fields


class AttachedSerializer(serializers.Serializer[Read]):
    id = serializers.UUIDField()
    title = serializers.CharField()


class DocumentSerializer(serializers.ModelSerializer[Document]):
    """A document, without its content. Its row comes with ``attachments_for`` the caller."""

    collection = serializers.SlugRelatedField[Collection](slug_field="slug", read_only=True)
    type = serializers.CharField(source="kind", read_only=True)
    pages = serializers.IntegerField(source="page_count", read_only=True)
    chunks = serializers.IntegerField(source="chunk_count", read_only=True)
    uploaded_by = serializers.CharField(
        source="uploaded_by.username", default=None, allow_null=True, read_only=True
    )
    quality = QualitySerializer(source="*", read_only=True)
    progress = ProgressSerializer(source="*", read_only=True)
    attachments = serializers.SerializerMethodField()
    attached_to = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = Document
        fields = [
            *("id", "title", "filename", "collection", "status", "stage", "percent", "progress", "reason"),
            *("notice", "type", "media_type", "size", "sha256", "source", "pages", "chunks", "language"),
            *("quality", "tags", "metadata", "attachments", "attached_to"),
            *("uploaded_by", "created_at", "updated_at", "indexed_at", "links"),
        ]
        read_only_fields = fields

    def to_representation(self, instance: Document) -> dict[str, Any]:
        """What is stored in English, for the portal's own pages in their language."""
        shown = super().to_representation(instance)
        return {**shown, "reason": told(shown["reason"]), "notice": told(shown["notice"])}

    @extend_schema_field(AttachedSerializer(many=True))
    def get_attachments(self, document: Any) -> list[dict[str, str]]:
        found = [link.document for link in document.visible_attachments]
        return [{"id": str(attached.pk), "title": attached.title} for attached in found]

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_attached_to(self, document: Any) -> list[str]:
        return [str(link.message_id) for link in document.visible_messages]

    @extend_schema_field(LinksSerializer)
    def get_links(self, document: Document) -> dict[str, str]:
        names = {"self": "api-document", "file": "api-document-file", "chunks": "api-document-chunks"}
        links = {name: reverse(view, args=[document.pk]) for name, view in names.items()}
        return {**links, "html": reverse("document-detail", args=[document.pk])}


class AcceptedSerializer(DocumentSerializer):
    """The answer to an upload. ``duplicate``: these bytes were here already, as this document."""

    duplicate = serializers.BooleanField(read_only=True)

    class Meta(DocumentSerializer.Meta):
        fields = [*DocumentSerializer.Meta.fields, "duplicate"]
        read_only_fields = fields


class UploadSerializer(serializers.Serializer[Read]):
    """``multipart/form-data``. An empty file passes here: the service says what is wrong with it."""

    file = serializers.FileField(allow_empty_file=True)
    collection = serializers.CharField(
        required=False, allow_blank=True, help_text="A slug; the caller's own collection by default."
    )
    title = serializers.CharField(required=False, allow_blank=True, max_length=TITLE_LENGTH)
    tags = TagsField(required=False)
    path = serializers.CharField(
        required=False, allow_blank=True, help_text="Where the file lay in the folder that it came from."
    )


class ReplacementSerializer(serializers.Serializer[Read]):
    file = serializers.FileField(allow_empty_file=True)


class DocumentChangeSerializer(serializers.Serializer[Read]):
    title = serializers.CharField(required=False, max_length=TITLE_LENGTH)
    tags = TagsField(required=False)
    collection = serializers.CharField(required=False, help_text="The slug of the one to move it to.")


class DocumentQuery(PageQuery):
    """The filters of the document list."""

    collection = serializers.CharField(required=False, allow_blank=True)
    status = serializers.ChoiceField(choices=Status.choices, required=False, allow_blank=True)
    tag = serializers.CharField(required=False, allow_blank=True)
    type = serializers.CharField(required=False, allow_blank=True)
    quality = serializers.ChoiceField(choices=Quality.choices, required=False, allow_blank=True)
    language = serializers.CharField(required=False, allow_blank=True, help_text="A code, like en.")
    q = serializers.CharField(required=False, allow_blank=True, help_text="In the title or the file name.")


class RetrySerializer(serializers.Serializer[Read]):
    collection = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="A slug; every collection that one may write to by default.",
    )


class RetriedSerializer(serializers.Serializer[Read]):
    retried = serializers.IntegerField(help_text="So many failed documents were queued again.")


class PictureQuery(serializers.Serializer[Read]):
    scale = serializers.FloatField(default=1.5, min_value=0.1, max_value=4, help_text="Pixels per point.")

    def validate_scale(self, scale: float) -> float:
        if not isfinite(scale):  # "nan" is neither too small nor too large
            raise serializers.ValidationError("This is no number.")
        return scale


class PageSerializer(serializers.ModelSerializer[Page]):
    """The text of one page; width and height in points, or null where the format has no layout.

    ``label`` is what the document itself calls the page, where that is not its number. ``recognised``
    says that the text was read from a picture.
    """

    class Meta:
        model = Page
        fields = ["number", "label", "text", "width", "height", "recognised"]
        read_only_fields = fields


class ChunkSerializer(serializers.ModelSerializer[Chunk]):
    """A passage: ``text`` is characters ``start`` to ``end`` of page ``page``."""

    page = serializers.IntegerField(source="page_start", read_only=True)
    tokens = serializers.IntegerField(source="token_count", read_only=True)
    boxes = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()),
        help_text="[[page, x0, y0, x1, y1], …] in points, origin top left.",
        read_only=True,
    )

    class Meta:
        model = Chunk
        fields = [
            *("id", "ordinal", "text", "heading", "page", "page_end", "start", "end", "tokens", "boxes"),
            "content_hash",
        ]
        read_only_fields = fields


class CollectionSerializer(serializers.ModelSerializer[Collection]):
    """A collection, and the caller's role in it."""

    owner = serializers.CharField(source="owner.username", read_only=True)
    role = serializers.CharField(
        read_only=True, help_text="The caller's own: owner, manager, editor, viewer."
    )
    documents = serializers.IntegerField(source="document_count", read_only=True)

    class Meta:
        model = Collection
        fields = ["slug", "name", "description", "is_private", "owner", "role", "documents", "created_at"]
        read_only_fields = ["is_private", "created_at"]
        # Both are checked by the service, whose free slug and messages serve every door.
        extra_kwargs = {
            "slug": {"required": False, "validators": [], "help_text": "Made from the name by default."},
            "description": {"required": False},
        }


class CollectionChangeSerializer(serializers.ModelSerializer[Collection]):
    class Meta:
        model = Collection
        fields = ["name", "description"]


class MemberSerializer(serializers.ModelSerializer[Membership]):
    user = serializers.SlugRelatedField(slug_field="username", queryset=get_user_model().objects.all())

    class Meta:
        model = Membership
        fields = ["user", "role", "created_at"]
        read_only_fields = ["created_at"]
        extra_kwargs = {"role": {"required": True}}


class RoleSerializer(serializers.Serializer[Read]):
    role = serializers.ChoiceField(choices=Role.choices)


class TagSerializer(serializers.Serializer[Read]):
    tag = serializers.CharField()
    documents = serializers.IntegerField()
