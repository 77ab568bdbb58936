"""Another model beside the one that serves: made, filled, switched to, left again and dropped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection, transaction

from documents import indexing, space_building, space_dropping, spaces
from documents.embedding import registry
from documents.exceptions import EmbeddingUnavailable
from documents.models import Chunk, Collection, Document, Embedding, EmbeddingSpace
from documents.services import collection_create, document_delete, document_update
from documents.space_building import Progress, space_build, space_prepare, space_rollback
from documents.space_dropping import space_drop
from documents.spaces import (
    SpaceRefused,
    VectorsMissing,
    active_space,
    ensure_active_space,
    find_space,
    has_index,
    is_serving,
    missing_vectors,
    searching,
    serving_space,
    space_activate,
)
from tests.documents.small_models import model_files

pytestmark = pytest.mark.django_db(transaction=True)

MakeDocument = Callable[..., Document]
State = EmbeddingSpace.State
DIMENSIONS = 96
#: Each page is a passage of its own.
PAGES = [f"Page {n} tells of heron number {n} and of pump P-{n}." for n in range(1, 41)]
#: What a process keeps, of one engine or of one warning.
KEPT = (registry.get_embedder, registry.get_passage_embedder, spaces.warn_once)
ROOT = Path(__file__).resolve().parents[2]
#: A builder of its own process, slow enough to be killed in the middle.
SLOW_BUILDER = """
import sys, time
from tests import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
import django
django.setup()
from django.conf import settings as project
project.EMBEDDING_ENGINE = "fake"
from documents import space_building
from documents.models import EmbeddingSpace
space_building.STEP = 2
space_building.space_build(
    space=EmbeddingSpace.objects.get(pk=int(sys.argv[2])), share=1.0, report=lambda progress: time.sleep(0.1)
)
"""


@pytest.fixture(autouse=True)
def _fake_engine(settings: Any) -> Iterator[None]:
    settings.EMBEDDING_ENGINE = "fake"
    forget_engines()
    yield
    forget_engines()


def forget_engines() -> None:
    for kept in KEPT:
        kept.cache_clear()


@pytest.fixture
def document(collection: Collection, make_document: MakeDocument) -> Document:
    return make_document(collection, "\f".join(PAGES), title="Herons")


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(model_files(tmp_path / "other-model", DIMENSIONS))


@pytest.fixture
def other(document: Document, model: str) -> EmbeddingSpace:
    """A space beside the one that serves, empty yet."""
    return space_prepare(model=model, say=lambda line: None)


def build(space: EmbeddingSpace, **options: Any) -> space_building.Built:
    return space_build(space=space, share=1.0, **options)


def in_space(space: EmbeddingSpace) -> set[int]:
    return set(Embedding.objects.filter(space=space).values_list("chunk_id", flat=True))


def all_passages() -> set[int]:
    return set(Chunk.objects.values_list("pk", flat=True))


def constraint_exists(space: EmbeddingSpace) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_constraint WHERE conname = %s", [spaces.constraint_name(space)])
        return cursor.fetchone() is not None


def in_thread(work: Callable[[], None]) -> Thread:
    """With a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("waited in vain")


# --- Making one -------------------------------------------------------------------------------


def test_a_space_is_made_once_and_serves_nobody_yet(other: EmbeddingSpace, model: str) -> None:
    assert (other.state, other.dimensions, other.activated_at) == (State.BUILDING, DIMENSIONS, None)
    assert constraint_exists(other)
    assert space_prepare(model=model, say=lambda line: None) == other
    assert active_space() != other


def test_a_vector_of_another_length_is_refused_by_the_database(other: EmbeddingSpace) -> None:
    row = Embedding.objects.first()
    assert row is not None
    with pytest.raises(Exception, match="embedding_length_space"):
        Embedding.objects.create(
            chunk_id=row.chunk_id,
            space=other,
            document_id=row.document_id,
            collection_id=row.collection_id,
            vector=[0.0] * (DIMENSIONS - 1) + [1.0] * 2,
        )


@pytest.mark.parametrize("dimensions", [0, 4001])
def test_a_dimension_that_no_index_takes_is_refused(dimensions: int, tmp_path: Path) -> None:
    model = model_files(tmp_path / "odd", dimensions)
    with pytest.raises(SpaceRefused, match=rf"{dimensions:,} dimensions; an index takes 1 to 4,000"):
        space_prepare(model=str(model), say=lambda line: None)
    assert not EmbeddingSpace.objects.exists()


