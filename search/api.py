"""Search, answers and conversations over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import close_old_connections
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents.api_access import AnyAccept, Pages, caller, checked, page_of, visible_document
from search import answers, conversations, export, pipeline, replaying, sse
from search.exceptions import GenerationFailed
from search.facets import facets_of
from search.kept_responses import tell_door
from search.models import Answer, Conversation
from search.receipts import receipt_json
from search.representation import answer_json, feedback_json, replay_json, search_json, trace_json
from search.serializers import (
    AnswerSerializer,
    ConversationSerializer,
    EventsQuery,
    ExportQuery,
    FeedbackSerializer,
    QuestionSerializer,
    ReceiptSerializer,
    SearchQuery,
    SearchSerializer,
    ThreadSerializer,
    TraceSerializer,
    WhyQuery,
    search_request,
    why_request,
)
from search.why import searcher, why

RESUME_PARAMETER = OpenApiParameter("Last-Event-ID", int, "header", description="The last one received.")


class EventStream(BaseRenderer):
    """Only says that ``text/event-stream`` may be asked for: the stream is a response of its own."""

    media_type = "text/event-stream"
    format = "events"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        return JSONRenderer().render(data)  # type: ignore[no-any-return]


class SearchView(APIView):
    @extend_schema(
        operation_id="search", parameters=[SearchQuery], responses=SearchSerializer, tags=["search"]
    )
    def get(self, request: Request) -> Response:
        """The passages that answer a query best, among the documents that the caller may see."""
        given, user = checked(SearchQuery, request.query_params), caller(request)
        wanted = search_request(given)
        result = pipeline.search(request=wanted, user=user)
        facets = facets_of(wanted, user) if given["facets"] else None
        tell_door(request._request, result, user)
        return Response(search_json(result, facets=facets, raw=user.is_staff))


class WhyView(APIView):
    @extend_schema(
        operation_id="search_why", parameters=[WhyQuery], responses=TraceSerializer, tags=["search"]
    )
    def get(self, request: Request) -> Response:
        """One document on its way through a search: at which stage it was lost, or where it is found."""
        given = checked(WhyQuery, request.query_params)
        document = visible_document(request, given["document"])
        user = searcher(caller(request), document, given.get("as", ""))
        wanted = why_request(given)
        trace = why(request=wanted, document=document, user=user, asked_by=caller(request))
        return Response(trace_json(trace, given["q"]))


class AnswersView(APIView):
    renderer_classes = [JSONRenderer, EventStream]

    @extend_schema(
        operation_id="answers_ask",
        request=QuestionSerializer,
        responses={
            (200, "application/json"): AnswerSerializer,
            (200, "text/event-stream"): OpenApiTypes.STR,
            202: AnswerSerializer,
        },
        tags=["answers"],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Ask a question. Waits for the answer, or streams it to who accepts ``text/event-stream``."""
        asked = answers.ask(user=caller(request), **checked(QuestionSerializer, request.data))
        return answered(request, asked)


class AnswerView(APIView):
    @extend_schema(operation_id="answers_get", responses=AnswerSerializer, tags=["answers"])
    def get(self, request: Request, pk: UUID) -> Response:
        """The stored answer; its quotes are checked again at every reading."""
        return Response(answer_json(visible_answer(request, pk), caller(request)))


