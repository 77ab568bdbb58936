"""What people fill in about documents and collections."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from documents import uploads
from documents.models import Collection, Role
from documents.parsing.registry import NAMES


def kind_choices() -> list[tuple[str, Any]]:
    return [(kind, _(name)) for kind, name in NAMES.items()]


def split_tags(text: str) -> list[str]:
    return [tag for tag in (part.strip() for part in text.split(",")) if tag]


def readable_title(text: str) -> str:
    """As it will be stored. A title of nothing but invisible characters is none."""
    title = uploads.clean_title(text)
    if not title:
        raise forms.ValidationError(_("A title needs a character that can be seen."))
    return title


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """One file input, any number of files."""

    widget = ManyFilesInput

    def clean(self, value: Any, initial: Any = None) -> Any:
        uploads = value if isinstance(value, (list, tuple)) else [value]
        # An empty file gets its own refusal from the service, with a better sentence.
        return [upload for upload in uploads if isinstance(upload, UploadedFile)] or super().clean(None)


class UploadForm(forms.Form):
    file = ManyFilesField(label=_("Files"))
    collection = forms.ModelChoiceField(
        queryset=Collection.objects.none(), to_field_name="slug", required=False, label=_("Collection")
    )
    tags = forms.CharField(required=False, max_length=500, label=_("Tags"))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = cast(forms.ModelChoiceField, self.fields["collection"])
        chosen.queryset = Collection.objects.writable_by(user)


def collection_label(collection: Collection) -> Any:
    return _("Private (only you)") if collection.is_private else collection.name


class CollectionForm(forms.Form):
    name = forms.CharField(max_length=120, label=_("Name"))
    description = forms.CharField(
        required=False, max_length=2000, label=_("Description"), widget=forms.Textarea(attrs={"rows": 3})
    )


class MemberForm(forms.Form):
    """A person, by user name, and the role they are to have."""

    username = forms.CharField(max_length=150, label=_("User name"))
    role = forms.ChoiceField(choices=Role.choices, label=_("Role"))

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        self.user = get_user_model().objects.filter(username=name, is_active=True).first()
        if self.user is None:
            raise forms.ValidationError(
                _("There is no user of that name. New users are made in the administration.")
            )
        return name