def test_the_largest_dimension_can_be_indexed(document: Document, tmp_path: Path) -> None:
    space = space_prepare(model=str(model_files(tmp_path / "wide", 4000)), say=lambda line: None)
    build(space)
    assert has_index(space)


def test_another_dimension_for_the_same_weights_is_refused(other: EmbeddingSpace, model: str) -> None:
    card = registry.model_card(model)
    wider = type(card)(card.name, card.revision, card.dimensions * 2, card.max_tokens)
    with pytest.raises(SpaceRefused, match=f"a space of {DIMENSIONS} dimensions, and the model now says 192"):
        spaces.space_create(card=wider)


def test_a_model_whose_vectors_are_not_as_long_as_it_says_is_refused(model: str, monkeypatch: Any) -> None:
    engine = registry.get_embedder

    class Shorter:
        def __init__(self, name: str) -> None:
            self.engine = engine(name)

        def embed(self, texts: list[str]) -> Any:
            return self.engine.embed(texts)[:, :64]

    monkeypatch.setattr(registry, "get_embedder", Shorter)
    with pytest.raises(SpaceRefused, match="vectors of 64 dimensions, and its space has 96"):
        space_prepare(model=model, say=lambda line: None)
    assert not EmbeddingSpace.objects.exists()


def test_a_model_that_does_not_say_its_dimension_is_refused(tmp_path: Path) -> None:
    folder = model_files(tmp_path / "silent", 8)
    (folder / "config.json").write_text("{}")
    with pytest.raises(SpaceRefused, match="how long its vectors are"):
        space_prepare(model=str(folder), say=lambda line: None)


def test_a_name_that_is_too_long_is_refused(model: str) -> None:
    card = registry.model_card(model)
    with pytest.raises(SpaceRefused, match="300 characters"):
        spaces.space_create(card=type(card)("x" * 301, "f" * 64, 8, 8))


def test_a_space_is_found_by_number_and_by_model(other: EmbeddingSpace, model: str) -> None:
    assert find_space(str(other.pk)) == find_space(model) == other
    for unknown in ("999999", "nobody/nothing", "9" * 30):
        with pytest.raises(SpaceRefused, match="no space"):
            find_space(unknown)
    EmbeddingSpace.objects.create(model=model, revision="f" * 64, dimensions=8)
    with pytest.raises(SpaceRefused, match="several spaces"):
        find_space(model)


# --- Filling it -------------------------------------------------------------------------------


def test_a_build_gives_every_passage_its_vector_and_the_index(other: EmbeddingSpace) -> None:
    told: list[Progress] = []
    assert missing_vectors(other) == 40
    built = build(other, report=told.append)
    assert (built.embedded, built.indexed, missing_vectors(other)) == (40, True, 0)
    assert in_space(other) == all_passages()
    assert has_index(other)
    assert (told[0].done, told[-1].done, told[-1].total) == (0, 40, 40)
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert "indexing" in {each.phase for each in told}
    again = build(other)
    assert (again.embedded, again.indexed, again.rounds) == (0, False, 0)


def test_the_vectors_are_those_of_the_other_model(other: EmbeddingSpace, model: str) -> None:
    build(other)
    row = Embedding.objects.filter(space=other).select_related("chunk")[7]
    (wanted,) = registry.get_embedder(model).embed([row.chunk.context])
    assert list(row.vector) == pytest.approx(wanted.tolist(), abs=1e-3)
    ((_, score, _),) = Embedding.objects.all().nearest(wanted, space=other, k=1)
    assert score > 0.999


def test_a_builder_that_was_killed_is_followed_by_one_that_goes_on(other: EmbeddingSpace) -> None:
    arguments = [sys.executable, "-c", SLOW_BUILDER, connection.settings_dict["NAME"], str(other.pk)]
    killed = subprocess.Popen(arguments, cwd=ROOT, env=os.environ)
    wait_for(lambda: len(in_space(other)) >= 4)
    killed.kill()
    killed.wait()
    wait_for(lambda: is_free(other))
    before = dict(Embedding.objects.filter(space=other).values_list("pk", "chunk_id"))
    assert 4 <= len(before) < 40
    built = build(other)
    assert built.embedded == 40 - len(before), "nothing is embedded twice"
    rows = list(Embedding.objects.filter(space=other).values_list("pk", "chunk_id"))
    assert len(rows) == 40
    assert {chunk for _, chunk in rows} == all_passages(), "nothing is lost"
    assert before.items() <= dict(rows).items()


