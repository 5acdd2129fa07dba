"""BM25 against its formula in plain loops, and marks measured on real collections."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retrieval_reference import bm25_scores, ndcg_at_10

from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval import small_float
from e2rank_eval.retrieval.analysis import LuceneEnglish
from e2rank_eval.retrieval.base import best
from e2rank_eval.retrieval.bm25 import BM25
from e2rank_eval.retrieval.candidates import candidates
from e2rank_eval.retrieval.quantised_bm25 import QuantisedBM25
from e2rank_eval.store.collections import read_corpus, read_queries
from e2rank_eval.store.trec import read_qrels

WORDS = ["wing", "wings", "heat", "shield", "the", "flow", "flows", "is", "mach", "x1"]
TEXT = st.lists(st.sampled_from(WORDS), max_size=70).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(TEXT, min_size=1, max_size=12),
    TEXT,
    st.sampled_from([0.0, 0.9, 1.5]),
    st.sampled_from([0.0, 0.4, 1.0]),
    st.integers(1, 15),
    st.booleans(),
)
def test_scores_and_order_follow_the_formula(
    texts: list[str], query: str, k1: float, b: float, depth: int, quantised: bool
) -> None:
    corpus = [Document(str(number), text) for number, text in enumerate(texts)]
    index = (QuantisedBM25 if quantised else BM25)(corpus, k1=k1, b=b, analyser="lucene")
    (hits,) = index.search([Query("q", query)], [depth])
    analyser = LuceneEnglish()
    length = (lambda n: small_float.decode(small_float.encode(n))) if quantised else (lambda n: n)
    terms = [analyser.terms(text) for text in texts]
    if any(terms):
        expected = np.array(bm25_scores(terms, analyser.terms(query), k1, b, length))
    else:
        expected = np.zeros(len(texts))
    assert len(hits.positions) == len(set(hits.positions)) == min(depth, len(texts))
    np.testing.assert_allclose(hits.scores, expected[list(hits.positions)], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(hits.scores, np.sort(expected)[::-1][:depth], rtol=1e-5, atol=1e-6)


def test_equal_scores_are_in_corpus_order_and_unmatched_documents_follow() -> None:
    texts = ["nothing here", "a wing", "empty", "a wing", "the wing"]
    corpus = [Document(f"d{number}", text) for number, text in enumerate(texts)]
    (hits,) = BM25(corpus).search([Query("q", "wings")], [4])
    assert hits.positions == (1, 3, 4, 0)
    assert hits.scores[0] == hits.scores[1] == hits.scores[2] > hits.scores[3] == 0.0


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 2.5]), max_size=40), st.integers(0, 45))
def test_best_is_a_stable_sort(values: list[float], depth: int) -> None:
    expected = sorted(range(len(values)), key=lambda position: -values[position])[:depth]
    assert best(np.array(values), depth).tolist() == expected


def test_the_title_counts_and_stop_words_do_not() -> None:
    corpus = [Document("a", "about something else", title="Wing theory"), Document("b", "the is of a")]
    (hits,) = BM25(corpus).search([Query("q", "the wing")], [2])
    assert hits.positions == (0, 1)
    assert hits.scores[1] == 0.0


def test_lengths_keep_four_bits_in_one_byte() -> None:
    """Facts of Lucene's SmallFloat and its test: 24 free values, the largest integer is byte 255."""
    assert [small_float.decode(byte) for byte in range(256)] == sorted(map(small_float.decode, range(256)))
    assert all(small_float.encode(small_float.decode(byte)) == byte for byte in range(256))
    assert small_float.encode(2**31 - 1) == 255
    assert [small_float.decode(byte) for byte in range(40, 58)] == [
        40, 42, 44, 46, 48, 50, 52, 54, 56, 60, 64, 68, 72, 76, 80, 84, 88, 96,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="31 bits"):
        small_float.encode(-1)


@given(st.integers(0, 2**31 - 1))
def test_a_length_is_rounded_down_to_the_next_byte(length: int) -> None:
    byte = small_float.encode(length)
    assert small_float.decode(byte) <= length
    assert byte == 255 or small_float.decode(byte + 1) > length
    assert small_float.quantised(np.array([float(length)])).tolist() == [small_float.decode(byte)]


Analyser = Literal["lucene", "simple"]


def rankings(dataset: Dataset, analyser: Analyser, quantised: bool) -> dict[str, tuple[str, ...]]:
    index = (QuantisedBM25 if quantised else BM25)(tuple(dataset.corpus.values()), analyser=analyser)
    return {one.query_id: one.document_ids for one in candidates(index, dataset, 100)}


@pytest.mark.parametrize(
    ("analyser", "quantised", "mark"),
    [("simple", False, 65.30), ("lucene", False, 66.05), ("lucene", True, 66.19)],
)
def test_lee_marks(lee_dataset: Dataset, analyser: Analyser, quantised: bool, mark: float) -> None:
    found = rankings(lee_dataset, analyser, quantised)
    assert {len(ids) for ids in found.values()} == {49}
    assert ndcg_at_10(lee_dataset.qrels, found) == pytest.approx(mark, abs=0.05)


@pytest.fixture(scope="module")
def cranfield(shared_data: Path) -> Dataset:
    folder = shared_data / "cranfield"
    queries, qrels = read_queries(folder / "queries.jsonl"), read_qrels(folder / "qrels" / "test.tsv")
    judged = {query_id: query for query_id, query in queries.items() if query_id in qrels}
    return Dataset("cranfield", read_corpus(folder / "corpus.jsonl"), judged, qrels)


@pytest.mark.parametrize(
    ("analyser", "quantised", "mark", "recall"),
    [
        ("simple", False, 34.42, 72.1),
        ("lucene", False, 34.20, 72.1),
        ("lucene", True, 34.17, 72.1),
    ],
)
def test_cranfield_marks(
    cranfield: Dataset, analyser: Analyser, quantised: bool, mark: float, recall: float
) -> None:
    found = rankings(cranfield, analyser, quantised)
    assert ndcg_at_10(cranfield.qrels, found) == pytest.approx(mark, abs=0.05)
    recalls = []
    for query_id, grades in cranfield.qrels.items():
        relevant = {document_id for document_id, grade in grades.items() if grade > 0}
        recalls.append(len(relevant & set(found[query_id])) / len(relevant))
    assert 100 * np.mean(recalls) == pytest.approx(recall, abs=0.1)
