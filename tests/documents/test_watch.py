"""A watched folder, looked at step by step; and the command, ended by its signal."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from django.db import OperationalError, connection

from documents import watching
from documents.folders import is_meant
from documents.models import Collection, Document
from documents.services import document_create, document_delete, document_fail
from documents.watching import FolderWatch

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "watched"
    made.mkdir()
    return made


@pytest.fixture
def followed(folder: Path, collection: Collection, monkeypatch: Any) -> FolderWatch:
    """A watch in which files are quiet at once."""
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.0)
    return FolderWatch(folder, user=collection.owner, collection=collection)


def step(followed: FolderWatch) -> None:
    followed.compare()
    followed.look()


def sources() -> dict[str, str]:
    """The first words of each document by its source."""
    found = {}
    for document in Document.objects.all():
        with document.file.open() as file:
            found[document.source] = file.read().decode().partition(".")[0]
    return found


def test_what_is_there_is_taken_once(folder: Path, followed: FolderWatch, collection: Collection) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "herons.txt").write_text("Herons.")
    (folder / "deep" / "er" / "boats.txt").write_text("Boats.")
    step(followed)
    assert sources() == {"herons.txt": "Herons", "deep/er/boats.txt": "Boats"}
    again = FolderWatch(folder, user=collection.owner, collection=collection)
    step(again)
    assert Document.objects.count() == 2
    assert set(Document.objects.values_list("content_version", flat=True)) == {1}


def test_a_file_is_taken_when_it_has_stopped_growing(
    folder: Path, followed: FolderWatch, monkeypatch: Any
) -> None:
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.2)
    path = folder / "growing.txt"
    path.write_text("One. ")
    followed.note(path)
    followed.look()
    for _ in range(3):
        time.sleep(0.12)
        with path.open("a") as file:
            file.write("More. ")
        followed.look()
        assert not Document.objects.exists()
    deadline = time.monotonic() + 5
    while not Document.objects.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
        followed.look()
    assert Document.objects.get().size == path.stat().st_size


def test_a_changed_file_replaces_its_document(folder: Path, followed: FolderWatch) -> None:
    path = folder / "note.txt"
    path.write_text("First.")
    step(followed)
    before = Document.objects.get()
    path.write_text("Second, and longer.")
    step(followed)
    after = Document.objects.get()
    assert (after.pk, after.content_version) == (before.pk, 2)
    assert sources() == {"note.txt": "Second, and longer"}


def test_a_moved_file_takes_its_document_along(folder: Path, followed: FolderWatch) -> None:
    path = folder / "note.txt"
    path.write_text("Words.")
    step(followed)
    (folder / "sub").mkdir()
    moved = path.rename(folder / "sub" / "renamed.txt")
    step(followed)
    assert sources() == {"sub/renamed.txt": "Words"}
    moved.rename(path)
    step(followed)
    assert sources() == {"note.txt": "Words"}
    assert Document.objects.get().content_version == 1


def test_a_file_moved_over_another_keeps_both_documents(folder: Path, followed: FolderWatch) -> None:
    (folder / "a.txt").write_text("Of a.")
    (folder / "b.txt").write_text("Of b.")
    step(followed)
    (folder / "a.txt").rename(folder / "b.txt")
    step(followed)
    assert sources() == {"": "Of b", "b.txt": "Of a"}


def test_a_copy_is_no_second_document_until_it_differs(folder: Path, followed: FolderWatch) -> None:
    (folder / "a.txt").write_text("Same.")
    step(followed)
    (folder / "copy.txt").write_text("Same.")
    step(followed)
    assert sources() == {"a.txt": "Same"}
    (folder / "a.txt").write_text("Different now.")
    step(followed)
    step(followed)
    assert sources() == {"a.txt": "Different now", "copy.txt": "Same"}


def test_a_copy_takes_over_when_its_original_is_deleted(folder: Path, followed: FolderWatch) -> None:
    (folder / "a.txt").write_text("Same.")
    step(followed)
    (folder / "copy.txt").write_text("Same.")
    step(followed)
    (folder / "a.txt").unlink()
    step(followed)
    assert sources() == {"copy.txt": "Same"}


def test_a_deleted_file_leaves_its_document_alone(folder: Path, followed: FolderWatch) -> None:
    (folder / "note.txt").write_text("Words.")
    step(followed)
    (folder / "note.txt").unlink()
    step(followed)
    assert sources() == {"note.txt": "Words"}
    (folder / "note.txt").write_text("Other words.")
    step(followed)
    assert sources() == {"note.txt": "Other words"}


def test_a_document_of_the_same_content_that_was_uploaded_before_is_adopted(
    folder: Path, followed: FolderWatch, collection: Collection, upload: Any
) -> None:
    uploaded = upload(collection, "Words.")
    (folder / "note.txt").write_text("Words.")
    step(followed)
    assert Document.objects.get().pk == uploaded.pk
    assert sources() == {"note.txt": "Words"}


def test_other_collections_have_documents_of_their_own(
    folder: Path, followed: FolderWatch, charlie: Any
) -> None:
    from documents.services import collection_create

    (folder / "note.txt").write_text("Words.")
    step(followed)
    step(FolderWatch(folder, user=charlie, collection=collection_create(owner=charlie, name="Other")))
    assert Document.objects.filter(source="note.txt").count() == 2


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("note.txt", True),
        ("deep/note.part.txt", True),
        (".note.txt", False),
        (".git/note.txt", False),
        ("~$report.docx", False),
        ("film.txt.part", False),
        ("film.txt.crdownload", False),
        ("a.TMP", False),
        (".note.txt.swp", False),
        ("note.txt~", False),
        ("deep/Thumbs.db", False),
        ("desktop.ini", False),
        (".DS_Store", False),
        ("my thumbs.db.txt", True),
        ("~$folder/note.txt", True),
        (".", True),
    ],
)
def test_hidden_and_unfinished_files_are_passed_over(name: str, meant: bool) -> None:
    assert is_meant(Path(name)) is meant


def test_hidden_files_and_links_out_of_the_folder_are_not_taken(
    folder: Path, followed: FolderWatch, tmp_path: Path
) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("Secret.")
    (folder / "link.txt").symlink_to(outside)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "note.txt").write_text("Hidden.")
    (folder / "~$note.docx").write_text("Lock.")
    step(followed)
    followed.note(folder / "link.txt")
    followed.note(folder / ".hidden")
    followed.look()
    assert not Document.objects.exists()


def test_a_document_that_could_not_be_read_is_told_once(
    folder: Path, followed: FolderWatch, caplog: Any
) -> None:
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_text(f"Of {name}.")
    step(followed)
    document_fail(document_id=Document.objects.get(source="a.txt").pk, reason="Page 3 is damaged.")
    document_delete(document=Document.objects.get(source="b.txt"), user=None)
    for _ in range(2):
        followed.tell_outcomes()
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert told == ["could not read a.txt: Page 3 is damaged."]
    assert list(followed.sent.values()) == ["c.txt"], "it is still on its way"
    (folder / "a.txt").write_text("Of a, mended.")
    step(followed)
    assert set(followed.sent.values()) == {"a.txt", "c.txt"}


def test_of_a_file_that_is_gone_it_is_told_that_its_document_stays(
    folder: Path, followed: FolderWatch, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "documents.watching")
    for name in ("gone", "moved"):
        (folder / f"{name}.txt").write_text(f"It is {name}.")
    step(followed)
    (folder / "gone.txt").unlink()
    (folder / "moved.txt").rename(folder / "elsewhere.txt")
    followed.compare()
    followed.tell_gone()
    followed.look()
    for _ in range(2):
        followed.tell_gone()
    told = [record.message for record in caplog.records if "stays" in record.message]
    assert told == ["gone.txt is gone; its document stays"]


def test_a_refused_file_is_told_once_and_tried_again_when_it_changes(
    folder: Path, followed: FolderWatch, caplog: Any
) -> None:
    path = folder / "sub.txt"
    path.touch()
    for _ in range(3):
        step(followed)
    refusals = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert refusals == ["refused sub.txt: The file is empty."]
    path.write_text("Words now.")
    step(followed)
    assert sources() == {"sub.txt": "Words now"}


def test_a_name_in_another_encoding_is_no_obstacle(folder: Path, followed: FolderWatch) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/r\xe9sum\xe9.txt")).write_text("Words.")
    step(followed)
    assert sources() == {"r�sum�.txt": "Words"}


def test_a_database_that_is_away_is_waited_for(
    folder: Path, followed: FolderWatch, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setattr(watching, "PATIENCE_SECONDS", 0.0)
    (folder / "a.txt").write_text("Of a.")
    (folder / "b.txt").write_text("Of b.")

    def away(**_: Any) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(watching, "document_create", away)
    for _ in range(3):
        step(followed)
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["the database is away; waiting for it: the connection is closed"]
    monkeypatch.setattr(watching, "document_create", document_create)
    step(followed)
    assert sources() == {"a.txt": "Of a", "b.txt": "Of b"}


def test_a_file_that_is_written_to_while_it_is_read_is_tried_again(
    folder: Path, followed: FolderWatch, monkeypatch: Any
) -> None:
    monkeypatch.setattr(watching, "PATIENCE_SECONDS", 0.0)
    path = folder / "note.txt"
    path.write_text("Before.")
    digest = watching.checked_digest

    def written_to(upload: Any) -> str:
        found = digest(upload)
        if path.read_text() == "Before.":
            path.write_text("After it.")
        return found

    monkeypatch.setattr(watching, "checked_digest", written_to)
    step(followed)
    assert not Document.objects.exists()
    followed.look()
    followed.look()
    assert sources() == {"note.txt": "After it"}
    document = Document.objects.get()
    assert document.size == len("After it.")


def test_what_was_deleted_in_the_portal_stays_away_while_the_watch_runs(
    folder: Path, followed: FolderWatch, collection: Collection
) -> None:
    (folder / "note.txt").write_text("Words.")
    step(followed)
    document_delete(document=Document.objects.get(), user=collection.owner)
    step(followed)
    assert not Document.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_follows_the_folder_and_indexes_alone(
    folder: Path, followed: FolderWatch, collection: Collection
) -> None:
    stop = Event()

    def follow() -> None:
        try:
            followed.run(stop)
        finally:
            connection.close()

    thread = Thread(target=follow)
    (folder / "first.txt").write_text("Words about herons.")
    thread.start()
    try:
        wait_until(lambda: statuses() == {"first.txt": "ready"})
        (folder / "new").mkdir()
        (folder / "new" / "second.txt").write_text("Words about boats.")
        wait_until(lambda: statuses() == {"first.txt": "ready", "new/second.txt": "ready"}, 20)
        (folder / "new").rename(folder / "renamed")
        wait_until(lambda: statuses() == {"first.txt": "ready", "renamed/second.txt": "ready"}, 20)
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    assert sorted(path.name for path in folder.rglob("*.txt")) == ["first.txt", "second.txt"]


def statuses() -> dict[str, str]:
    return dict(Document.objects.values_list("source", "status"))


def wait_until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, statuses()
        time.sleep(0.1)


def test_the_command_ends_cleanly_by_its_signal(folder: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal, threading\n"
        "from documents.management.commands.watch import stop_by_signal\n"
        "from documents.watching import watch\n"
        "stop = stop_by_signal()\n"
        "threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGTERM]).start()\n"
        f"for _ in watch({str(folder)!r}, stop_event=stop, rust_timeout=500, raise_interrupt=False): pass\n"
        "assert stop.is_set(); print('ended')\n"
    )
    script = f"import django; django.setup()\n{code}"
    done = subprocess.run(
        [os.sys.executable, "-c", script],  # type: ignore[attr-defined]
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "ended"), done.stderr
