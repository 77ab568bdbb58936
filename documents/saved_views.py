"""Views of the list that a user keeps under names: saved, renamed, deleted. They are nobody else's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from documents import services
from documents.answering import next_page
from documents.listing import query_of
from documents.models import SavedView


@dataclass(frozen=True, slots=True)
class Tab:
    view: SavedView
    url: str
    current: bool


def tabs_of(user: User, given: QueryDict) -> list[Tab]:
    present = saved_query(given)
    views = SavedView.objects.filter(user=user)
    return [Tab(each, f"{reverse('document-list')}?{each.query}", each.query == present) for each in views]


def saved_query(given: QueryDict) -> str:
    """Filters and order. Table or grid is the reader's habit, not the view's."""
    return query_of(given, view="")


@require_POST
@login_required
def view_save(request: HttpRequest) -> HttpResponse:
    query = saved_query(QueryDict(request.POST.get("query", "")))
    user = cast(User, request.user)
    try:
        services.view_save(user=user, name=request.POST.get("name", ""), query=query)
    except ValidationError as error:
        messages.error(request, sentence(error))
    return redirect(f"{reverse('document-list')}?{query}")


@require_POST
@login_required
def view_rename(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        services.view_rename(view=own(request, pk), name=request.POST.get("name", ""))
    except ValidationError as error:
        messages.error(request, sentence(error))
    return redirect(next_page(request))


@require_POST
@login_required
def view_delete(request: HttpRequest, pk: int) -> HttpResponse:
    view = own(request, pk)
    services.view_delete(view=view)
    messages.success(request, _("The view “%(name)s” was deleted.") % {"name": view.name})
    return redirect("document-list")


def own(request: HttpRequest, pk: int) -> SavedView:
    return get_object_or_404(SavedView, user=cast(User, request.user), pk=pk)


def sentence(error: ValidationError) -> str:
    if hasattr(error, "error_dict") and "name" in error.error_dict:
        return _("A view needs a name of at most 60 characters.")
    if hasattr(error, "error_dict"):
        return _("There is a view of that name already.")
    return " ".join(error.messages)
