"""Uploading and waiting from the command line."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from documents import indexing, ingest, tasks
from documents.ingest import Advance, Failure, Found, IngestReport, ingest_paths
from documents.management.commands.ingest import Bars, summary
from documents.models import Attachment, Collection, Document
from documents.parsing.registry import SUPPORTED
from documents.services import document_create

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    (root / "2024" / "may").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "herons.txt").write_text("Words about herons.")
    (root / "2024" / "may" / "boats.md").write_text("# Boats\n\nWords about boats.")
    (root / ".hidden.txt").write_text("Not meant.")
    (root / ".git" / "config.txt").write_text("Not meant.")
    for name in ("~$herons.docx", "boats.txt.part", "film.crdownload", "a.tmp", "a.swp", "Thumbs.db"):
        (root / "2024" / name).write_text("Not meant either.")
    return root


def test_a_folder_is_walked_and_what_is_not_meant_is_passed_over(folder: Path) -> None:
    found = list(ingest.files_in([folder, folder / ".hidden.txt"]))
    assert [file.source for file in found] == ["herons.txt", "2024/may/boats.md", ""]
    assert found[-1] == Found(folder / ".hidden.txt"), "what is named itself is meant"


def test_links_that_lead_out_of_the_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("Not in the folder.")
    (folder / "leak.txt").symlink_to(outside)
    (folder / "parent").symlink_to(tmp_path)
    (folder / "broken.txt").symlink_to(tmp_path / "nowhere")
    (folder / "inside.txt").symlink_to(folder / "herons.txt")
    os.mkfifo(folder / "pipe.txt")
    sources = [file.source for file in ingest.files_in([folder])]
    assert sources == ["herons.txt", "inside.txt", "2024/may/boats.md"]


def test_documents_remember_the_path_inside_the_folder(folder: Path, collection: Collection) -> None:
    report = ingest_paths([folder], user=collection.owner, collection=collection, wait=False)
    assert (report.accepted, report.failed) == (2, [])
    assert set(Document.objects.values_list("source", flat=True)) == {"herons.txt", "2024/may/boats.md"}


def run(*arguments: Any, **options: Any) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("ingest", *arguments, collection="research", stdout=out, **options)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def test_refused_files_make_the_command_fail_and_the_report_is_printed(
    folder: Path, collection: Collection
) -> None:
    (folder / "empty.txt").touch()
    code, printed = run(str(folder), json=True)
    assert code == 1
    report = json.loads(printed)
    assert (report["accepted"], report["ready"], report["duplicates"]) == (2, 0, 0)
    assert report["failed"] == [{"file": str(folder / "empty.txt"), "reason": "The file is empty."}]
    (folder / "empty.txt").unlink()
    code, printed = run(str(folder), json=True)
    assert (code, json.loads(printed)["duplicates"]) == (0, 2)


def test_ctrl_c_ends_with_what_was_done_so_far(
    folder: Path, collection: Collection, monkeypatch: Any
) -> None:
    sent = list[str]()

    def interrupted(**given: Any) -> Any:
        if sent:
            raise KeyboardInterrupt
        sent.append(given["source"])
        return document_create(**given)

    monkeypatch.setattr(ingest, "document_create", interrupted)
    code, printed = run(str(folder), wait=True)
    assert code == 130
    assert printed.startswith("1 accepted: 1 not read yet; 0 refused; 0 duplicates; ")


def test_the_figures_of_the_summary_add_up_and_the_formats_are_named_once() -> None:
    seems = f"This seems to be a program, which is not supported. {SUPPORTED}"
    failed = [Failure("a.exe", seems), Failure("b.exe", seems), Failure("c.pdf", "It is damaged.")]
    done = IngestReport(accepted=26, ready=25, failed=failed, refused=2, duplicates=1, seconds=3.21)
    first, *reasons = summary(done).split("\n")
    assert first == "26 accepted: 25 ready, 1 failed; 2 refused; 1 duplicate; 3.2 s"
    assert reasons == [
        "  a.exe: This seems to be a program, which is not supported.",
        "  b.exe: This seems to be a program, which is not supported.",
        "  c.pdf: It is damaged.",
        SUPPORTED,
    ]
    assert set(done.as_json()) == {"accepted", "ready", "failed", "duplicates", "seconds"}
    assert summary(IngestReport()) == "0 accepted; 0 refused; 0 duplicates; 0.0 s"


def test_a_collection_that_is_made_is_told_of(folder: Path, alice: User) -> None:
    stderr = io.StringIO()
    call_command("ingest", str(folder), collection="new", user="alice", json=True, stderr=stderr)
    assert stderr.getvalue() == "There was no collection 'new'. It was made and belongs to alice.\n"
    assert Document.objects.filter(collection__slug="new", collection__owner=alice).count() == 2
    stderr = io.StringIO()
    call_command("ingest", str(folder), collection="new", json=True, stderr=stderr)
    assert stderr.getvalue() == ""


def test_a_bar_for_sending_and_one_for_reading(capsys: Any) -> None:
    bars = Bars()
    for advance in (
        Advance("sending", 1, 2),
        Advance("sending", 2, 2, failed=1),
        Advance("waiting", 0, 1),
        Advance("waiting", 1, 1),
    ):
        bars(advance)
    bars.close()
    shown = capsys.readouterr()
    assert shown.out == ""
    for part in ("Sending: 100%", "2/2", "1 failed", "Reading: 100%", "1/1"):
        assert part in shown.err


def test_what_is_attached_to_a_mail_is_waited_for(collection: Collection, upload: Any) -> None:
    mail, attached = upload(collection, "A mail."), upload(collection, "Its attachment.")
    Attachment.objects.create(message=mail, document=attached, filename="a.txt")
    names = {mail.pk: "mail.eml"}
    ingest.add_attachments(names)
    assert names == {mail.pk: "mail.eml", attached.pk: ""}


@pytest.mark.django_db(transaction=True)
def test_alone_it_indexes_by_itself(folder: Path, collection: Collection) -> None:
    heard = list[Advance]()
    report = ingest_paths([folder], user=collection.owner, collection=collection, report=heard.append)
    assert (report.accepted, report.ready, report.failed) == (2, 2, [])
    assert heard[-1] == Advance("waiting", 2, 2)
    assert not ingest.a_worker_lives(), "its worker has said goodbye"


@pytest.mark.django_db(transaction=True)
def test_alone_it_ends_a_document_whose_job_always_fails(
    collection: Collection, tmp_path: Path, monkeypatch: Any
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no engine")

    monkeypatch.setattr(indexing, "embed", broken)
    monkeypatch.setattr(tasks, "PAUSE_SECONDS", 1)
    path = tmp_path / "herons.txt"
    path.write_text("Words about herons.")
    report = ingest_paths([path], user=collection.owner, collection=collection)
    assert [failure.reason for failure in report.failed] == [tasks.GAVE_UP]


@pytest.mark.django_db(transaction=True)
def test_ctrl_c_is_heard_while_it_indexes_by_itself(
    folder: Path, collection: Collection, monkeypatch: Any
) -> None:
    """The signal reaches this thread, although a worker runs in another."""

    def report(advance: Advance) -> None:
        if advance.phase == "waiting":
            threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT]).start()
            monkeypatch.setattr(
                ingest, "count_states", lambda names: {"queued": 1, "processing": 0, "failed": 0}
            )

    result = IngestReport()
    # A shell's background jobs are started deaf to it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ingest_paths(
                [folder], user=collection.owner, collection=collection, report=once(report), result=result
            )
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.accepted == 2
    assert not ingest.a_worker_lives()


def once(report: Any) -> Any:
    """``report``, until it has heard of waiting."""
    done = list[None]()

    def heard(advance: Advance) -> None:
        if not done:
            report(advance)
            if advance.phase == "waiting":
                done.append(None)

    return heard
