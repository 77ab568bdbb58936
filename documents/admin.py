"""The portal's administration of collections and documents.

Staff are curators: they work on the collections they manage. Only a superuser sees all of them, and
only here. Whatever is changed goes through the same services as everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Count, ForeignKey, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from documents import services, uploads
from documents.curation import CuratedAdmin, ReadOnlyAdmin, curator
from documents.exceptions import DocumentError
from documents.forms import readable_title, split_tags
from documents.models import Chunk, Collection, Document, EmbeddingSpace, Membership
from documents.services.attached import tree_of
from documents.templatetags.document_words import kind_name, language_name, percent
from documents.told import told


class MembershipForm(forms.ModelForm):
    """Another person is another membership: the one who is in is removed, never exchanged."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].disabled = self.instance.pk is not None

    def clean_user(self) -> User:
        user: User = self.cleaned_data["user"]
        collection: Collection = self.instance.collection
        if collection.is_private:
            raise ValidationError(_("A private collection has no members."))
        if user.pk == collection.owner_id:
            raise ValidationError(_("The owner has every right already."))
        return user


class MembershipInline(admin.TabularInline):
    """Who is in; the permissions are those of the collection."""

    model = Membership
    form = MembershipForm
    extra = 0
    autocomplete_fields = ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return curator(request)

    has_add_permission = has_change_permission = has_delete_permission = has_view_permission