def is_free(space: EmbeddingSpace) -> bool:
    try:
        with spaces.held(space):
            return True
    except SpaceRefused:
        return False


def test_an_error_between_batches_loses_nothing(other: EmbeddingSpace, monkeypatch: Any) -> None:
    monkeypatch.setattr(space_building, "STEP", 8)

    def fail_at_half(progress: Progress) -> None:
        if progress.done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(other, report=fail_at_half)
    assert len(in_space(other)) == 16
    assert build(other).embedded == 24


def test_an_index_that_was_cut_off_is_made_anew(other: EmbeddingSpace) -> None:
    build(other)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)",
            [spaces.index_name(other.pk)],
        )
    assert not has_index(other)
    with pytest.raises(SpaceRefused, match="no index"):
        space_activate(space=other)
    assert build(other).indexed
    assert has_index(other)


def test_passages_that_come_and_go_meanwhile_are_caught(
    other: EmbeddingSpace,
    document: Document,
    collection: Collection,
    make_document: MakeDocument,
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(space_building, "STEP", 8)
    gone = make_document(collection, "This one goes.\fAll of it.")
    seen: list[Progress] = []

    def meddle(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            make_document(collection, "This one comes.\fWith two pages.")
            document_delete(document=gone, user=None)

    build(other, report=meddle)
    assert in_space(other) == all_passages()
    assert len(all_passages()) == 42


def test_a_document_that_changes_while_its_batch_is_embedded(
    other: EmbeddingSpace,
    document: Document,
    collection: Collection,
    make_document: MakeDocument,
    monkeypatch: Any,
) -> None:
    """Moved: its vectors are in the collection where it is now. Deleted: nothing of it comes back."""
    elsewhere = collection_create(owner=collection.owner, name="Elsewhere", slug="elsewhere")
    gone = make_document(collection, "This one goes.")
    rows_of = space_building.rows_of

    def meddle(passages: Any, space: EmbeddingSpace) -> list[Embedding]:
        rows = rows_of(passages, space)
        document_update(document=document, collection=elsewhere)
        if Document.objects.filter(pk=gone.pk).exists():
            document_delete(document=gone, user=None)
        return rows

    monkeypatch.setattr(space_building, "rows_of", meddle)
    build(other)
    assert in_space(other) == all_passages()
    places = Embedding.objects.filter(space=other).values_list("collection", flat=True)
    assert set(places) == {elsewhere.pk}


def test_a_document_in_other_hands_is_left_for_the_next_round(
    other: EmbeddingSpace, document: Document, monkeypatch: Any
) -> None:
    locked, free = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            Document.objects.select_for_update().get(pk=document.pk)
            locked.set()
            free.wait(30)

    holder = in_thread(hold)
    assert locked.wait(30)
    monkeypatch.setattr(space_building.time, "sleep", lambda seconds: free.set())
    built = build(other)
    holder.join()
    assert built.rounds > 1
    assert in_space(other) == all_passages()


def test_two_builders_do_not_double_the_work(other: EmbeddingSpace, monkeypatch: Any) -> None:
    monkeypatch.setattr(space_building, "STEP", 8)
    begun, go_on = Event(), Event()
    results: list[space_building.Built] = []

    def wait(progress: Progress) -> None:
        begun.set()
        go_on.wait(30)

    first = in_thread(lambda: results.append(build(other, report=wait)))
    assert begun.wait(30)
    with pytest.raises(SpaceRefused, match="Another process"):
        build(other)
    with pytest.raises(SpaceRefused, match="Another process"):
        space_drop(space=other)
    go_on.set()
    first.join()
    assert results[0].embedded == 40
    assert build(other).embedded == 0


def test_a_builder_works_for_its_share_of_the_time(other: EmbeddingSpace, monkeypatch: Any) -> None:
    rests: list[float] = []
    monkeypatch.setattr(space_building.time, "sleep", rests.append)
    monkeypatch.setattr(space_building.time, "perf_counter", iter(range(1000)).__next__)
    space_build(space=other, share=0.25)
    assert set(rests) == {3.0}, "three seconds of sleep for one of work"


def test_vectors_of_a_wrong_length_end_a_build(other: EmbeddingSpace, monkeypatch: Any) -> None:
    engine = registry.load_engine("fake", str(Path(other.model)))
    monkeypatch.setattr(registry, "get_passage_embedder", lambda model: engine)
    monkeypatch.setattr(engine, "card", registry.model_card(serving_model()))
    with pytest.raises(SpaceRefused, match="384 dimensions, and its space has 96"):
        build(other)
    assert not in_space(other)


def serving_model() -> str:
    space = serving_space()
    assert space is not None
    return space.model


def test_exchanged_weights_build_nothing(other: EmbeddingSpace) -> None:
    EmbeddingSpace.objects.filter(pk=other.pk).update(revision="f" * 64)
    other.refresh_from_db()
    for refused in (build, lambda space: space_activate(space=space)):
        with pytest.raises(EmbeddingUnavailable, match="exchanged"):
            refused(other)


# --- Switching --------------------------------------------------------------------------------


def test_a_space_that_is_not_full_cannot_serve(
    other: EmbeddingSpace, collection: Collection, make_document: MakeDocument
) -> None:
    before = serving_space()
    with pytest.raises(VectorsMissing, match="40 passages have no vector"):
        space_activate(space=other)
    build(other)
    make_document(collection, "It came afterwards.")
    with pytest.raises(VectorsMissing, match="1 passage"):
        space_activate(space=other)
    assert serving_space() == before


def test_a_full_space_serves_from_the_switch_on(other: EmbeddingSpace) -> None:
    before = serving_space()
    assert before is not None
    build(other)
    assert space_activate(space=other).state == State.ACTIVE
    before.refresh_from_db()
    assert (active_space(), before.state) == (other, State.RETIRED)
    since = EmbeddingSpace.objects.get(pk=other.pk).activated_at
    assert since is not None
    assert space_activate(space=other).activated_at == since, "to activate it again changes nothing"


def test_a_build_may_switch_by_itself_however_fast_documents_come(
    other: EmbeddingSpace, collection: Collection, make_document: MakeDocument, monkeypatch: Any
) -> None:
    activate, come = space_building.space_activate, [1, 2]

    def late(*, space: EmbeddingSpace) -> EmbeddingSpace:
        if come:
            make_document(collection, f"Late {come.pop()}.")
        return activate(space=space)

    monkeypatch.setattr(space_building, "space_activate", late)
    assert build(other, activate=True).embedded == 42
    assert active_space() == other


def test_new_documents_go_into_the_space_that_serves(
    other: EmbeddingSpace, collection: Collection, make_document: MakeDocument
) -> None:
    before = serving_space()
    assert before is not None
    build(other, activate=True)
    new = make_document(collection, "It came afterwards.")
    spaces_of_new = Embedding.objects.filter(document=new).values_list("space", flat=True)
    assert list(spaces_of_new) == [other.pk]
    assert missing_vectors(before) == 1


def test_nothing_switches_back_by_itself(other: EmbeddingSpace, document: Document, caplog: Any) -> None:
    build(other, activate=True)
    assert ensure_active_space() == ensure_active_space() == other
    assert caplog.text.count("goes on serving") == 1, "not once for every document"
    assert "space create" in caplog.text
    document_delete(document=document, user=None)
    assert ensure_active_space() == other, "empty, and chosen all the same"


def test_in_an_empty_portal_a_space_serves_without_a_build(model: str) -> None:
    before = ensure_active_space()
    other = space_prepare(model=model, say=lambda line: None)
    assert has_index(other)
    assert space_activate(space=other) == ensure_active_space() == other
    assert spaces.previous_space() == before


def test_an_empty_space_that_nobody_chose_makes_room_for_another_model(model: str, settings: Any) -> None:
    before = ensure_active_space()
    settings.EMBEDDING_MODEL = model
    assert ensure_active_space().model == model
    assert spaces.previous_space() is None, "the one before never served anything"
    assert before.activated_at is None


def test_what_somebody_activated_meanwhile_stands(other: EmbeddingSpace, document: Document) -> None:
    """The portal's own choice at its start, made before, does not undo it."""
    before = serving_space()
    assert before is not None
    build(other, activate=True)
    assert spaces.begin_serving(before, instead_of=before) == other
    assert active_space() == other


def test_a_switch_waits_for_what_is_being_stored(other: EmbeddingSpace) -> None:
    before = serving_space()
    assert before is not None
    build(other)
    happened: list[str] = []
    asked, go_on = Event(), Event()

    def store() -> None:
        with transaction.atomic():
            happened.append(f"serves: {is_serving(before)}")
            asked.set()
            go_on.wait(30)
            happened.append("stored")

    def switch() -> None:
        space_activate(space=other)
        happened.append("switched")

    storing = in_thread(store)
    assert asked.wait(30)
    switching = in_thread(switch)
    wait_for(someone_waits)
    go_on.set()
    storing.join()
    switching.join()
    assert happened == ["serves: True", "stored", "switched"]
    assert not is_serving(before)


def someone_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone() is not None


def test_another_space_can_be_searched_in_one_context_alone(other: EmbeddingSpace) -> None:
    serving = serving_space()
    seen: list[Any] = []
    with searching(other):
        assert active_space() == other
        assert serving_space() == ensure_active_space() == serving
        in_thread(lambda: seen.append(active_space())).join()
    assert active_space() == serving == seen[0]


# --- Back, and away ---------------------------------------------------------------------------


def test_a_rollback_fills_the_former_space_first(
    other: EmbeddingSpace, collection: Collection, make_document: MakeDocument
) -> None:
    before = serving_space()
    assert before is not None
    build(other, activate=True)
    make_document(collection, "It came afterwards.")
    served: list[Any] = []
    back = space_rollback(share=1.0, report=lambda progress: served.append(active_space()))
    assert (back.space, back.embedded, active_space()) == (before.pk, 1, before)
    assert served[0] == other, "the present one serves until then"
    assert space_rollback(share=1.0).space == other.pk, "and forth"


def test_a_rollback_needs_somewhere_to_go(document: Document, other: EmbeddingSpace) -> None:
    with pytest.raises(SpaceRefused, match="No other space has served"):
        space_rollback()


def test_the_space_that_serves_is_never_dropped(other: EmbeddingSpace) -> None:
    build(other, activate=True)
    with pytest.raises(SpaceRefused, match="serves"):
        space_drop(space=other)
    assert in_space(other) == all_passages()


def test_a_dropped_space_leaves_nothing(other: EmbeddingSpace, monkeypatch: Any) -> None:
    monkeypatch.setattr(space_dropping, "DROP_STEP", 7)
    before = serving_space()
    assert before is not None
    build(other)
    assert space_drop(space=other) == 40
    assert not has_index(other)
    assert not constraint_exists(other)
    assert not EmbeddingSpace.objects.filter(pk=other.pk).exists()
    assert in_space(before) == all_passages()
    assert has_index(before)
    with pytest.raises(SpaceRefused, match="dropped"):
        space_activate(space=other)
    with pytest.raises(SpaceRefused, match="dropped"):
        build(other)


def test_a_drop_that_was_cut_off_is_done_by_the_next(other: EmbeddingSpace, monkeypatch: Any) -> None:
    monkeypatch.setattr(space_dropping, "DROP_STEP", 7)
    build(other)
    deleted = space_dropping.vectors_delete(other)
    next(deleted)
    assert len(in_space(other)) == 33
    assert space_drop(space=other) == 33


def test_a_table_in_long_use_refuses_instead_of_holding_up_searches(
    other: EmbeddingSpace, monkeypatch: Any
) -> None:
    monkeypatch.setattr(spaces, "LOCK_TIMEOUT", "50ms")
    reading, go_on = Event(), Event()

    def read() -> None:
        with transaction.atomic():
            Embedding.objects.count()
            reading.set()
            go_on.wait(30)

    reader = in_thread(read)
    assert reading.wait(30)
    with pytest.raises(SpaceRefused, match="in use"), transaction.atomic():
        spaces.change_table(f"DROP CONSTRAINT {spaces.constraint_name(other)}")
    go_on.set()
    reader.join()
    assert constraint_exists(other)


# --- Together with indexing -------------------------------------------------------------------


def test_what_was_embedded_before_a_switch_is_embedded_again_for_the_other_space(
    other: EmbeddingSpace, collection: Collection, make_document: MakeDocument, monkeypatch: Any
) -> None:
    build(other)
    embed = indexing.embed

    def slowly(claim: Any, passages: Any) -> Any:
        vectors = embed(claim, passages)
        space_activate(space=other)
        return vectors

    monkeypatch.setattr(indexing, "embed", slowly)
    new = make_document(collection, "It was on its way.")
    assert new.status == "ready"
    assert set(Embedding.objects.filter(document=new).values_list("space", flat=True)) == {other.pk}
    assert missing_vectors(other) == 0
