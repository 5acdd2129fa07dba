"""E2Rank's logic on a toy encoder, against the method written out one query at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_vectors import (
    candidate_list,
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
    """Positions by falling score at the 6 decimals that decide."""
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
    order, scores = list(range(len(texts))), [0.0] * len(texts)
    for _ in range(options.get("passes", 1)):
        if "step" not in options:
            found = scores_by_one_prompt(query, [texts[i] for i in order], options)
            for position, score in zip(order, found, strict=True):
                scores[position] = score
            order = [order[place] for place in stable(found)]
            continue
        end = len(order)
        while len(order) > 1:
            start = max(0, end - options["prompt_documents"])
            window = order[start:end]
            found = scores_by_one_prompt(query, [texts[i] for i in window], options)
            order[start:end] = [window[place] for place in stable(found)]
            if start == 0:
                break
            end -= options["step"]
    return order, None if "step" in options else scores


PROMPTED = st.fixed_dictionaries(
    {"prompt_documents": st.integers(1, 25)},
    optional={
        "prompt": st.sampled_from(["eval", "readme", "training"]),
        "prompt_order": st.sampled_from(["first-stage", "reversed", "query-only"]),
        "passes": st.integers(1, 3),
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
        assert ranking.stats.calls == options.get("passes", 1) * windows + (plain and len(candidates) > 0)
        assert ranking.stats.prompt_documents == (len(candidates) - alone if windows else 0)


@given(
    st.integers(0, 10_000),
    SIZES,
    st.sampled_from(["first-stage", "reversed", "shuffled", "query-only"]),
    st.sampled_from([{}, {"passes": 2}, {"step": 3}, {"step": 5, "passes": 2}]),
)
def test_many_queries_rank_as_one_by_one(
    seed: int, sizes: list[int], prompt_order: str, windows: dict[str, int]
) -> None:
    queries, lists = random_collection(seed, sizes)
    model = toy_e2rank(
        prompt_documents=5, prompt_order=prompt_order, combination="residual", seed=seed, **windows
    )
    together = model.rank_candidates(queries, lists)
    alone = [model.rank_candidates([q], [c])[0] for q, c in reversed(list(zip(queries, lists, strict=True)))][
        ::-1
    ]
    assert [r.order for r in together] == [r.order for r in alone]
    assert [r.stats for r in together] == [r.stats for r in alone]


@given(st.integers(0, 10_000), st.lists(st.integers(0, 7), min_size=2, max_size=30))
def test_equal_texts_tie_and_keep_first_stage_order(seed: int, picks: list[int]) -> None:
    texts = [f"w{seed + p} w{p} common" for p in picks]
    ranking = toy_e2rank(prompt_documents=4).rank_candidates(
        [Query("q", "common w1")], [candidate_list("q", texts)]
    )[0]
    for text in set(texts):
        positions = [position for position in ranking.order if texts[position] == text]
        ranks = [ranking.order.index(position) for position in positions]
        assert positions == sorted(positions)
        assert ranks == list(range(ranks[0], ranks[0] + len(ranks)))


def test_ranking_can_be_recomputed_from_the_trace() -> None:
    queries, lists = random_collection(3, [30])
    ranking = toy_e2rank().rank_candidates([queries[0]], [lists[0]])[0]
    scores = ranking.stats.scores
    assert scores is not None
    assert list(ranking.order) == sorted(range(30), key=lambda i: (-scores[i], i))
    assert all(score == round(score, 6) for score in scores)


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