@admin.register(Collection)
class CollectionAdmin(CuratedAdmin):
    list_display = ("name", "slug", "owner", "is_private", "documents_count", "members_count")
    list_filter = ("is_private",)
    list_select_related = ("owner",)
    search_fields = ("name", "slug", "owner__username")
    fields = ("name", "slug", "description", "owner")
    facts = ("is_private", "corpus_version", "created_at")
    inlines = (MembershipInline,)

    def managed(self, request: HttpRequest) -> QuerySet[Any]:
        return Collection.objects.manageable_by(request.user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return (
            super()
            .get_queryset(request)
            .filter(bin_of=None)
            .annotate(
                documents_total=Count("documents", distinct=True),
                members_total=Count("memberships", distinct=True),
            )
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.facts, "slug", "owner") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.fields, *self.facts) if obj else self.fields

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None or obj.is_private else self.inlines

    @admin.display(description=_("documents"), ordering="documents_total")
    def documents_count(self, collection: Any) -> int:
        return int(collection.documents_total)

    @admin.display(description=_("members"), ordering="members_total")
    def members_count(self, collection: Any) -> int:
        return int(collection.members_total)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        """A curator makes collections of their own; only a superuser makes them for others."""
        if db_field.name == "owner":
            kwargs["initial"] = request.user.pk
            if not request.user.is_superuser:
                kwargs["queryset"] = User.objects.filter(username=request.user.get_username())
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and (obj.is_private or obj.documents.exists()):
            return False
        return super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.collection_delete(collection=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for collection in queryset:
            try:
                services.collection_delete(collection=collection)
            except ValidationError as error:
                self.message_user(request, f"{collection}: {' '.join(error.messages)}", messages.ERROR)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for membership in formset.save(commit=False):
            services.membership_set(
                collection=membership.collection, user=membership.user, role=membership.role
            )
        for membership in formset.deleted_objects:
            services.membership_remove(collection=membership.collection, user=membership.user)


class DocumentForm(forms.ModelForm):
    """To upload: a file, its collection, a title if it should not be the file's, tags."""

    upload = forms.FileField(label=_("File"))
    title = forms.CharField(required=False, max_length=300, help_text=_("Empty: taken from the file."))
    tags = forms.CharField(required=False, max_length=1000, help_text=_("Separated by commas."))

    class Meta:
        model = Document
        fields = ("upload", "collection", "title", "tags")

    def clean_upload(self) -> Any:
        upload = self.cleaned_data["upload"]
        try:
            uploads.checked_digest(upload)
            uploads.described(upload)
        except DocumentError as error:
            raise ValidationError(told(str(error))) from error
        return upload

    def clean_tags(self) -> list[str]:
        return split_tags(self.cleaned_data["tags"])


class DocumentChangeForm(forms.ModelForm):
    tags = forms.CharField(required=False, max_length=1000, help_text=_("Separated by commas."))

    class Meta:
        model = Document
        fields = ("title", "tags", "collection")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["tags"] = ", ".join(self.instance.tags)

    def clean_title(self) -> str:
        return readable_title(self.cleaned_data["title"])

    def clean_tags(self) -> list[str]:
        return split_tags(self.cleaned_data["tags"])

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        collection = given.get("collection")
        twins = Document.objects.filter(sha256=self.instance.sha256).exclude(pk=self.instance.pk)
        if collection is not None and twins.filter(collection=collection).exists():
            raise ValidationError(_("That collection already holds a document with the same content."))
        return given


class ValuesInWords(admin.AllValuesFieldListFilter):
    """The values that occur in the column, called by ``words``."""

    words: Callable[[str], str]

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            value = choice["display"]
            words = self.words(value) if isinstance(value, str) and value else value
            yield {**choice, "display": words or _("not known")}


class KindFilter(ValuesInWords):
    words = staticmethod(kind_name)


class LanguageFilter(ValuesInWords):
    words = staticmethod(language_name)


@admin.register(Document)
class DocumentAdmin(CuratedAdmin):
    list_display = (*("title", "collection", "type", "page_count", "status", "quality", "created_at"),)
    list_filter = (
        *("status", "quality", ("language", LanguageFilter), ("kind", KindFilter)),
        ("collection", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("collection",)
    search_fields = ("title", "filename", "sha256", "source")
    date_hierarchy = "created_at"
    actions = ("reindex", "retry_failed", "cancel")
    list_per_page = 50
    show_full_result_count = False

    FACTS = (
        *("status", "reason", "notice", "quality", "characters_per_page", "blank_pages", "garbled_text"),
        *("spoken", "page_count", "chunk_count", "stage", "percent", "stage_done", "stage_total", "tries"),
        *("interruptions", "content_version", "id", "filename", "source", "kind", "media_type", "size"),
        *("sha256", "metadata", "uploaded_by", "created_at", "updated_at", "indexed_at"),
    )

    def managed(self, request: HttpRequest) -> QuerySet[Any]:
        return Document.objects.manageable_by(request.user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(binned_at=None).defer("error_detail", "metadata")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = DocumentChangeForm if obj else DocumentForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("upload", "collection", "title", "tags")
        return ("title", "tags", "collection", *self.get_readonly_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return (*self.FACTS, "traceback") if request.user.is_superuser else self.FACTS

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """“View on site” is for those alone who see the document on its page: a superuser may not."""
        page: Any = super().render_change_form(request, context, *args, **kwargs)
        if document := kwargs.get("obj"):
            seen = Document.objects.visible_to(request.user)
            page.context_data["has_absolute_url"] = seen.filter(pk=document.pk).exists()
        return page

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "collection":
            shared = Collection.objects.but_bins()
            user = request.user
            kwargs["queryset"] = shared if user.is_superuser else Collection.objects.manageable_by(user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        if change:
            changes = {name: given[name] for name in form.changed_data}
            services.document_update(document=obj, user=cast(User, request.user), **changes)
            return
        accepted = services.document_create(
            user=request.user,  # type: ignore[arg-type]
            collection=given["collection"],
            upload=given["upload"],
            title=given["title"],
            tags=given["tags"],
        )
        obj.pk, obj.title, obj.is_duplicate = (
            accepted.document.pk,
            accepted.document.title,
            accepted.duplicate,
        )

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing was added when the collection had the file already."""
        return None if obj.is_duplicate else super().log_addition(request, obj, message)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        if not obj.is_duplicate:
            return super().response_add(request, obj, post_url_continue)
        address = reverse("admin:documents_document_change", args=[obj.pk])
        text = _("The collection had this file already, as “{}”. Nothing was added.")
        self.message_user(request, format_html(str(text), obj.title), messages.WARNING)
        return redirect(address)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing: ``save_model`` has left it all to the services."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.document_delete(document=obj, user=cast(User, request.user))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for document in queryset:
            services.document_delete(document=document, user=cast(User, request.user))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Counts what goes, attachments that came along too, instead of asking leave for every passage."""
        ids = set[UUID]().union(*(tree_of(document.pk) for document in objs))
        rows = Document.objects.filter(pk__in=ids)
        chunks = Chunk.objects.filter(document__in=ids).count()
        pages = rows.aggregate(pages=Sum("page_count"))["pages"] or 0
        counts = {str(_("documents")): len(ids), str(_("pages")): pages, str(_("passages")): chunks}
        return [document.title for document in rows.only("title")], counts, set(), []

    @admin.action(description=_("Read and index again"))
    def reindex(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for document in queryset:
            services.document_reindex(document=document, user=cast(User, request.user))
        self.message_user(request, _("Queued: the old passages serve until the new ones are in."))

    @admin.action(description=_("Try failed ones again"))
    def retry_failed(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        chosen = Document.objects.filter(pk__in=queryset)
        count = services.documents_retry(documents=chosen, user=cast(User, request.user))
        text = ngettext("%(count)s document is tried again.", "%(count)s documents are tried again.", count)
        self.message_user(request, text % {"count": count})

    @admin.action(description=_("Cancel what is on its way"))
    def cancel(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for document in queryset:
            services.document_cancel(document=document, user=cast(User, request.user))

    @admin.display(description=_("type"), ordering="kind")
    def type(self, document: Document) -> str:
        return kind_name(document.kind)

    @admin.display(description=_("language"), ordering="language", empty_value="–")
    def spoken(self, document: Document) -> str:
        return language_name(document.language) if document.language else ""

    @admin.display(description=_("blank pages"))
    def blank_pages(self, document: Document) -> str:
        return percent(document.blank_share)

    @admin.display(description=_("garbled text"))
    def garbled_text(self, document: Document) -> str:
        return percent(document.garbled_share)

    @admin.display(description=_("error in detail"), empty_value="–")
    def traceback(self, document: Document) -> SafeString | str:
        return format_html("<pre>{}</pre>", document.error_detail) if document.error_detail else ""


@admin.register(Chunk)
class ChunkAdmin(ReadOnlyAdmin):
    list_display = ("id", "document", "ordinal", "page_start", "token_count", "beginning")
    list_select_related = ("document",)
    search_fields = ("document__title", "=document__id")
    show_full_result_count = False
    exclude = ("context",)

    def managed(self, request: HttpRequest) -> QuerySet[Any]:
        collections = Collection.objects.manageable_by(request.user).values("pk")
        return Chunk.objects.filter(collection__in=collections)

    @admin.display(description=_("text"))
    def beginning(self, chunk: Chunk) -> str:
        return chunk.text[:120]


@admin.register(EmbeddingSpace)
class EmbeddingSpaceAdmin(ReadOnlyAdmin):
    """Spaces are made, switched and retired by commands; here they can be seen."""

    list_display = ("model", "dimensions", "state", "revision", "created_at")
    list_filter = ("state",)
    search_fields = ("model",)
