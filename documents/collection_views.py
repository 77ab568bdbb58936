"""Pages about collections: who may see what."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from documents import services
from documents.forms import CollectionForm, MemberForm
from documents.models import Collection
from documents.views import signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def collection_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = CollectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return redirect("collection-detail", create(user, form).slug)
    collections = counted(Collection.objects.visible_to(user)).select_related("owner")
    context = {"collections": collections, "form": form}
    return render(request, "documents/collection_list.html", context)


@require_safe
@login_required
def collection_detail(request: HttpRequest, slug: str) -> HttpResponse:
    user = signed_in(request)
    collection = visible_collection(user, slug)
    context = {
        "collection": collection,
        "may_manage": may_manage(user, collection),
        "memberships": collection.memberships.select_related("user").order_by("user__username"),
        "form": CollectionForm({"name": collection.name, "description": collection.description}),
        "member_form": MemberForm(),
    }
    return render(request, "documents/collection_detail.html", context)


@require_POST
@login_required
def collection_edit(request: HttpRequest, slug: str) -> HttpResponse:
    collection = manageable_collection(signed_in(request), slug)
    form = CollectionForm(request.POST)
    if form.is_valid():
        services.collection_update(collection=collection, **form.cleaned_data)
        messages.success(request, _("Saved."))
    else:
        messages.error(request, _("A collection needs a name."))
    return redirect("collection-detail", slug)


@require_POST
@login_required
def collection_delete(request: HttpRequest, slug: str) -> HttpResponse:
    try:
        services.collection_delete(collection=manageable_collection(signed_in(request), slug))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("collection-detail", slug)
    return redirect("collection-list")


@require_POST
@login_required
def member_set(request: HttpRequest, slug: str) -> HttpResponse:
    collection = manageable_collection(signed_in(request), slug)
    form = MemberForm(request.POST)
    try:
        if form.is_valid() and form.user is not None:
            services.membership_set(collection=collection, user=form.user, role=form.cleaned_data["role"])
        else:
            messages.error(request, " ".join(str(text) for texts in form.errors.values() for text in texts))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("collection-detail", slug)


@require_POST
@login_required
def member_remove(request: HttpRequest, slug: str) -> HttpResponse:
    collection = manageable_collection(signed_in(request), slug)
    member = get_object_or_404(
        collection.memberships.select_related("user"), user__username=request.POST.get("username", "")[:150]
    )
    services.membership_remove(collection=collection, user=member.user)
    return redirect("collection-detail", slug)


def create(user: User, form: CollectionForm) -> Collection:
    return services.collection_create(owner=user, **form.cleaned_data)


def counted(collections: QuerySet[Collection]) -> QuerySet[Collection]:
    return collections.annotate(
        documents_count=Count("documents", distinct=True), members_count=Count("memberships", distinct=True)
    )


def visible_collection(user: User, slug: str) -> Collection:
    return get_object_or_404(Collection.objects.visible_to(user).select_related("owner"), slug=slug)


def manageable_collection(user: User, slug: str) -> Collection:
    collection = visible_collection(user, slug)
    if not may_manage(user, collection):
        raise PermissionDenied(_("Your role in this collection does not allow that."))
    return collection


def may_manage(user: User, collection: Collection) -> bool:
    return Collection.objects.manageable_by(user).filter(pk=collection.pk).exists()
