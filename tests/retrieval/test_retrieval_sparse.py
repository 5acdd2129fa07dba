"""SPLADE-tiny against sentence-transformers' SparseEncoder, and sparse search against plain sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from retrieval_reference import ndcg_at_10
from scipy.sparse import csr_matrix

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.encoders.representations import Represented
from e2rank_eval.models.encoders.sparse import SparseEncoder, Splade
from e2rank_eval.models.loading import Models
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval.base import candidates
from e2rank_eval.retrieval.first_stages.exhaustive import Exhaustive

NAME = "splade-tiny-msmarco"
TEXTS = ["what is the capital of china", "Heat transfer in a laminar boundary layer.", "a", ""]


@pytest.fixture(scope="module")
def splade(fetch_cache: Path) -> Splade:
    try:
        return Splade(Models(fetch_cache, threads=1).resolve(NAME, "sparse-encoder"))
    except UnavailableError as error:
        pytest.skip(str(error))


def test_vectors_are_those_of_sentence_transformers(splade: Splade, lee_dataset: Dataset) -> None:
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.modules import MLMTransformer, SpladePooling

    body = MLMTransformer(splade._model.name_or_path, max_seq_length=256)
    reference = SparseEncoder(modules=[body, SpladePooling("max")], device="cpu")
    texts = [*TEXTS, *(document.text for document in list(lee_dataset.corpus.values())[:8])]
    expected = reference.encode(texts, convert_to_sparse_tensor=False, show_progress_bar=False).numpy()
    found = splade.encode(texts, "document").vectors.toarray()
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert (found > 0).sum(axis=1).max() < 2000
    alone = [splade.encode([text], "document").vectors.toarray()[0] for text in texts]
    assert (found == np.vstack(alone)).all(), "a vector does not depend on its company"
    likeliest = splade._tokenizer.convert_ids_to_tokens(np.argsort(-found[0])[:4].tolist())
    assert {"capital", "china", "chinese"} <= set(likeliest)


@pytest.mark.slow
def test_splade_has_its_score_on_lee(splade: Splade, lee_dataset: Dataset) -> None:
    lists = candidates(Exhaustive(lee_dataset.corpus.values(), splade), lee_dataset, 100)
    found = {one.query_id: one.document_ids for one in lists}
    assert ndcg_at_10(lee_dataset.qrels, found) == pytest.approx(76.0, abs=0.3)


class Letters(SparseEncoder):
    """A text as the counts of its letters."""

    def encode(self, texts: list[str], kind: str) -> Represented:  # type: ignore[override]
        rows = np.array([[text.count(letter) for letter in "abcde"] for text in texts], dtype=np.float32)
        return Represented(csr_matrix(rows), (1,) * len(texts), (False,) * len(texts))


def test_scores_are_dot_products_and_ties_are_in_corpus_order() -> None:
    corpus = [Document(str(n), text) for n, text in enumerate(["e", "ab", "ba", "aab", "d"])]
    queries = [Query("q", "aac"), Query("r", "")]
    hits, none = Exhaustive(corpus, Letters(), matching=True).search(queries, [4, 2])
    assert hits.positions == (3, 1, 2), "a document without an entry of the query's is not a candidate"
    assert hits.scores == (4.0, 2.0, 2.0)
    assert none.positions == ()
    (every, _) = Exhaustive(corpus, Letters()).search(queries, [4, 2])
    assert every.positions == (3, 1, 2, 0)


def test_a_score_that_is_not_finite_is_refused_with_the_query() -> None:
    encoder = Letters()
    index = Exhaustive([Document("d", "a")], encoder, matching=True)
    encoder.scores = lambda *_: np.array([np.nan])  # type: ignore[method-assign]
    with pytest.raises(InputError, match="query 'q': a score is not finite; check the model's weights"):
        index.search([Query("q", "a")], [1])
