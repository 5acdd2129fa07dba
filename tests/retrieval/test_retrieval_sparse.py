"""SPLADE against sentence-transformers' SparseEncoder, sparse search against plain sums, and a real mark."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from retrieval_reference import ndcg_at_10
from scipy.sparse import csr_matrix

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.references import fetch_model
from e2rank_eval.models.registry import registered_model
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval.base import candidates
from e2rank_eval.retrieval.first_stages.sparse import Sparse
from e2rank_eval.retrieval.splade import Splade

NAME = "splade-tiny-msmarco"
TEXTS = ["what is the capital of china", "Heat transfer in a laminar boundary layer.", "a", ""]


@pytest.fixture(scope="module")
def splade_path(fetch_cache: Path) -> Path:
    try:
        return fetch_model(NAME, fetch_cache).path
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def splade(splade_path: Path) -> Splade:
    return Splade(splade_path, registered_model(NAME))


def test_vectors_are_those_of_sentence_transformers(
    splade: Splade, splade_path: Path, lee_dataset: Dataset
) -> None:
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.modules import MLMTransformer, SpladePooling

    body = MLMTransformer(str(splade_path), max_seq_length=256)
    reference = SparseEncoder(modules=[body, SpladePooling("max")], device="cpu")
    texts = [*TEXTS, *(document.text for document in list(lee_dataset.corpus.values())[:8])]
    expected = reference.encode(texts, convert_to_sparse_tensor=False, show_progress_bar=False).numpy()
    found = splade.encode(texts, "document").toarray()
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert (found > 0).sum(axis=1).max() < 2000


def test_a_vector_does_not_depend_on_its_company(splade: Splade) -> None:
    together = splade.encode(TEXTS, "document").toarray()
    alone = np.vstack([splade.encode([text], "document").toarray() for text in TEXTS])
    assert (together == alone).all()


def test_expansion_is_sensible(splade: Splade) -> None:
    vector = splade.encode(TEXTS[:1], "query").toarray()[0]
    likeliest = splade._tokenizer.convert_ids_to_tokens(np.argsort(-vector)[:4].tolist())
    assert {"capital", "china", "chinese"} <= set(likeliest)


@pytest.mark.slow
def test_lee_mark(splade: Splade, lee_dataset: Dataset) -> None:
    lists = candidates(Sparse(tuple(lee_dataset.corpus.values()), splade), lee_dataset, 100)
    found = {one.query_id: one.document_ids for one in lists}
    assert {len(ids) for ids in found.values()} == {49}
    assert ndcg_at_10(lee_dataset.qrels, found) == pytest.approx(76.0, abs=0.3)


class Letters:
    """A text as the counts of its letters."""

    def encode(self, texts: list[str], kind: str) -> csr_matrix:
        rows = [[text.count(letter) for letter in "abcde"] for text in texts]
        return csr_matrix(np.array(rows, dtype=np.float32))


def test_scores_are_dot_products_and_ties_are_in_corpus_order() -> None:
    corpus = [Document(str(n), text) for n, text in enumerate(["e", "ab", "ba", "aab", "d"])]
    hits, none = Sparse(corpus, Letters()).search([Query("q", "aac"), Query("r", "")], [4, 2])
    assert hits.positions == (3, 1, 2, 0)
    assert hits.scores == (4.0, 2.0, 2.0, 0.0)
    assert none.positions == (0, 1)


def test_what_is_no_sparse_encoder_is_refused(splade_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a sparse encoder"):
        Splade(splade_path, registered_model("all-minilm-l6-v2"))
    from safetensors.torch import load_file, save_file

    shutil.copytree(splade_path, tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    headless = {name: value for name, value in weights.items() if "transform" not in name}
    assert len(headless) < len(weights)
    save_file(headless, tmp_path / "model" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="missing"):
        Splade(tmp_path / "model", registered_model(NAME))
