"""What is read from a request to search or to ask, and how the answers look in the OpenAPI document.

The answers themselves are written by ``representation``, the same for every door.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from search.exceptions import BadRequest
from search.models import Conversation, Feedback
from search.narrowing import PER_DOCUMENT, filters_of, passages_of_one
from search.query import period
from search.representation import answer_json
from search.types import Mode, Rerank, SearchRequest

Read = Mapping[str, Any]
LARGEST_LIMIT = 100


class TextsField(serializers.ListField):
    """Several values: a repeated parameter. Empty ones do not count."""

    child = serializers.CharField(allow_blank=True)

    def to_internal_value(self, data: Any) -> list[Any]:
        texts = [part.strip() for text in data for part in self.parts(str(text))]
        return super().to_internal_value([text for text in texts if text])

    def parts(self, text: str) -> list[str]:
        return [text]


class WordsField(TextsField):
    """Several values: a repeated parameter, or one with commas."""

    def parts(self, text: str) -> list[str]:
        return text.split(",")


class PeriodField(serializers.CharField):
    """A year, month or day, as in ``before:`` and ``after:``: its first day and the first day after it."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return period(super().to_internal_value(data))
        except BadRequest as error:
            raise serializers.ValidationError(str(error)) from error


class SearchParameters(serializers.Serializer[Read]):
    """What a search is about, and what it is narrowed to."""

    q = serializers.CharField(help_text='Words and operators: "a phrase", -word, title:, tag:, type:, …')
    mode = serializers.ChoiceField(choices=get_args(Mode), default="hybrid")
    collection = WordsField(required=False, help_text="Slugs.")
    tag = WordsField(required=False)
    type = WordsField(required=False, help_text="Kinds of documents: pdf, markdown, text, …")
    title = TextsField(required=False, help_text="Parts of titles.")
    before = PeriodField(required=False, help_text="Dated before this year, month or day: 2024, 2024-05-31.")
    after = PeriodField(required=False, help_text="Dated after it: 2024 begins with 1 January 2025.")
    limit = serializers.IntegerField(default=10, min_value=1, max_value=LARGEST_LIMIT)
    rerank = serializers.ChoiceField(choices=get_args(Rerank), default="auto")
    per_document = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=LARGEST_LIMIT,
        help_text="Passages of one document before others have their turn; 0: no such limit. "
        f"Default {PER_DOCUMENT}, none for a search in one document.",
    )


class SearchQuery(SearchParameters):
    """The parameters of a search."""

    document = WordsField(child=serializers.UUIDField(), required=False, help_text="Ids.")
    explain = serializers.BooleanField(default=False, help_text="Adds every stage's candidates and times.")
    facets = serializers.BooleanField(default=False, help_text="Adds counts by collection, type, tag, year.")


class WhyQuery(SearchParameters):
    """A search, and the document that it is asked about."""

    document = serializers.UUIDField(help_text="The id of the document that is missing.")

    def get_fields(self) -> dict[str, Any]:
        name = serializers.CharField(
            required=False, help_text="A user name: why they do not find it. For curators of its collection."
        )
        return {**super().get_fields(), "as": name}


def search_request(given: Mapping[str, Any]) -> SearchRequest:
    """What ``SearchQuery`` has checked, as the pipeline takes it."""
    return request_within(given, tuple(given.get("document", ())))


def why_request(given: Mapping[str, Any]) -> SearchRequest:
    """What ``WhyQuery`` has checked: the search as it is made, not narrowed to the document in question."""
    return request_within(given, ())


def request_within(given: Mapping[str, Any], documents: tuple[UUID, ...]) -> SearchRequest:
    return SearchRequest(
        query=given["q"],
        mode=given["mode"],
        filters=filters_of(given, documents),
        limit=given["limit"],
        rerank=given["rerank"],
        explain=given.get("explain", False),
        per_document=passages_of_one(given.get("per_document"), documents),
    )


class QuestionSerializer(serializers.Serializer[Read]):
    question = serializers.CharField()
    conversation = serializers.UUIDField(required=False, allow_null=True, help_text="To go on with.")
    collections = serializers.ListField(child=serializers.CharField(), required=False, help_text="Slugs.")
    documents = serializers.ListField(child=serializers.UUIDField(), required=False, help_text="Ids.")


class FeedbackSerializer(serializers.Serializer[Read]):
    rating = serializers.ChoiceField(choices=[1, -1], help_text="1 helpful, -1 not helpful.")
    reason = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    category = serializers.ChoiceField(
        choices=Feedback.Category.choices,
        required=False,
        allow_blank=True,
        help_text="What was wrong, with a rating of -1.",
    )


