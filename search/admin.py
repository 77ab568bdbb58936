"""Conversations and answers in the admin: to look at, or to keep as golden questions, by superusers only.

What somebody asked is theirs; a curator of the documents has no business with it.
"""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from documents.curation import ReadOnlyAdmin
from search import golden_admin  # noqa: F401 - registers golden questions, runs and tunings
from search.golden_keeping import KeepingAnswers, KeepsGoldenQuestions
from search.models import Answer, Calibration, Citation, Conversation, Feedback


class SuperuserAdmin(ReadOnlyAdmin):
    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_module_permission(request)


class CitationInline(admin.TabularInline):
    model = Citation
    fields = ("n", "document", "page", "quote", "withdrawn")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.is_superuser)

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Conversation)
class ConversationAdmin(SuperuserAdmin):
    list_display = ("title", "owner", "created_at", "updated_at")
    list_select_related = ("owner",)
    search_fields = ("title", "owner__username")
    date_hierarchy = "updated_at"


@admin.register(Answer)
class AnswerAdmin(KeepingAnswers, SuperuserAdmin):
    list_display = ("question", "asked_by", "state", "abstained", "rating", "created_at")
    list_filter = ("state", "abstained", "feedback__rating")
    list_select_related = ("asked_by", "feedback")
    search_fields = ("question", "text", "asked_by__username")
    date_hierarchy = "created_at"
    inlines = (CitationInline,)

    @admin.display(description=_("feedback"))
    def rating(self, answer: Answer) -> str:
        feedback = getattr(answer, "feedback", None)
        return feedback.get_rating_display() if feedback else "–"


@admin.register(Calibration)
class CalibrationAdmin(SuperuserAdmin):
    """Without any the default decides: deleting the latest gives the one before back."""

    list_display = ("origin", "questions", "refusal", "created_at")

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_module_permission(request)

    @admin.display(description=_("refusals, before → after (F1)"))
    def refusal(self, calibration: Calibration) -> str:
        return f"{calibration.before.get('refusal_f1')} → {calibration.after.get('refusal_f1')}"


@admin.register(Feedback)
class FeedbackAdmin(KeepsGoldenQuestions, SuperuserAdmin):
    list_display = ("answer", "rating", "category", "reason", "created_at")
    list_select_related = ("answer",)
    list_filter = ("rating", "category")
    search_fields = ("reason", "answer__question")

    def answer_of(self, row: Feedback) -> Answer:
        return row.answer
