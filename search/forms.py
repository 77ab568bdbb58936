"""What people fill in to search and to ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from documents.forms import collection_label, kind_choices
from documents.models import Collection
from search.answers import QUESTION_LENGTH
from search.types import Filters, Mode, SearchRequest

MODES = [("hybrid", _("Best of both")), ("vector", _("Meaning")), ("keyword", _("Exact words"))]


class SearchForm(forms.Form):
    q = forms.CharField(required=False, max_length=1000, label=_("Search"))
    mode = forms.ChoiceField(
        required=False, choices=MODES, label=_("Look for"), widget=forms.RadioSelect, initial="hybrid"
    )
    collection = forms.ChoiceField(required=False, label=_("Collection"))
    type = forms.ChoiceField(required=False, label=_("Type"))
    tag = forms.CharField(required=False, max_length=50, label=_("Tag"))

    def __init__(self, *args: Any, collections: Iterable[Collection], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "search-%s"
        named = [(collection.slug, collection_label(collection)) for collection in collections]
        cast(forms.ChoiceField, self.fields["collection"]).choices = [("", _("All collections")), *named]
        cast(forms.ChoiceField, self.fields["type"]).choices = [("", _("Any type")), *kind_choices()]

    def request(self) -> SearchRequest | None:
        """What to search for; None when there is nothing to look for."""
        if not self.is_valid() or not self.cleaned_data["q"]:
            return None
        given = self.cleaned_data
        filters = Filters(
            collections=(given["collection"],) if given["collection"] else (),
            tags=(given["tag"].casefold(),) if given["tag"] else (),
            kinds=(given["type"],) if given["type"] else (),
        )
        return SearchRequest(query=given["q"], mode=cast(Mode, given["mode"] or "hybrid"), filters=filters)


class AskForm(forms.Form):
    """A question, what it is narrowed to, and the conversation that it goes on with."""

    question = forms.CharField(max_length=QUESTION_LENGTH, strip=True, label=_("Question"))
    conversation = forms.UUIDField(required=False)
    collections = forms.ModelMultipleChoiceField(
        queryset=Collection.objects.none(), to_field_name="slug", required=False, label=_("Look in")
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = cast(forms.ModelMultipleChoiceField, self.fields["collections"])
        offered.queryset = Collection.objects.visible_to(user)


class FeedbackForm(forms.Form):
    rating = forms.TypedChoiceField(choices=[("1", _("helpful")), ("-1", _("not helpful"))], coerce=int)
    reason = forms.CharField(required=False, max_length=2000)
