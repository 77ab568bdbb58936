"""What is edited in place on the page of a document: one small form for each field.

``initial_of`` is what the form would send for the present value: an undo posts just that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf.locale import LANG_INFO
from django.core.exceptions import ValidationError
from django.db.models import F, Func, QuerySet
from django.utils.translation import gettext_lazy as _

from documents import services
from documents.exceptions import AlreadyThere
from documents.forms import collection_label, readable_title, split_tags
from documents.models import TITLE_LENGTH, Collection, Document
from documents.templatetags.document_words import language_name

if TYPE_CHECKING:
    from django.contrib.auth.models import User

DETAILS = 30
SUGGESTED_TAGS = 200
NAME_LENGTH, VALUE_LENGTH = 60, 500


class FieldForm(forms.Form):
    """The form of one field of ``document``, for ``user``."""

    name: ClassVar[str]
    label: ClassVar[Any]

    def __init__(self, *args: Any, document: Document, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "field-%s", **kwargs})
        self.document, self.user = document, user
        if not self.is_bound:
            self.initial = self.initial_of(document)

    @staticmethod
    def initial_of(document: Document) -> dict[str, Any]:
        raise NotImplementedError

    def apply(self) -> None:
        """Write the change. Raises ``DocumentError``."""
        raise NotImplementedError


class TitleForm(FieldForm):
    name, label = "title", _("Title")
    title = forms.CharField(
        max_length=TITLE_LENGTH,
        label=label,
        help_text=_("A new title is part of every passage, so the document is read again."),
    )

    @staticmethod
    def initial_of(document: Document) -> dict[str, Any]:
        return {"title": document.title}

    def clean_title(self) -> str:
        return readable_title(self.cleaned_data["title"])

    def apply(self) -> None:
        services.document_update(document=self.document, user=self.user, title=self.cleaned_data["title"])


class TagsForm(FieldForm):
    """Those that it has, to be unticked, and a box for more."""

    name, label = "tags", _("Tags")
    tags = forms.MultipleChoiceField(
        required=False, label=label, widget=forms.CheckboxSelectMultiple, choices=()
    )
    more = forms.CharField(
        required=False, max_length=500, label=_("Add tags"), help_text=_("Several are separated by commas.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # An undo brings back what was there before, so what is given need not be there now.
        given = self.data.getlist("tags") if self.is_bound else []  # type: ignore[attr-defined]
        held = dict.fromkeys([*self.document.tags, *given])
        self.fields["tags"].choices = [(tag, tag) for tag in held]  # type: ignore[attr-defined]
        self.fields["more"].widget.attrs["list"] = "tags-in-use"

    @staticmethod
    def initial_of(document: Document) -> dict[str, Any]:
        return {"tags": document.tags}

    @property
    def suggestions(self) -> list[str]:
        """Tags of other documents, for the box."""
        used = tags_of(Document.objects.visible_to(self.user))
        return [tag for tag in used if tag not in self.document.tags]

    def apply(self) -> None:
        tags = [*self.cleaned_data["tags"], *split_tags(self.cleaned_data["more"])]
        services.document_update(document=self.document, user=self.user, tags=tags)


class CollectionForm(FieldForm):
    name, label = "collection", _("Collection")
    collection = forms.ModelChoiceField(
        queryset=Collection.objects.none(),
        to_field_name="slug",
        empty_label=None,
        label=label,
        help_text=_("Who can see the collection can see the document."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen: Any = self.fields["collection"]
        chosen.queryset = Collection.objects.writable_by(self.user)
        chosen.label_from_instance = collection_label

    @staticmethod
    def initial_of(document: Document) -> dict[str, Any]:
        return {"collection": document.collection.slug}

    def apply(self) -> None:
        to = self.cleaned_data["collection"]
        services.document_update(document=self.document, user=self.user, collection=to)


class DateForm(FieldForm):
    name, label = "dated", _("Date")
    dated = forms.DateField(
        required=False,
        label=label,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        help_text=_("The day that the document bears."),
    )

    @staticmethod
    def initial_of(document: Document) -> dict[str, Any]:
        return {"dated": document.dated.isoformat() if document.dated else ""}

    def apply(self) -> None:
        services.document_set_date(document=self.document, user=self.user, dated=self.cleaned_data["dated"])


class LanguageForm(FieldForm):
    name, label = "language", _("Language")
    language = forms.ChoiceField(
        required=False, label=label, help_text=_("By it the words of the document are found.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        codes = {code for code in LANG_INFO if len(code) == 2} | {"zh", self.document.language} - {""}
        named = sorted(((code, language_name(code)) for code in codes), key=lambda pair: pair[1])
        self.fields["language"].choices = [("", _("not known")), *named]  # type: ignore[attr-defined]

    @staticmethod
    def initial_of(document: Document) -> dict[str, Any]:
        return {"language": document.language}

    def apply(self) -> None:
        services.document_set_language(
            document=self.document, user=self.user, language=self.cleaned_data["language"]
        )


class DetailsForm(FieldForm):
    """Names and values of one's own, one pair a line: it needs no script to add a row."""

    name, label = "details", _("Details")
    details = forms.CharField(
        required=False,
        label=label,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("One in each line, as “Name: value”."),
    )

    @staticmethod
    def initial_of(document: Document) -> dict[str, Any]:
        held = document.metadata.get("details", {})
        return {"details": "\n".join(f"{name}: {value}" for name, value in held.items())}

    def clean_details(self) -> dict[str, str]:
        lines = [line.strip() for line in self.cleaned_data["details"].splitlines()]
        details = dict(pair_in(line) for line in lines if line)
        if len(details) > DETAILS:
            raise ValidationError(_("At most %(most)s details."), params={"most": DETAILS})
        return details

    def apply(self) -> None:
        services.document_set_details(
            document=self.document, user=self.user, details=self.cleaned_data["details"]
        )


def pair_in(line: str) -> tuple[str, str]:
    name, colon, value = (part.strip() for part in line.partition(":"))
    if not (colon and name and value):
        raise ValidationError(_("“%(line)s” is not of the form “Name: value”."), params={"line": line[:80]})
    if len(name) > NAME_LENGTH or len(value) > VALUE_LENGTH:
        raise ValidationError(
            _("A name has at most %(name)s characters and a value %(value)s."),
            params={"name": NAME_LENGTH, "value": VALUE_LENGTH},
        )
    return name, value


FORMS: dict[str, type[FieldForm]] = {
    form.name: form for form in (TitleForm, TagsForm, CollectionForm, DateForm, LanguageForm, DetailsForm)
}


def applied(form: FieldForm) -> bool:
    """Whether the change was valid and is made; else the form says at its field why not."""
    if not form.is_valid():
        return False
    try:
        form.apply()
    except AlreadyThere as error:
        form.add_error(form.name, str(error))
        return False
    return True


def tags_of(documents: QuerySet[Document]) -> list[str]:
    """Tags in use, to choose from."""
    named = documents.order_by().annotate(tag=Func(F("tags"), function="unnest"))
    return list(named.values_list("tag", flat=True).distinct().order_by("tag")[:SUGGESTED_TAGS])
