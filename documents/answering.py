"""What a page's form is answered with: a notice, with Undo where there is one, and the page it was on."""

from __future__ import annotations

import json
from typing import Any, Literal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

Tone = Literal["plain", "good", "bad"]


def answer(request: HttpRequest, text: str = "", *, tone: Tone = "good", undo: str = "") -> HttpResponse:
    """To the page that the form was on, if it says so and is ours. htmx stays there and renews the list.

    ``undo`` is the address that takes back what was done.
    """
    if "HX-Request" in request.headers:
        way_back = {"undo": {"url": undo, "fields": {}}} if undo else {}
        # On the body: the row that asked may be gone from the page before the answer comes.
        news: dict[str, Any] = {"documents:changed": {"target": "body"}}
        if text:
            news["toast"] = {"text": text, "tone": tone, "target": "body", **way_back}
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(news)})
    if text:
        level = messages.ERROR if tone == "bad" else messages.SUCCESS
        messages.add_message(request, level, text, extra_tags=f"undo:{undo}" if undo else "")
    return redirect(next_page(request))


def next_page(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if ours else "document-list"
