"""Golden questions in the admin: curators keep, import, export and ask those of collections they manage."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Generator
from typing import IO, Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.handlers.asgi import ASGIRequest
from django.db.models import Count, Exists, ForeignKey, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from documents.curation import CuratedAdmin, ReadOnlyAdmin, curator
from documents.downloads import BLOCK, in_thread
from documents.models import Collection
from documents.told import told
from search import golden, golden_files
from search.exceptions import SearchError
from search.golden_chart import charts_of
from search.models import GoldenQuestion, GoldenRun, Tuning
from search.querysets import expected_here
from search.questions import SHOWN_PROBLEMS, QuestionsRefused

WITH_PAGE = re.compile(r"(?P<name>.+?)(?:,\s*p\.?\s*(?P<page>\d{1,6}))?")
LIST = "admin:search_goldenquestion_changelist"
EXCHANGE = "admin:search_goldenquestion_exchange"


def managed_collections(request: HttpRequest) -> QuerySet[Collection]:
    if not curator(request):
        raise PermissionDenied
    everything: QuerySet[Collection] = Collection.objects.but_bins()
    return everything if request.user.is_superuser else Collection.objects.manageable_by(request.user)


# --- Questions ------------------------------------------------------------------------------


class GoldenQuestionForm(forms.ModelForm):
    """The expected documents as lines, by the names of their files."""

    expected = forms.CharField(
        label=_("Expected documents"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}),
        help_text=_(
            "One a line: a file name of the collection, and a page when it is known: report.pdf, p. 12"
        ),
    )

    class Meta:
        model = GoldenQuestion
        fields = ("collection", "question", "answer", "answerable")
        widgets = {
            "question": forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
            "answer": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and not self.instance._state.adding:
            corpus = golden_files.Corpus(self.instance.collection)
            rows = self.instance.expected.select_related("document")
            here = [row for row in rows if row.document.collection_id == self.instance.collection_id]
            self.initial["expected"] = "\n".join(
                corpus.name_of(row.document) + (f", p. {row.page}" if row.page else "") for row in here
            )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        collection = given.get("collection") or getattr(self.instance, "collection", None)
        if collection is None:
            return given
        if self.is_known(collection, given.get("question", "")):
            self.add_error("question", _("The collection has this question already."))
        try:
            given["expected"] = self.documents_in(collection, given.get("expected", ""))
            golden.check_expected(collection, given["answerable"], given["expected"])
            if given["answerable"] and not given["expected"]:
                raise ValidationError(_("Name a document that answers it, or say that nothing does."))
        except ValidationError as error:
            self.add_error("expected", error)
        return given

    def is_known(self, collection: Collection, question: str) -> bool:
        """Imported questions are told apart by their ids, those that are written by their words."""
        if self.instance.origin:
            return False
        alike = collection.golden_questions.filter(origin="", question=" ".join(question.split()))
        return alike.exclude(pk=self.instance.pk).exists()

    @staticmethod
    def documents_in(collection: Collection, text: str) -> golden.Expected:
        corpus = golden_files.Corpus(collection)
        found = []
        for line in filter(None, map(str.strip, text.splitlines())):
            match = WITH_PAGE.fullmatch(line)
            assert match is not None
            page = match["page"]
            found.append((corpus.named(match["name"]), int(page) if page else None))
        return found


class DocumentFilter(admin.SimpleListFilter):
    title = _("document")
    parameter_name = "document"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("there", _("there")), ("without", _("without its document"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "there":
            return cast(Any, queryset).askable()
        return cast(Any, queryset).without_document() if self.value() == "without" else queryset


@admin.register(GoldenQuestion)
class GoldenQuestionAdmin(CuratedAdmin):
    form = GoldenQuestionForm
    list_display = ("question", "collection", "expects", "standing", "created_by", "created_at")
    list_filter = (("collection", admin.RelatedOnlyFieldListFilter), DocumentFilter, "answerable")
    list_select_related = ("collection", "created_by")
    search_fields = ("question", "answer", "origin")
    list_per_page = 50
    facts = ("origin", "created_by", "created_at")

    def managed(self, request: HttpRequest) -> QuerySet[Any]:
        return GoldenQuestion.objects.manageable_by(request.user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).annotate(here=Exists(expected_here()))
        return rows.prefetch_related("expected__document")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        given = ("collection", "question", "answerable", "expected", "answer")
        return (*given, *self.facts) if obj else given

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("collection", *self.facts) if obj else ()

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "collection":
            kwargs["queryset"] = managed_collections(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        names = ("question", "answer", "answerable", "expected")
        given = {name: form.cleaned_data[name] for name in names}
        if not change:
            obj.created_by = request.user
        golden.question_update(golden=obj, **given)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing: ``save_model`` has left it all to the service."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        golden.question_delete(golden=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for each in queryset:
            golden.question_delete(golden=each)

    @admin.display(description=_("expected documents"))
    def expects(self, question: GoldenQuestion) -> str:
        """Those that are in the collection: what moved away may be in one that this curator does not know."""
        return ", ".join(
            row.document.filename + (f", p. {row.page}" if row.page else "")
            for row in question.expected.all()
            if row.document.collection_id == question.collection_id
        )

    @admin.display(description=_("state"))
    def standing(self, question: Any) -> SafeString | str:
        if not question.answerable:
            return str(_("has no answer"))
        if question.here:
            return str(_("is asked"))
        return format_html('<strong class="golden-lost">{}</strong>', _("without its document"))

    # --- Import, export, ask ---

    def get_urls(self) -> list[URLPattern]:
        name = "search_goldenquestion_{}"
        view = self.admin_site.admin_view
        return [
            path("exchange/", view(self.exchange), name=name.format("exchange")),
            path("export/<int:pk>/", view(require_GET(self.export)), name=name.format("export")),
            path("ask/<int:pk>/", view(require_POST(self.ask)), name=name.format("ask")),
            *super().get_urls(),
        ]

    def exchange(self, request: HttpRequest) -> HttpResponseBase:
        """Every managed collection with what can be done there, and the form of the import."""
        collections = managed_collections(request)
        sent_in = (request.POST, request.FILES) if request.method == "POST" else ()
        form = ImportForm(*sent_in, collections=collections)
        problems: list[str] = []
        if form.is_valid():
            try:
                return self.imported(request, form)
            except QuestionsRefused as error:
                problems = error.problems
        context = {
            **self.admin_site.each_context(request),
            "title": _("Golden questions by collection"),
            "opts": self.opts,
            "form": form,
            "problems": problems[:SHOWN_PROBLEMS],
            "more_problems": max(len(problems) - SHOWN_PROBLEMS, 0),
            "rows": overview(collections),
        }
        return TemplateResponse(request, "admin/search/goldenquestion/exchange.html", context)

    def imported(self, request: HttpRequest, form: ImportForm) -> HttpResponse:
        collection = form.cleaned_data["collection"]
        done = golden_files.import_upload(
            collection=collection, upload=form.cleaned_data["file"].file, user=cast(User, request.user)
        )
        text = _("%(created)s questions are new, %(updated)s were replaced.")
        self.message_user(request, text % {"created": done.created, "updated": done.updated})
        return redirect(f"{reverse(LIST)}?collection__id__exact={collection.pk}")

    def export(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """``questions.jsonl``, or with ``?form=zip`` the evaluation folder."""
        collection = get_object_or_404(managed_collections(request), pk=pk)
        if request.GET.get("form") == "zip":
            file = tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115 - ``sent`` closes it
            golden_files.export_zip(collection=collection, file=file)
            return sent(request, file, f"{collection.slug}.zip")
        raw = golden_files.questions_file(collection)
        disposition = f'attachment; filename="{collection.slug}-{golden_files.QUESTIONS}"'
        return HttpResponse(
            raw, content_type="application/jsonl", headers={"Content-Disposition": disposition}
        )

    def ask(self, request: HttpRequest, pk: int) -> HttpResponse:
        collection = get_object_or_404(managed_collections(request), pk=pk)
        try:
            golden.run_enqueue(collection=collection, why=GoldenRun.Why.DEMAND, user=cast(User, request.user))
        except SearchError as error:
            self.message_user(request, told(str(error)), messages.WARNING)
        else:
            self.message_user(request, _("Queued: a worker asks them after the documents that wait."))
        return redirect(EXCHANGE)


class ImportForm(forms.Form):
    collection = forms.ModelChoiceField(queryset=Collection.objects.none(), label=_("Collection"))
    file = forms.FileField(
        label=_("File"),
        help_text=_(
            "questions.jsonl, or an evaluation folder as a zip file, of which only the questions are read: "
            "upload documents under Documents first. All lines are imported, or none."
        ),
        widget=forms.FileInput(attrs={"accept": ".jsonl,.json,.zip"}),
    )

    def __init__(self, *args: Any, collections: QuerySet[Collection], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ModelChoiceField, self.fields["collection"]).queryset = collections


def overview(collections: QuerySet[Collection]) -> list[dict[str, Any]]:
    """Collections that have questions: how many, how many are without document, and the last run."""
    lost = Q(golden_questions__in=GoldenQuestion.objects.without_document())
    counted = collections.annotate(
        questions=Count("golden_questions", distinct=True),
        lost=Count("golden_questions", filter=lost, distinct=True),
    ).filter(questions__gt=0)
    latest = GoldenRun.objects.latest_of_each().filter(collection__in=[each.pk for each in counted])
    runs = {run.collection_id: run for run in latest}
    return [{"collection": each, "run": runs.get(each.pk)} for each in counted]


def sent(request: HttpRequest, file: IO[bytes], name: str) -> StreamingHttpResponse:
    length = file.tell()
    blocks = blocks_of(file)
    # Under ASGI Django would gather a plain iterator in memory before it sends the first byte.
    content = in_thread(blocks) if isinstance(request, ASGIRequest) else blocks
    response = StreamingHttpResponse(content, content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Length"] = str(length)
    return response


def blocks_of(file: IO[bytes]) -> Generator[bytes]:
    with file:
        file.seek(0)
        while block := file.read(BLOCK):
            yield block


# --- Runs and what was learned ----------------------------------------------------------------


class MeasuredAdmin(ReadOnlyAdmin):
    """Read-only rows of a managed collection, which may be deleted."""

    def managed(self, request: HttpRequest) -> QuerySet[Any]:
        return self.model._default_manager.filter(collection__in=managed_collections(request).values("pk"))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return curator(request)


@admin.register(GoldenRun)
class GoldenRunAdmin(MeasuredAdmin):
    list_display = (
        *("created_at", "collection", "why", "state", "recall_1", "recall_10", "mrr"),
        *("questions", "left_out"),
    )
    list_filter = (("collection", admin.RelatedOnlyFieldListFilter), "why", "state")
    list_select_related = ("collection", "created_by")
    date_hierarchy = "created_at"
    fields = (
        *("collection", "why", "state", "error", "created_at", "created_by", "questions", "left_out"),
        *("seconds", "figures", "produced_by"),
    )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data["charts"] = charts_of(response.context_data["cl"].queryset)
        return response

    @admin.display(description="recall@1")
    def recall_1(self, run: GoldenRun) -> str:
        return figure(run, "recall@1")

    @admin.display(description="recall@10")
    def recall_10(self, run: GoldenRun) -> str:
        return figure(run, "recall@10")

    @admin.display(description="MRR@10")
    def mrr(self, run: GoldenRun) -> str:
        return figure(run, "mrr@10")

    @admin.display(description=_("scores"))
    def figures(self, run: GoldenRun) -> SafeString:
        return as_text(run.scores)

    @admin.display(description=_("settings"))
    def produced_by(self, run: GoldenRun) -> SafeString:
        return as_text(run.settings)


def figure(run: GoldenRun, measure: str) -> str:
    """By page where pages are known, by document otherwise; as the chart."""
    if run.state != GoldenRun.State.DONE:
        return "–"
    level = "page" if run.scores["asked"]["page"] else "document"
    return f"{run.scores[level][measure]:.3f}"


def as_text(value: Any) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))


@admin.register(Tuning)
class TuningAdmin(MeasuredAdmin):
    """What ``manage.py tune`` learned. Deleting it gives the collection the default back."""

    list_display = ("collection", "learned", "questions", "created_at")
    list_select_related = ("collection",)
    fields = ("collection", "parameters", "before", "after", "questions", "created_at")

    @admin.display(description=_("parameters"))
    def learned(self, tuning: Tuning) -> str:
        return str(tuning)
