"""The account page: API tokens, light or dark, the password, one's own conversations; and signing out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LogoutView, PasswordChangeView
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from documents.views import signed_in
from portal.accounts import services
from portal.accounts.models import ApiToken
from search import conversations
from search.models import Conversation

THEMES = ("light", "dark")
YEAR_SECONDS = 365 * 24 * 60 * 60


class TokenForm(forms.Form):
    name = forms.CharField(max_length=100, label=gettext_lazy("What it is for"))


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    return account_page(request, TokenForm())


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def token_create(request: HttpRequest) -> HttpResponse:
    """Answers with the page that shows the secret, this once; it is kept nowhere."""
    if request.method != "POST":  # that page's address, opened again
        return redirect("account")
    form = TokenForm(request.POST)
    if not form.is_valid():
        return account_page(request, form)
    token, secret = services.token_create(user=signed_in(request), name=form.cleaned_data["name"])
    return account_page(request, TokenForm(), token=token, secret=secret)


@require_POST
@login_required
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=pk, user=signed_in(request))
    services.token_revoke(token=token)
    messages.success(request, _("The token was revoked."))
    return redirect("account")


@require_POST
@login_required
def conversations_delete(request: HttpRequest) -> HttpResponse:
    count = conversations.conversations_delete(user=signed_in(request))
    text = ngettext("%(count)s conversation was deleted.", "%(count)s conversations were deleted.", count)
    messages.success(request, text % {"count": count})
    return redirect("account")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keeps the choice in a cookie, as ``theme.js`` does by itself; anybody may choose, signed in or not."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    response = redirect(wanted if ours else "home")
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=YEAR_SECONDS, samesite="Lax", secure=settings.HTTPS_ONLY)
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response


class SignOut(LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().post(request, *args, **kwargs)
        messages.success(request, _("You are signed out."))
        return response


class PasswordChange(SuccessMessageMixin, PasswordChangeView):
    template_name = "accounts/password_change.html"
    success_url = reverse_lazy("account")
    success_message = gettext_lazy("Your password was changed.")


def account_page(
    request: HttpRequest, form: TokenForm, *, token: ApiToken | None = None, secret: str = ""
) -> HttpResponse:
    user = signed_in(request)
    context = {
        "tokens": ApiToken.objects.filter(user=user),
        "form": form,
        "new_token": token,
        "secret": secret,
        "conversations": Conversation.objects.visible_to(user).count(),
    }
    return render(request, "accounts/account.html", context, status=400 if form.errors else 200)
