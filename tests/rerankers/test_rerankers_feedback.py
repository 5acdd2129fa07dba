"""Rocchio feedback against the formula written out, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_vectors import (
    ToyEncoder,
    assert_ranked_by,
    candidate_list,
    document_vector,
    dot,
    query_vector,
    random_collection,
)

from e2rank_eval.records import Query
from e2rank_eval.rerankers.families.feedback import FeedbackReranker, FeedbackSettings


def reranker(documents: int = 3, weight: float = 0.5, **options: object) -> FeedbackReranker:
    given_settings = FeedbackSettings(
        family="feedback", model="toy", documents=documents, weight=weight, **options
    )
    return FeedbackReranker(ToyEncoder(), given_settings)


@given(
    st.integers(0, 10_000),
    st.lists(st.integers(0, 25), min_size=1, max_size=4),
    st.integers(1, 30),
    st.floats(0.1, 5),
)
def test_agrees_with_the_formula(seed: int, sizes: list[int], documents: int, weight: float) -> None:
    queries, lists = random_collection(seed, sizes)
    rankings = reranker(documents, weight).rank_candidates(queries, lists)
    for query, candidates, ranking in zip(queries, lists, rankings, strict=True):
        vectors = [document_vector(document.contents) for document in candidates.documents]
        scores: list[float] = []
        if vectors:
            mean = np.mean(vectors[:documents], axis=0)
            expanded = query_vector(query.text) + weight * mean / np.linalg.norm(mean)
            scores = [dot(expanded / np.linalg.norm(expanded), vector) for vector in vectors]
        assert ranking.stats.scores == pytest.approx(scores, abs=2e-6)
        assert_ranked_by(ranking.order, scores)
        assert ranking.stats.prompt_documents == min(documents, len(vectors))


@given(
    st.integers(0, 10_000),
    st.integers(0, 25),
    st.integers(1, 30),
    st.floats(0.02, 2),
)
def test_softmax_agrees_with_the_formula(seed: int, size: int, documents: int, temperature: float) -> None:
    (query,), (candidates,) = random_collection(seed, [size])
    model = reranker(documents, 1.0, method="softmax", temperature=temperature)
    ranking = model.rank_candidates([query], [candidates])[0]
    vectors = [document_vector(document.contents) for document in candidates.documents]
    asked, mean, total = query_vector(query.text), np.zeros(len(query_vector(query.text))), 0.0
    for vector in vectors[:documents]:
        share = np.exp((dot(asked, vector) - 1) / temperature)
        mean, total = mean + share * vector, total + share
    scores = []
    if vectors:
        expanded = asked + (mean / total) / np.linalg.norm(mean / total)
        scores = [dot(expanded / np.linalg.norm(expanded), vector) for vector in vectors]
    assert ranking.stats.scores == pytest.approx(scores, abs=2e-6)
    assert_ranked_by(ranking.order, scores)


def test_an_option_of_softmax_is_refused_elsewhere() -> None:
    with pytest.raises(ValueError, match="method"):
        FeedbackSettings(family="feedback", model="toy", temperature=0.2)


def test_statistics_count_the_work_and_the_fingerprint_follows_the_settings() -> None:
    candidates = candidate_list("q", ["a b", "c"])
    stats = reranker().rank_candidates([Query("q", "x y z")], [candidates])[0].stats
    assert (stats.calls, stats.prompt_tokens, stats.document_tokens) == (1, 3, 3)
    assert (stats.prompt_documents, stats.truncated_documents, stats.prompt) == (2, 0, None)
    names = {reranker().fingerprint, reranker(2).fingerprint, reranker(weight=1.0).fingerprint}
    assert len(names) == 3
    assert reranker(label="Rocchio").fingerprint == reranker().fingerprint


def test_feedback_that_cancels_out_is_an_error_not_a_ranking() -> None:
    class Opposed(ToyEncoder):
        def encode(self, texts, kind):  # type: ignore[no-untyped-def]
            encoded = super().encode(texts, kind)
            if kind == "document":
                encoded.vectors[1] = -encoded.vectors[0]
            return encoded

    model = FeedbackReranker(Opposed(), FeedbackSettings(family="feedback", model="toy", documents=2))
    with pytest.raises(ValueError, match="no direction"):
        model.rank_candidates([Query("q", "x")], [candidate_list("q", ["a", "b"])])[0]