class EventsView(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(
        operation_id="answers_events",
        parameters=[RESUME_PARAMETER, EventsQuery],
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
        tags=["answers"],
    )
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        """The answer as events, from the beginning or after ``Last-Event-ID``, until it ends."""
        answer = visible_answer(request, pk)
        return event_stream(request, answer, after_seq=sse.last_event_id(request._request))


class StopView(APIView):
    @extend_schema(request=None, responses=AnswerSerializer, tags=["answers"])
    def post(self, request: Request, pk: UUID) -> Response:
        """Stop an answer that is being written; what there is of it is kept."""
        answer = visible_answer(request, pk)
        answers.stop(answer=answer)
        return Response(answer_json(visible_answer(request, pk), caller(request)))


class FeedbackView(APIView):
    @extend_schema(request=FeedbackSerializer, responses=FeedbackSerializer, tags=["answers"])
    def post(self, request: Request, pk: UUID) -> Response:
        """Say whether the answer helped; a second rating takes the place of the first."""
        answer = visible_answer(request, pk)
        answers.give_feedback(answer=answer, **checked(FeedbackSerializer, request.data))
        return Response(feedback_json(answer))


class ReceiptView(APIView):
    @extend_schema(operation_id="answers_receipt", responses=ReceiptSerializer, tags=["answers"])
    def get(self, request: Request, pk: UUID) -> Response:
        """How the answer came about: what was found and read, with which models and settings."""
        return Response(receipt_json(visible_answer(request, pk), caller(request)))


class RegenerateView(APIView):
    renderer_classes = [JSONRenderer, EventStream]

    @extend_schema(
        request=None,
        responses={
            (200, "application/json"): AnswerSerializer,
            (200, "text/event-stream"): OpenApiTypes.STR,
            202: AnswerSerializer,
        },
        tags=["answers"],
    )
    def post(self, request: Request, pk: UUID) -> HttpResponseBase:
        """Ask the same once more, in the same conversation: a new answer that replaces this one."""
        again = answers.regenerate(answer=visible_answer(request, pk), user=caller(request))
        return answered(request, again)


class ReplayView(APIView):
    @extend_schema(request=None, responses=OpenApiTypes.OBJECT, tags=["answers"])
    def post(self, request: Request, pk: UUID) -> Response:
        """Ask the same again, with the documents as they are now, and say what differs."""
        replay = replaying.replay(answer=visible_answer(request, pk), user=caller(request))
        return Response(replay_json(replay, caller(request)))


class ConversationsView(APIView):
    pagination_class = Pages

    @extend_schema(
        operation_id="conversations_list",
        responses=ConversationSerializer(many=True),
        tags=["conversations"],
    )
    def get(self, request: Request) -> Response:
        """The caller's conversations, the latest first."""
        rows = Conversation.objects.visible_to(caller(request))
        return page_of(request, rows, ConversationSerializer, ordering=("-updated_at", "id"))


class ConversationView(APIView):
    @extend_schema(operation_id="conversations_get", responses=ThreadSerializer, tags=["conversations"])
    def get(self, request: Request, pk: UUID) -> Response:
        """A conversation and its answers."""
        context = {"reader": caller(request)}
        return Response(ThreadSerializer(visible_conversation(request, pk), context=context).data)

    @extend_schema(request=ConversationSerializer, responses=ConversationSerializer, tags=["conversations"])
    def patch(self, request: Request, pk: UUID) -> Response:
        """Rename a conversation."""
        conversation = visible_conversation(request, pk)
        title = checked(ConversationSerializer, request.data)["title"]
        conversations.conversation_rename(conversation=conversation, title=title)
        return Response(ConversationSerializer(visible_conversation(request, pk)).data)

    @extend_schema(responses={204: None}, tags=["conversations"])
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete a conversation with its answers."""
        conversations.conversation_delete(conversation=visible_conversation(request, pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ExportView(APIView):
    content_negotiation_class = AnyAccept  # ``format`` is a parameter of ours here, not DRF's

    @extend_schema(
        operation_id="conversations_export",
        parameters=[ExportQuery],
        responses={
            (200, "text/markdown"): OpenApiTypes.STR,
            (200, "application/json"): OpenApiTypes.OBJECT,
        },
        tags=["conversations"],
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        """A conversation as a file, to read (``md``) or to go on with (``json``)."""
        ending = checked(ExportQuery, request.query_params)["format"]
        return export.download(request._request, visible_conversation(request, pk), caller(request), ending)


def visible_answer(request: Request, pk: UUID) -> Answer:
    found = Answer.objects.visible_to(caller(request)).select_related("conversation", "asked_by")
    return answers.settled(get_object_or_404(found, pk=pk))


def visible_conversation(request: Request, pk: UUID) -> Conversation:
    found: Conversation = get_object_or_404(Conversation.objects.visible_to(caller(request)), pk=pk)
    return found


def answered(request: Request, answer: Answer) -> HttpResponseBase:
    """The answer that was begun: as events, or whole once it has ended."""
    if isinstance(request.accepted_renderer, EventStream):
        return event_stream(request, answer)
    answer = finished(answer)
    ended = answer.state != Answer.State.RUNNING
    return Response(answer_json(answer, caller(request)), status=200 if ended else 202)


def finished(answer: Answer) -> Answer:
    """The answer once it has ended, or as far as it is after a long wait. Raises ``GenerationFailed``."""
    answer = answers.wait(answer)
    if answer.state == Answer.State.FAILED:
        raise GenerationFailed((answer.error or {}).get("detail", ""), answer=answer.pk)
    return answer


def event_stream(request: Request, answer: Answer, after_seq: int = 0) -> HttpResponseBase:
    # The stream may go on for minutes, and this thread's connection would wait with it.
    close_old_connections()
    return sse.stream(request._request, answer, after_seq)