class ExportQuery(serializers.Serializer[Read]):
    format = serializers.ChoiceField(choices=["md", "json"], default="md")


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


class FacetValueSerializer(serializers.Serializer[Read]):
    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    count = serializers.IntegerField(help_text="Documents.")


class FacetsSerializer(serializers.Serializer[Read]):
    """Each counted as if its own filter were not set."""

    collection = FacetValueSerializer(many=True)
    type = FacetValueSerializer(many=True)
    tag = FacetValueSerializer(many=True)
    year = FacetValueSerializer(many=True)


class SearchSerializer(serializers.Serializer[Read]):
    query = serializers.CharField()
    mode = serializers.ChoiceField(choices=get_args(Mode))
    degraded = serializers.ListField(child=serializers.CharField(), help_text="What was missing.")
    took_ms = serializers.FloatField()
    cached = serializers.BooleanField(help_text="Found before, and nothing has changed since.")
    suggestion = serializers.CharField(allow_null=True, help_text="The query as it may have been meant.")
    results = HitSerializer(many=True)
    facets = FacetsSerializer(required=False, help_text="With facets=true.")
    explanation = serializers.DictField(required=False, help_text="With explain=true.")


class StepSerializer(serializers.Serializer[Read]):
    name = serializers.CharField()
    passed = serializers.BooleanField()
    detail = serializers.CharField()
    rank = serializers.IntegerField(allow_null=True, help_text="Of the document's best passage, from 1.")
    of = serializers.IntegerField(allow_null=True, help_text="How many go on from here.")


class TracedPassageSerializer(serializers.Serializer[Read]):
    chunk = serializers.IntegerField()
    page = serializers.IntegerField()
    heading = serializers.ListField(child=serializers.CharField())
    text = serializers.CharField()
    ranks = serializers.DictField(child=serializers.IntegerField(), help_text="The rank in each stage.")


class TraceSerializer(serializers.Serializer[Read]):
    """A document on its way through a search."""

    query = serializers.CharField()
    document = NamedDocument()
    found = serializers.BooleanField()
    lost_at = serializers.CharField(allow_null=True, help_text="The name of a step.")
    sentence = serializers.CharField()
    steps = StepSerializer(many=True)
    passages = TracedPassageSerializer(many=True)


class DoubtSerializer(serializers.Serializer[Read]):
    kind = serializers.CharField()
    text = serializers.CharField()


class SentenceSerializer(serializers.Serializer[Read]):
    text = serializers.CharField()
    citations = serializers.ListField(child=serializers.IntegerField())
    supported = serializers.BooleanField()
    doubts = DoubtSerializer(many=True, help_text="Why it is not supported.")
    span = serializers.ListField(
        child=serializers.IntegerField(),
        allow_null=True,
        help_text="[start, end] of the exact answer in text, where the question asks for one.",
    )


class PassageSerializer(serializers.Serializer[Read]):
    document = NamedDocument()
    page = serializers.IntegerField()
    chunk = serializers.IntegerField()
    text = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()


class RefusalSerializer(serializers.Serializer[Read]):
    """Why there is no answer."""

    code = serializers.ChoiceField(choices=["nothing", "missing", "unsure", "unsupported"])
    sentence = serializers.CharField()
    missing = serializers.ListField(child=serializers.CharField(), help_text="Named, and mentioned nowhere.")
    closest = PassageSerializer(many=True)


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
    refusal = RefusalSerializer(allow_null=True)
    sentences = SentenceSerializer(many=True)
    citations = CitationSerializer(many=True)
    timings = serializers.DictField(child=serializers.FloatField())
    fallback = serializers.CharField(allow_null=True, help_text="Said where the language model failed.")
    replaces = serializers.UUIDField(allow_null=True, help_text="The version before this one.")
    cached = serializers.BooleanField(help_text="Given before, and nothing has changed since.")
    created_at = serializers.DateTimeField()


class ReceiptSerializer(serializers.Serializer[Read]):
    """How an answer came about, as its reader may see it."""

    answer = serializers.UUIDField()
    question = serializers.CharField()
    standalone = serializers.CharField(allow_null=True, help_text="The question as it was looked for.")
    scope = serializers.DictField()
    trace = serializers.ListField(child=serializers.DictField(), help_text="The passages found, best first.")
    prompt = serializers.ListField(child=serializers.DictField(), allow_null=True)
    withheld = serializers.BooleanField(help_text="Not every document can be seen: no prompt.")
    settings = serializers.DictField()
    versions = serializers.DictField(allow_null=True)
    timings = serializers.DictField(child=serializers.FloatField())
    tokens = serializers.DictField(allow_null=True)
    fingerprint = serializers.CharField(allow_null=True, help_text="SHA-256 of what it was made from.")


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
