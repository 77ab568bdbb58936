"""The button that adds the sample documents, and the one that removes them."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from documents import services
from documents.exceptions import StorageFull
from documents.told import told
from documents.views import signed_in


@require_POST
@login_required
def samples_add(request: HttpRequest) -> HttpResponse:
    try:
        added = services.samples_add(user=signed_in(request))
    except StorageFull as error:
        messages.error(request, told(str(error)))
        return redirect("home")
    text = ngettext("%(count)s sample document was added.", "%(count)s sample documents were added.", added)
    said = text % {"count": added} if added else _("The sample documents are here already.")
    messages.success(request, said)
    return redirect("home")


@require_POST
@login_required
def samples_remove(request: HttpRequest) -> HttpResponse:
    """They can be had again at any time, so nobody is asked whether they are sure."""
    removed = services.samples_remove(user=signed_in(request))
    text = ngettext(
        "%(count)s sample document was removed.", "%(count)s sample documents were removed.", removed
    )
    messages.success(request, text % {"count": removed}, extra_tags=f"undo:{reverse('samples-add')}")
    return redirect("home")
