"""The account page: API tokens and the password."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import PasswordChangeView
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from documents.views import signed_in
from portal.accounts import services
from portal.accounts.models import ApiToken


class TokenForm(forms.Form):
    name = forms.CharField(max_length=100, label=gettext_lazy("What it is for"))


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    return account_page(request, TokenForm())


@require_POST
@never_cache
@login_required
def token_create(request: HttpRequest) -> HttpResponse:
    """Answers with the page that shows the secret, this once; it is kept nowhere."""
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


class PasswordChange(SuccessMessageMixin, PasswordChangeView):
    template_name = "accounts/password_change.html"
    success_url = reverse_lazy("account")
    success_message = gettext_lazy("Your password was changed.")


def account_page(
    request: HttpRequest, form: TokenForm, *, token: ApiToken | None = None, secret: str = ""
) -> HttpResponse:
    tokens = ApiToken.objects.filter(user=signed_in(request))
    context = {"tokens": tokens, "form": form, "new_token": token, "secret": secret}
    return render(request, "accounts/account.html", context)
