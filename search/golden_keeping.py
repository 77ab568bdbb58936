"""Answers turned into golden questions in the admin."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from documents.models import Collection
from search.golden_answers import answer_keep, homes_of
from search.models import Answer

KEEP = "admin:search_answer_keep"


class KeepsGoldenQuestions(admin.ModelAdmin):
    """Adds the button to an answer's page, or to that of what belongs to one (``answer_of``)."""

    change_form_template = "admin/search/answer/change_form.html"

    def answer_of(self, row: Any) -> Answer:
        """The answer that a row of this admin is about: the row itself, where it is one."""
        answer: Answer = row
        return answer

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        keep = {"keep_url": reverse(KEEP, args=[self.answer_of(row).pk])} if row else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **keep})


class KeepingAnswers(KeepsGoldenQuestions):
    """The admin of answers: it also has the address that the button leads to."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.keep))
        return [path("<uuid:pk>/keep/", view, name="search_answer_keep"), *super().get_urls()]

    def keep(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Keep it at once where only one collection comes into question, else ask which."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        answer = get_object_or_404(Answer.objects.select_related("asked_by"), pk=pk)
        homes = homes_of(answer)
        chosen = [home for home in homes if str(home.pk) == request.POST.get("collection")] or homes
        if len(chosen) == 1:
            self.told(request, answer, chosen[0])
        elif homes:
            return self.ask_which(request, answer, homes)
        else:
            self.message_user(
                request, _("No collection is left that holds what it rests on."), messages.ERROR
            )
        return redirect("admin:search_answer_change", answer.pk)

    def ask_which(self, request: HttpRequest, answer: Answer, homes: list[Collection]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Keep as golden question: in which collection?"),
            "opts": self.opts,
            "answer": answer,
            "homes": homes,
            "keep_url": reverse(KEEP, args=[answer.pk]),
        }
        return TemplateResponse(request, "admin/search/answer/keep.html", context)

    def told(self, request: HttpRequest, answer: Answer, collection: Collection) -> None:
        try:
            golden, created = answer_keep(answer=answer, collection=collection, user=cast(User, request.user))
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return
        new, old = _("Kept as a golden question of {}: {}"), _("A golden question of {} already: {}")
        address = reverse("admin:search_goldenquestion_change", args=[golden.pk])
        link = format_html('<a href="{}">{}</a>', address, golden.question)
        self.message_user(request, format_html(str(new if created else old), collection.name, link))
        if golden.answerable and not golden.expected.exists():
            self.message_user(request, _("Name the document that answers it there."), messages.WARNING)
