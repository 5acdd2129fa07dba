"""Exact dense search compared with a float64 sort, ties in corpus order, and a score on a real collection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrieval_reference import ndcg_at_10

from e2rank_eval.models.encoders.base import Encoded, Kind
from e2rank_eval.models.loading import load_encoder
from e2rank_eval.models.registry import registered_model
from e2rank_eval.records import Dataset, Document, ListwiseInput, Query
from e2rank_eval.retrieval.base import candidates
from e2rank_eval.retrieval.first_stages import dense
from e2rank_eval.retrieval.first_stages.dense import Dense


class SeededVectors:
    """A unit vector for each number, as a text; equal numbers have equal vectors."""

    name = fingerprint = document_fingerprint = "seeded"
    dimension = 16

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = np.random.default_rng(int(text)).normal(size=self.dimension)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Encoded(vectors, (1,) * len(texts), (0,) * len(texts))

    def encode_listwise(self, inputs: Sequence[ListwiseInput]) -> Encoded:
        raise NotImplementedError


def sorted_by_definition(corpus: list[int], query: int, depth: int) -> list[tuple[int, float]]:
    encoder = SeededVectors()
    documents = encoder.encode([str(one) for one in corpus], "document").vectors.astype(np.float64)
    vector = encoder.encode([str(query)], "query").vectors[0].astype(np.float64)
    scores = [round(float((row * vector).sum()), 6) for row in documents]
    order = sorted(range(len(corpus)), key=lambda position: -scores[position])[:depth]
    return [(position, scores[position]) for position in order]


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=90),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 100)), min_size=1, max_size=5),
)
def test_hits_equal_a_plain_sort(corpus: list[int], asked: list[tuple[int, int]]) -> None:
    documents = [Document(str(position), str(number)) for position, number in enumerate(corpus)]
    queries = [Query(str(index), str(number)) for index, (number, _) in enumerate(asked)]
    depths = [depth for _, depth in asked]
    found_by_query = Dense(documents, SeededVectors()).search(queries, depths)
    for hits, (number, depth) in zip(found_by_query, asked, strict=True):
        found = list(zip(hits.positions, hits.scores, strict=True))
        expected = sorted_by_definition(corpus, number, depth)
        assert [position for position, _ in found] == [position for position, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-9)


def test_more_queries_than_are_scored_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "SCORES", 64 * 3000)
    documents = [Document(str(number), str(number)) for number in range(3000)]
    queries = [Query(f"q{number}", str(number)) for number in range(0, 3000, 20)]
    depths = [20] * len(queries)
    found = Dense(documents, SeededVectors()).search(queries, depths)
    assert [hits.positions[0] for hits in found] == list(range(0, 3000, 20))


def test_minilm_on_lee(minilm_path: Path, lee_dataset: Dataset) -> None:
    encoder = load_encoder(minilm_path, registered_model("all-minilm-l6-v2"), file_hashes={})
    lists = candidates(Dense(tuple(lee_dataset.corpus.values()), encoder), lee_dataset, 100)
    assert {len(one) for one in lists} == {49}
    found = {one.query_id: one.document_ids for one in lists}
    assert ndcg_at_10(lee_dataset.qrels, found) == pytest.approx(76.5, abs=0.05)
