"""What the benchmark of scale makes up: the sizes asked for, the same every time, near as real ones are."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.synthetic import BLOCK, Corpus, Passages, question_text, unit


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(3000)


@pytest.fixture(scope="module")
def real() -> Passages:
    vectors = unit(np.random.default_rng(5).normal(size=(500, 384)).astype(np.float32))
    texts = [f"Title {n // 5}\nThe words of passage {n} about herons" for n in range(500)]
    return Passages(vectors, texts, np.arange(500) // 5)


def test_every_passage_has_a_vector_a_text_and_a_document(corpus: Corpus) -> None:
    (block,) = corpus.blocks()
    vectors, texts = corpus.vectors(block), corpus.texts(block)
    assert vectors.shape == (3000, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert len(texts) == len(corpus.documents) == 3000
    assert all(8 <= len(text.partition("\n")[2].split()) <= 170 for text in texts)
    assert (np.diff(corpus.documents) >= 0).all()
    assert corpus.document_count == len(set(corpus.documents.tolist()))


def test_the_same_seed_makes_the_same_corpus_and_another_seed_another(corpus: Corpus) -> None:
    (block,) = corpus.blocks()
    again, other = Corpus(3000), Corpus(3000, seed=2)
    assert (again.vectors(block) == corpus.vectors(block)).all()
    assert again.texts(block) == corpus.texts(block)
    assert not np.allclose(other.vectors(range(100)), corpus.vectors(range(100)))


def test_blocks_cover_any_size() -> None:
    blocks = list(Corpus(2 * BLOCK + 7).blocks())
    assert [len(block) for block in blocks] == [BLOCK, BLOCK, 7]
    assert blocks[-1].stop == 2 * BLOCK + 7


def test_neighbours_are_as_near_as_real_ones(corpus: Corpus) -> None:
    (block,) = corpus.blocks()
    vectors = corpus.vectors(block)
    cosines = vectors[:300] @ vectors.T
    nearest = -np.sort(-cosines, axis=1)[:, 1]
    assert 0.6 < np.median(nearest) < 0.95
    assert abs(float(cosines.mean())) < 0.3
    questions = corpus.questions(vectors[:300])
    assert 0.6 < float(np.median((questions * vectors[:300]).sum(1))) < 0.8


def test_few_words_make_up_most_of_the_text(corpus: Corpus) -> None:
    words = " ".join(corpus.texts(range(500))).split()
    counts = np.sort(np.unique(words, return_counts=True)[1])[::-1]
    assert counts[: len(counts) // 20].sum() > len(words) / 3
    assert (counts == 1).sum() > len(counts) / 4


def test_real_passages_come_first_as_they_are(real: Passages) -> None:
    corpus = Corpus(2000, real)
    (block,) = corpus.blocks()
    assert corpus.texts(block)[:500] == list(real.texts)
    assert np.allclose(corpus.vectors(block)[:500], real.vectors)
    assert (corpus.documents[:500] == real.documents).all()
    assert Corpus(200, real).real_size == 200
    assert len(Corpus(200, real).texts(range(200))) == 200


def test_a_question_has_words_of_its_passage(corpus: Corpus) -> None:
    text = corpus.texts(range(1))[0]
    asked = question_text(corpus.rng("test"), text).split()
    assert asked[0] == "what"
    assert len(set(asked) & set(text.split())) >= 1
