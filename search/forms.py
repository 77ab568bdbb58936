"""What people fill in to search and to ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from documents.forms import collection_label, kind_choices
from documents.models import TITLE_LENGTH, Collection, Document
from search.answers import QUESTION_LENGTH
from search.conversations import TITLE_LENGTH as CONVERSATION_TITLE_LENGTH
from search.exceptions import BadRequest
from search.models import Feedback
from search.narrowing import filters_of, passages_of_one
from search.query import period
from search.serializers import LARGEST_LIMIT
from search.types import Mode, SearchRequest

QUERY_LENGTH = 1000
#: Results until somebody asks for more.
RESULTS = 10

MODES = [("hybrid", _("Best of both")), ("vector", _("Meaning")), ("keyword", _("Exact words"))]


class PeriodField(forms.CharField):
    """A year, month or day, as in ``before:`` and ``after:``: its first day and the first day after it."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return period(text) if text else None
        except BadRequest as error:
            raise forms.ValidationError(str(error)) from error


class SearchForm(forms.Form):
    """A search as it stands in an address: the parameters have the names that they have in the API."""

    q = forms.CharField(required=False, max_length=QUERY_LENGTH, label=_("Search"))
    mode = forms.ChoiceField(
        required=False, choices=MODES, label=_("Look for"), widget=forms.RadioSelect, initial="hybrid"
    )
    collection = forms.ChoiceField(required=False, label=_("Collection"))
    type = forms.ChoiceField(required=False, label=_("Type"))
    tag = forms.CharField(required=False, max_length=50, label=_("Tag"))
    title = forms.CharField(required=False, max_length=TITLE_LENGTH, label=_("Title"))
    before = PeriodField(required=False, max_length=10, label=_("Before"))
    after = PeriodField(required=False, max_length=10, label=_("After"))
    document = forms.UUIDField(required=False, label=_("Document"))
    per_document = forms.IntegerField(required=False, min_value=0, max_value=100)
    limit = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_LIMIT)

    #: What is kept in the address, but has no field on the page.
    UNSEEN = ("title", "before", "after", "document", "per_document")
    NARROWING: tuple[str, ...] = ("collection", "type", "tag", "title", "before", "after", "document")

    def __init__(self, *args: Any, collections: Iterable[Collection], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "search-%s"
        named = [(collection.slug, collection_label(collection)) for collection in collections]
        cast(forms.ChoiceField, self.fields["collection"]).choices = [("", _("All collections")), *named]
        cast(forms.ChoiceField, self.fields["type"]).choices = [("", _("Any type")), *kind_choices()]

    def kept(self) -> list[tuple[str, str]]:
        """For hidden fields: what was given of what has no field."""
        return [(name, self.data[name]) for name in self.UNSEEN if self.data.get(name)]

    def request(self) -> SearchRequest | None:
        """What to search for; None when there is nothing to look for. Filters alone are something."""
        if not self.is_valid() or not any(self.cleaned_data[name] for name in ("q", *self.NARROWING)):
            return None
        given = self.cleaned_data
        return SearchRequest(
            query=given["q"],
            mode=cast(Mode, given["mode"] or "hybrid"),
            filters=filters_of(self.listed(), self.documents()),
            limit=given["limit"] or RESULTS,
            per_document=passages_of_one(given["per_document"], self.documents()),
        )

    def documents(self) -> tuple[UUID, ...]:
        return (self.cleaned_data["document"],) if self.cleaned_data["document"] else ()

    def listed(self) -> dict[str, Any]:
        """As the API has them, which takes several of each."""
        given = self.cleaned_data
        names = ("collection", "type", "tag", "title")
        several = {name: [given[name]] if given[name] else [] for name in names}
        return {**several, "before": given["before"], "after": given["after"]}


class WhyForm(SearchForm):
    """A search, and the document that it should have found; ``find`` looks for one by its title."""

    #: The document does not narrow the search, and is nothing to look for.
    NARROWING = tuple(name for name in SearchForm.NARROWING if name != "document")

    find = forms.CharField(required=False, max_length=TITLE_LENGTH, label=_("Title of the document"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["as"] = forms.CharField(required=False, max_length=150, label=_("As the user"))

    def documents(self) -> tuple[UUID, ...]:
        return ()


class AskForm(forms.Form):
    """A question, what it is narrowed to, and the conversation that it goes on with."""

    question = forms.CharField(max_length=QUESTION_LENGTH, strip=True, label=_("Question"))
    conversation = forms.UUIDField(required=False)
    collections = forms.ModelMultipleChoiceField(
        queryset=Collection.objects.none(), to_field_name="slug", required=False, label=_("Look in")
    )
    documents = forms.ModelMultipleChoiceField(
        queryset=Document.objects.none(), required=False, label=_("Documents")
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = cast(forms.ModelMultipleChoiceField, self.fields["collections"])
        offered.queryset = Collection.objects.visible_to(user)
        titled = cast(forms.ModelMultipleChoiceField, self.fields["documents"])
        titled.queryset = Document.objects.visible_to(user)


class FeedbackForm(forms.Form):
    rating = forms.TypedChoiceField(choices=[("1", _("helpful")), ("-1", _("not helpful"))], coerce=int)
    category = forms.ChoiceField(choices=Feedback.Category, required=False)
    reason = forms.CharField(required=False, max_length=2000)


class RenameForm(forms.Form):
    title = forms.CharField(max_length=CONVERSATION_TITLE_LENGTH, label=_("Title"))
