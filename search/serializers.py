"""What is read from a request to search or to ask, and how the answers look in the OpenAPI document.

The answers themselves are written by ``representation``, the same for every door.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from search.models import Conversation
from search.representation import answer_json
from search.types import Filters, Mode, Rerank, SearchRequest

Read = Mapping[str, Any]
LARGEST_LIMIT = 100


class WordsField(serializers.ListField):
    """Several values: a repeated parameter, or one with commas. Empty ones do not count."""

    child = serializers.CharField(allow_blank=True)

    def to_internal_value(self, data: Any) -> list[Any]:
        texts = [part.strip() for text in data for part in str(text).split(",")]
        return super().to_internal_value([text for text in texts if text])


class SearchQuery(serializers.Serializer[Read]):
    """The parameters of a search."""

    q = serializers.CharField(help_text="What to look for.")
    mode = serializers.ChoiceField(choices=get_args(Mode), default="hybrid")
    collection = WordsField(required=False, help_text="Slugs.")
    document = WordsField(child=serializers.UUIDField(), required=False, help_text="Ids.")
    tag = WordsField(required=False)
    type = WordsField(required=False, help_text="Kinds of documents: pdf, markdown, text, …")
    limit = serializers.IntegerField(default=10, min_value=1, max_value=LARGEST_LIMIT)
    rerank = serializers.ChoiceField(choices=get_args(Rerank), default="auto")
    explain = serializers.BooleanField(default=False, help_text="Adds every stage's candidates and times.")


def search_request(given: Mapping[str, Any]) -> SearchRequest:
    """What ``SearchQuery`` has checked, as the pipeline takes it."""
    filters = Filters(
        collections=tuple(given.get("collection", ())),
        documents=tuple(given.get("document", ())),
        tags=tuple(tag.casefold() for tag in given.get("tag", ())),
        kinds=tuple(given.get("type", ())),
    )
    return SearchRequest(
        query=given["q"],
        mode=given["mode"],
        filters=filters,
        limit=given["limit"],
        rerank=given["rerank"],
        explain=given["explain"],
    )


class QuestionSerializer(serializers.Serializer[Read]):
    question = serializers.CharField()
    conversation = serializers.UUIDField(required=False, allow_null=True, help_text="To go on with.")
    collections = serializers.ListField(child=serializers.CharField(), required=False, help_text="Slugs.")
    documents = serializers.ListField(child=serializers.UUIDField(), required=False, help_text="Ids.")


class FeedbackSerializer(serializers.Serializer[Read]):
    rating = serializers.ChoiceField(choices=[1, -1], help_text="1 helpful, -1 not helpful.")
    reason = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class EventsQuery(serializers.Serializer[Read]):
    after = serializers.IntegerField(required=False, min_value=0, help_text="Instead of Last-Event-ID.")


# --- Shapes ---------------------------------------------------------------------------------


class NamedDocument(serializers.Serializer[Read]):
    id = serializers.UUIDField()
    title = serializers.CharField()


class HitSerializer(serializers.Serializer[Read]):
    rank = serializers.IntegerField()
    document = NamedDocument()
    chunk = serializers.IntegerField()
    page = serializers.IntegerField()
    heading = serializers.ListField(child=serializers.CharField())
    text = serializers.CharField()
    highlights = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()), help_text="[[start, end], …] in text."
    )
    matched = serializers.DictField(child=serializers.IntegerField(), help_text="The rank in each leg.")


class SearchSerializer(serializers.Serializer[Read]):
    query = serializers.CharField()
    mode = serializers.ChoiceField(choices=get_args(Mode))
    degraded = serializers.ListField(child=serializers.CharField(), help_text="What was missing.")
    took_ms = serializers.FloatField()
    results = HitSerializer(many=True)


class SentenceSerializer(serializers.Serializer[Read]):
    text = serializers.CharField()
    citations = serializers.ListField(child=serializers.IntegerField())
    supported = serializers.BooleanField()


class CitationSerializer(serializers.Serializer[Read]):
    n = serializers.IntegerField()
    document = NamedDocument(allow_null=True)
    page = serializers.IntegerField(allow_null=True)
    chunk = serializers.IntegerField(allow_null=True, help_text="Null when the passage has changed since.")
    quote = serializers.CharField()
    boxes = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()))
    withdrawn = serializers.BooleanField(required=False)


class AnswerSerializer(serializers.Serializer[Read]):
    """A stored answer."""

    id = serializers.UUIDField()
    question = serializers.CharField()
    conversation = serializers.UUIDField()
    state = serializers.CharField()
    answer = serializers.CharField()
    abstained = serializers.BooleanField()
    sentences = SentenceSerializer(many=True)
    citations = CitationSerializer(many=True)
    timings = serializers.DictField(child=serializers.FloatField())
    created_at = serializers.DateTimeField()


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    class Meta:
        model = Conversation
        fields = ["id", "title", "created_at", "updated_at"]
        read_only_fields = ["id", "created_at", "updated_at"]


class ThreadSerializer(ConversationSerializer):
    """A conversation with its answers, oldest first."""

    answers = serializers.SerializerMethodField()

    class Meta(ConversationSerializer.Meta):
        fields = [*ConversationSerializer.Meta.fields, "answers"]

    @extend_schema_field(AnswerSerializer(many=True))
    def get_answers(self, conversation: Conversation) -> list[dict[str, Any]]:
        reader = self.context["reader"]
        return [answer_json(answer, reader) for answer in conversation.answers.visible_to(reader)]
