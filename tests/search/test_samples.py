"""The sample documents: what is suggested to ask is answered from the right one, by the real models."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from documents.models import Collection, Deletion, Document
from documents.samples import FOLDER, SAMPLES, digests, questions
from documents.samples.make import make_all
from documents.services import samples_add, samples_remove
from search import pipeline
from tests.indexed import index
from tests.people import person

ANSWERS = {
    "How often is the chlorine level measured?": ("operations-handbook.pdf", "every two hours"),
    "How much notice is needed to end the service contract?": (
        "pump-service-contract.docx",
        "three months to the end of a calendar year",
    ),
    "Why was pump P-2 stopped in March?": ("night-shift-notes.md", "its bearing ran hot"),
    "When are the waterworks open to visitors?": ("visiting.html", "first Saturday of each month"),
    "How long does a guided tour take?": ("visiting.html", "75 minutes"),
    "Why was the water in Mill Lane cloudy?": ("cloudy-water.eml", "stirred up rust"),
}


@pytest.fixture(scope="module")
def _read(module_rows: None) -> None:
    assert samples_add(user=person("alice")) == len(SAMPLES)
    for document in Document.objects.samples_of(person("alice")):
        index(document)
        assert document.status == "ready", document.reason


@pytest.mark.django_db
@pytest.mark.usefixtures("_read")
@pytest.mark.parametrize("question", questions(digests()))
def test_a_suggested_question_is_answered_from_its_sample(question: str) -> None:
    outcome = pipeline.answer(question=question, user=person("alice"))
    assert outcome.refusal is None, outcome
    assert all(sentence.supported for sentence in outcome.sentences)
    cited = {each.hit.document_id for each in outcome.evidence}
    said = " ".join(sentence.text for sentence in outcome.sentences)
    filename, words = ANSWERS[question]
    assert words in said
    assert filename in Document.objects.filter(pk__in=cited).values_list("filename", flat=True)


def test_the_samples_are_small_and_made_from_their_sources(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("made")
    make_all(folder)
    made = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(made) == 3
    assert made == {name: (FOLDER / name).read_bytes() for name in made}
    assert sum(sample.path.stat().st_size for sample in SAMPLES) < 200_000
    assert {path.name for path in FOLDER.iterdir()} == {sample.filename for sample in SAMPLES}


def test_samples_are_private_added_once_and_removed(bob: User, charlie: User) -> None:
    assert (samples_add(user=bob), samples_add(user=bob)) == (len(SAMPLES), 0)
    found = Document.objects.samples_of(bob)
    assert found.count() == len(SAMPLES)
    assert set(found.values_list("collection__owner", "collection__is_private")) == {(bob.pk, True)}
    assert not Document.objects.visible_to(charlie).exists()
    assert samples_remove(user=charlie) == 0
    assert samples_remove(user=bob) == len(SAMPLES)
    assert not found.exists()
    assert Deletion.objects.filter(deleted_by=bob).count() == len(SAMPLES)
    assert Collection.objects.filter(owner=bob).exists()
