"""E2Rank's logic on a toy encoder, against the method written out one query at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_vectors import (
    document_vector,
    dot,
    listwise_vector,
    query_vector,
    random_collection,
    toy_e2rank,
)

from e2rank_eval.records import CandidateList, Query

SIZES = st.lists(st.integers(0, 30), min_size=1, max_size=5)


def stable(scores: list[float]) -> list[int]:
    """Return positions by descending score, rounded to 6 decimals as in the suite."""
    return sorted(range(len(scores)), key=lambda i: (-round(scores[i], 6), i))


def scores_by_one_prompt(query: Query, texts: list[str], options: dict[str, Any]) -> list[float]:
    """The method from its description: no batching, no sharing."""
    plain = query_vector(query.text).astype(np.float32)
    documents = [document_vector(text).astype(np.float32) for text in texts]
    vector = plain
    if options.get("prompt") != "query-only":
        listed = texts[: options.get("prompt_documents", 20)]
        if options.get("prompt_order") == "reversed":
            listed = listed[::-1]
        if options.get("prompt_order") == "query-only":
            listed = [listed[i] for i in stable([dot(plain, one) for one in documents[: len(listed)]])]
        vector = listwise_vector(query.text, listed).astype(np.float32)
        if options.get("combination") == "residual":
            vector = options.get("weight", 1.0) * plain.astype(float) + vector
    vector = vector / np.linalg.norm(vector.astype(float))
    return [dot(vector, one) for one in documents]


def reference(
    query: Query, candidates: CandidateList, options: dict[str, Any]
) -> tuple[list[int], list[float] | None]:
    """Order of first-stage positions, and the scores where one vector gave them."""
    texts = [document.contents for document in candidates.documents]
    if "step" not in options:
        scores = scores_by_one_prompt(query, texts, options)
        return stable(scores), scores
    order, end = list(range(len(texts))), len(texts)
    while len(order) > 1:
        start = max(0, end - options["prompt_documents"])
        window = order[start:end]
        found = scores_by_one_prompt(query, [texts[i] for i in window], options)
        order[start:end] = [window[place] for place in stable(found)]
        if start == 0:
            break
        end -= options["step"]
    return order, None


PROMPTED = st.fixed_dictionaries(
    {"prompt_documents": st.integers(1, 25)},
    optional={
        "prompt": st.sampled_from(["eval", "readme", "training"]),
        "prompt_order": st.sampled_from(["first-stage", "reversed", "query-only"]),
    },
)
COMBINED = st.one_of(
    st.just({}),
    st.just({"combination": "pure"}),
    st.fixed_dictionaries({"combination": st.just("residual")}, optional={"weight": st.floats(0.1, 10)}),
)
OPTIONS = st.one_of(
    st.just({"prompt": "query-only"}), st.tuples(PROMPTED, COMBINED).map(lambda both: both[0] | both[1])
)


@given(st.integers(0, 10_000), SIZES, OPTIONS)
def test_agrees_with_the_reference(seed: int, sizes: list[int], options: dict[str, Any]) -> None:
    queries, lists = random_collection(seed, sizes)
    rankings = toy_e2rank(**options).rank_candidates(queries, lists)
    for query, candidates, ranking in zip(queries, lists, rankings, strict=True):
        order, expected = reference(query, candidates, options)
        assert ranking.stats.scores == pytest.approx(expected, abs=2e-6)
        assert list(ranking.order) == order


@given(st.integers(0, 10_000), SIZES, OPTIONS, st.integers(2, 12), st.data())
def test_sliding_windows_agree_with_the_reference(
    seed: int, sizes: list[int], options: dict[str, Any], window: int, data: st.DataObject
) -> None:
    queries, lists = random_collection(seed, sizes)
    step = data.draw(st.integers(1, window))
    options = {} if options.get("prompt") == "query-only" else dict(options)
    options |= {"prompt_documents": window, "step": step}
    for query, candidates, ranking in zip(
        queries, lists, toy_e2rank(**options).rank_candidates(queries, lists), strict=True
    ):
        order, _ = reference(query, candidates, options)
        assert list(ranking.order) == order
        assert not ranking.stats.scores
        windows = 0 if len(candidates) < 2 else 1 + max(0, -(-(len(candidates) - window) // step))
        # Windows that do not overlap can leave the top document by itself: nothing to compare it to.
        alone = window == step and len(candidates) > 1 and len(candidates) % window == 1
        windows -= alone
        plain = "residual" in options.values() or "query-only" in options.values()
        assert ranking.stats.calls == windows + (plain and len(candidates) > 0)
        assert ranking.stats.prompt_documents == (len(candidates) - alone if windows else 0)


def test_a_large_weight_tends_to_the_query_only_ranking() -> None:
    queries, lists = random_collection(11, [30] * 4)
    near = toy_e2rank(combination="residual", weight=10.0).rank_candidates(queries, lists)
    far = toy_e2rank(combination="residual", weight=0.01).rank_candidates(queries, lists)
    plain = toy_e2rank(prompt="query-only").rank_candidates(queries, lists)
    pure = toy_e2rank().rank_candidates(queries, lists)

    def distance(a: Any, b: Any) -> float:
        pairs = zip(a, b, strict=True)
        return max(np.abs(np.subtract(x.stats.scores, y.stats.scores)).max() for x, y in pairs)

    assert distance(near, plain) < 0.12 < distance(far, plain)
    assert distance(far, pure) < 0.02 < distance(near, pure)
