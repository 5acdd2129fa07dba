"""BM25 compared with its formula in plain loops, and with scores on real collections."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrieval_reference import bm25_scores, ndcg_at_10

from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval.base import best, candidates
from e2rank_eval.retrieval.first_stages.bm25 import BM25, QuantisedBM25
from e2rank_eval.retrieval.lucene import lucene_terms, quantised
from e2rank_eval.store.collections import read_corpus, read_queries
from e2rank_eval.store.trec import read_qrels

WORDS = ["wing", "wings", "heat", "shield", "the", "flow", "flows", "is", "mach", "x1"]
TEXT = st.lists(st.sampled_from(WORDS), max_size=70).map(" ".join)


@given(
    st.lists(TEXT, min_size=1, max_size=12),
    TEXT,
    st.sampled_from([0.0, 0.9, 1.5]),
    st.sampled_from([0.0, 0.4, 1.0]),
    st.integers(1, 15),
    st.booleans(),
)
def test_scores_and_order_follow_the_formula(
    texts: list[str], query: str, k1: float, b: float, depth: int, in_bytes: bool
) -> None:
    corpus = [Document(str(number), text) for number, text in enumerate(texts)]
    index = (QuantisedBM25 if in_bytes else BM25)(corpus, k1=k1, b=b, analyser="lucene")
    (hits,) = index.search([Query("q", query)], [depth])
    terms = [lucene_terms(text) for text in texts]
    if any(terms):
        length = rounded if in_bytes else (lambda n: n)
        expected = np.array(bm25_scores(terms, lucene_terms(query), k1, b, length))
    else:
        expected = np.zeros(len(texts))
    assert len(hits.positions) == len(set(hits.positions)) == min(depth, np.count_nonzero(expected))
    np.testing.assert_allclose(hits.scores, expected[list(hits.positions)], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        hits.scores, np.sort(expected[expected > 0])[::-1][:depth], rtol=1e-5, atol=1e-6
    )


@given(
    st.lists(TEXT, min_size=1, max_size=40),
    TEXT,
    st.sampled_from([0.0, 0.9, 1.2]),
    st.sampled_from([0.0, 0.4, 0.75, 1.0]),
)
def test_scores_are_those_of_bm25s_to_the_bit(texts: list[str], query: str, k1: float, b: float) -> None:
    terms = [lucene_terms(text) for text in texts]
    filled = [number for number, one in enumerate(terms) if one]
    peer = bm25s.BM25(method="lucene", k1=k1, b=b)
    asked = [term for term in lucene_terms(query) if any(term in one for one in terms)]
    expected = np.zeros(len(texts), dtype=np.float32)
    if asked:
        peer.index([terms[number] for number in filled], show_progress=False)
        expected[filled] = peer.get_scores(asked)
    corpus = [Document(str(number), text) for number, text in enumerate(texts)]
    (hits,) = BM25(corpus, k1=k1, b=b, analyser="lucene").search([Query("q", query)], [len(texts)])
    assert dict(zip(hits.positions, hits.scores, strict=True)) == {
        number: score for number, score in enumerate(expected.tolist()) if score
    }


@pytest.mark.parametrize("index", [BM25, QuantisedBM25])
def test_equal_scores_are_in_corpus_order_and_what_does_not_match_is_not_a_candidate(index: type) -> None:
    texts = ["nothing here", "a wing", "empty", "a wing", "the wing"]
    corpus = [Document(f"d{number}", text) for number, text in enumerate(texts)]
    hits, none = index(corpus, analyser="simple").search([Query("q", "wings"), Query("r", "zzz")], [4, 4])
    assert hits.positions == (1, 3, 4)
    assert hits.scores[0] == hits.scores[1] == hits.scores[2] > 0
    assert none.positions == none.scores == ()


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 2.5]), max_size=40), st.integers(0, 45))
def test_best_is_a_stable_sort(values: list[float], depth: int) -> None:
    expected = sorted(range(len(values)), key=lambda position: -values[position])[:depth]
    assert best(np.array(values), depth).tolist() == expected


def test_the_title_counts_and_stop_words_do_not() -> None:
    corpus = [Document("a", "about something else", title="Wing theory"), Document("b", "the is of a")]
    (hits,) = BM25(corpus).search([Query("q", "the wing")], [2])
    assert hits.positions == (0,)


def rounded(length: int) -> int:
    """Lucene's SmallFloat, from its definition: 24 free values, then 4 significant bits of the rest."""
    rest = length - 24
    shift = max(0, rest.bit_length() - 4)
    return length if rest < 0 else 24 + (rest >> shift << shift)


@given(st.integers(0, 2**31 - 1))
def test_a_length_is_rounded_down_to_one_that_a_byte_can_tell(length: int) -> None:
    assert quantised(np.array([float(length)])).tolist() == [rounded(length)]


Analyser = Literal["lucene", "simple"]


def rankings(dataset: Dataset, analyser: Analyser, quantised: bool) -> dict[str, tuple[str, ...]]:
    index = (QuantisedBM25 if quantised else BM25)(tuple(dataset.corpus.values()), analyser=analyser)
    return {one.query_id: one.document_ids for one in candidates(index, dataset, 100)}


@pytest.mark.parametrize(
    ("analyser", "quantised", "mark"),
    [("simple", False, 65.30), ("lucene", False, 66.05), ("lucene", True, 66.19)],
)
def test_bm25_has_its_scores_on_lee(
    lee_dataset: Dataset, analyser: Analyser, quantised: bool, mark: float
) -> None:
    found = rankings(lee_dataset, analyser, quantised)
    assert min(len(ids) for ids in found.values()) == 28
    assert ndcg_at_10(lee_dataset.qrels, found) == pytest.approx(mark, abs=0.05)
    assert recall(lee_dataset, found) == pytest.approx(86.5, abs=0.05)


def recall(dataset: Dataset, found: dict[str, tuple[str, ...]]) -> float:
    """Return the mean share of a query's relevant documents among its candidates, in percent."""
    relevant = {query: {i for i, grade in one.items() if grade > 0} for query, one in dataset.qrels.items()}
    return 100 * float(np.mean([len(ids & set(found[query])) / len(ids) for query, ids in relevant.items()]))


@pytest.fixture(scope="module")
def cranfield(shared_data: Path) -> Dataset:
    folder = shared_data / "cranfield"
    queries, qrels = read_queries(folder / "queries.jsonl"), read_qrels(folder / "qrels" / "test.tsv")
    judged = {query_id: query for query_id, query in queries.items() if query_id in qrels}
    return Dataset("cranfield", read_corpus(folder / "corpus.jsonl"), judged, qrels)


@pytest.mark.parametrize(
    ("analyser", "quantised", "mark", "share"),
    [
        ("simple", False, 34.42, 72.1),
        ("lucene", False, 34.20, 72.1),
        ("lucene", True, 34.17, 72.1),
    ],
)
def test_bm25_has_its_scores_on_cranfield(
    cranfield: Dataset, analyser: Analyser, quantised: bool, mark: float, share: float
) -> None:
    found = rankings(cranfield, analyser, quantised)
    assert ndcg_at_10(cranfield.qrels, found) == pytest.approx(mark, abs=0.05)
    assert recall(cranfield, found) == pytest.approx(share, abs=0.1)
