"""Pages about collections: who may see what, and how much there is."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from documents import services
from documents.forms import CollectionForm, MemberForm
from documents.models import Collection, Membership, Role
from documents.usage import counted, usage_of, with_role
from documents.views import signed_in

PER_PAGE = 24
NAME_LENGTH = 120


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def collection_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = CollectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return redirect("collection-detail", services.collection_create(owner=user, **form.cleaned_data).slug)
    wanted = request.GET.get("q", "").replace("\x00", "").strip()[:NAME_LENGTH]
    found = Collection.objects.visible_to(user).filter(name__icontains=wanted).select_related("owner")
    rows = with_role(counted(found), user).order_by("-is_private", "name", "id")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "documents/collection_list.html", {"page": page, "form": form, "wanted": wanted})


@require_safe
@login_required
def collection_detail(request: HttpRequest, slug: str) -> HttpResponse:
    return collection_page(request, visible_collection(signed_in(request), slug))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def collection_edit(request: HttpRequest, slug: str) -> HttpResponse:
    if request.method != "POST":  # the address of a form that was sent back, opened again
        return redirect("collection-detail", slug)
    collection = manageable_collection(signed_in(request), slug)
    form = CollectionForm(request.POST)
    if not form.is_valid():
        return collection_page(request, collection, form=form)
    services.collection_update(collection=collection, **form.cleaned_data)
    messages.success(request, _("Saved."))
    return redirect("collection-detail", slug)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def collection_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Asks first; only what is empty is deleted."""
    collection = manageable_collection(signed_in(request), slug)
    if request.method != "POST":
        context = {"collection": collection, "usage": usage_of(collection)}
        return render(request, "documents/collection_delete.html", context)
    try:
        services.collection_delete(collection=collection)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("collection-detail", slug)
    messages.success(request, _("“%(name)s” was deleted.") % {"name": collection.name})
    return redirect("collection-list")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def member_set(request: HttpRequest, slug: str) -> HttpResponse:
    if request.method != "POST":  # as for the settings
        return redirect("collection-detail", slug)
    collection = manageable_collection(signed_in(request), slug)
    form = MemberForm(request.POST)
    if not form.is_valid() or form.user is None:
        return collection_page(request, collection, member_form=form)
    role = form.cleaned_data["role"]
    try:
        services.membership_set(collection=collection, user=form.user, role=role)
    except ValidationError as error:
        form.add_error("username", error)
        return collection_page(request, collection, member_form=form)
    given = {"name": form.user.get_username(), "role": Role(role).label}
    messages.success(request, _("%(name)s is %(role)s here now.") % given)
    return redirect("collection-detail", slug)


@require_POST
@login_required
def member_remove(request: HttpRequest, slug: str) -> HttpResponse:
    user = signed_in(request)
    collection = manageable_collection(user, slug)
    member = membership(collection, request.POST.get("username", "")[:150])
    services.membership_remove(collection=collection, user=member.user)
    messages.success(request, _("%(name)s was removed.") % {"name": member.user.get_username()})
    return redirect("collection-list") if member.user == user else redirect("collection-detail", slug)


@require_POST
@login_required
def collection_leave(request: HttpRequest, slug: str) -> HttpResponse:
    """A member goes by themselves. The owner is no member: the collection would be nobody's."""
    user = signed_in(request)
    collection = visible_collection(user, slug)
    services.membership_remove(collection=collection, user=membership(collection, user.get_username()).user)
    messages.success(request, _("You left “%(name)s”.") % {"name": collection.name})
    return redirect("collection-list")


def collection_page(
    request: HttpRequest,
    collection: Collection,
    *,
    form: CollectionForm | None = None,
    member_form: MemberForm | None = None,
) -> HttpResponse:
    """The page as it is, or with what was wrong in the form that was sent."""
    user = signed_in(request)
    context = {
        "collection": collection,
        "usage": usage_of(collection),
        "may_manage": may_manage(user, collection),
        "may_add": Collection.objects.writable_by(user).filter(pk=collection.pk).exists(),
        "memberships": collection.memberships.select_related("user").order_by("user__username"),
        "roles": Role.choices,
        "form": form or CollectionForm({"name": collection.name, "description": collection.description}),
        "member_form": member_form or MemberForm(),
    }
    return render(
        request, "documents/collection_detail.html", context, status=400 if form or member_form else 200
    )


def membership(collection: Collection, username: str) -> Membership:
    return get_object_or_404(collection.memberships.select_related("user"), user__username=username)


def visible_collection(user: User, slug: str) -> Collection:
    return get_object_or_404(Collection.objects.visible_to(user).select_related("owner"), slug=slug)


def manageable_collection(user: User, slug: str) -> Collection:
    collection = visible_collection(user, slug)
    if not may_manage(user, collection):
        raise PermissionDenied(_("Your role in this collection does not allow that."))
    return collection


def may_manage(user: User, collection: Collection) -> bool:
    return Collection.objects.manageable_by(user).filter(pk=collection.pk).exists()
