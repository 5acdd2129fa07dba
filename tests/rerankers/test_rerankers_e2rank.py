"""E2Rank's logic on a toy encoder, against the method written out one query at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_vectors import (
    ToyEncoder,
    candidate_list,
    document_vector,
    dot,
    listwise_vector,
    query_vector,
    random_collection,
)

from e2rank_eval.configuration import E2RankSettings
from e2rank_eval.encoders.base import Encoded, Kind
from e2rank_eval.errors import InputError
from e2rank_eval.records import CandidateList, Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.e2rank import E2RankReranker

SIZES = st.lists(st.integers(0, 30), min_size=1, max_size=5)


def reranker(encoder: Any = None, *, seed: int = 0, **options: Any) -> E2RankReranker:
    return E2RankReranker(
        encoder or ToyEncoder(), E2RankSettings(family="e2rank", model="toy", **options), seed=seed
    )


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
            # The window at the top is a full one, whatever the step left.
            end = min(len(order), start + options["prompt_documents"])
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
@settings(max_examples=150, deadline=None)
def test_agrees_with_the_reference(seed: int, sizes: list[int], options: dict[str, Any]) -> None:
    queries, lists = random_collection(seed, sizes)
    rankings = reranker(**options).rank_many(queries, lists)
    for query, candidates, ranking in zip(queries, lists, rankings, strict=True):
        order, expected = reference(query, candidates, options)
        assert ranking.trace.scores == pytest.approx(expected, abs=2e-6)
        assert list(ranking.order) == order


@given(st.integers(0, 10_000), SIZES, OPTIONS, st.integers(2, 12), st.data())
@settings(max_examples=100, deadline=None)
def test_sliding_windows_agree_with_the_reference(
    seed: int, sizes: list[int], options: dict[str, Any], window: int, data: st.DataObject
) -> None:
    queries, lists = random_collection(seed, sizes)
    step = data.draw(st.integers(1, window))
    options = {} if options.get("prompt") == "query-only" else dict(options)
    options |= {"prompt_documents": window, "step": step}
    for query, candidates, ranking in zip(
        queries, lists, reranker(**options).rank_many(queries, lists), strict=True
    ):
        order, _ = reference(query, candidates, options)
        assert list(ranking.order) == order
        assert not ranking.trace.scores
        windows = 0 if len(candidates) < 2 else 1 + max(0, -(-(len(candidates) - window) // step))
        plain = "residual" in options.values() or "query-only" in options.values()
        assert ranking.trace.calls == options.get("passes", 1) * windows + (plain and len(candidates) > 0)
        assert ranking.trace.prompt_documents == (len(candidates) if windows else 0)


@given(
    st.integers(0, 10_000),
    SIZES,
    st.sampled_from(["first-stage", "reversed", "shuffled", "query-only"]),
    st.sampled_from([{}, {"passes": 2}, {"step": 3}, {"step": 5, "passes": 2}]),
)
@settings(max_examples=60, deadline=None)
def test_many_queries_rank_as_one_by_one(
    seed: int, sizes: list[int], prompt_order: str, windows: dict[str, int]
) -> None:
    queries, lists = random_collection(seed, sizes)
    model = reranker(
        prompt_documents=5, prompt_order=prompt_order, combination="residual", seed=seed, **windows
    )
    together = model.rank_many(queries, lists)
    alone = [model.rank(q, c) for q, c in reversed(list(zip(queries, lists, strict=True)))][::-1]
    assert [r.order for r in together] == [r.order for r in alone]
    assert [r.trace for r in together] == [r.trace for r in alone]


@given(st.integers(0, 10_000), st.lists(st.integers(0, 7), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_equal_texts_tie_and_keep_first_stage_order(seed: int, picks: list[int]) -> None:
    texts = [f"w{seed + p} w{p} common" for p in picks]
    ranking = reranker(prompt_documents=4).rank(Query("q", "common w1"), candidate_list("q", texts))
    for text in set(texts):
        positions = [position for position in ranking.order if texts[position] == text]
        ranks = [ranking.order.index(position) for position in positions]
        assert positions == sorted(positions)
        assert ranks == list(range(ranks[0], ranks[0] + len(ranks)))


def test_ranking_can_be_recomputed_from_the_trace() -> None:
    queries, lists = random_collection(3, [30])
    ranking = reranker().rank(queries[0], lists[0])
    scores = ranking.trace.scores
    assert scores is not None
    assert list(ranking.order) == sorted(range(30), key=lambda i: (-scores[i], i))
    assert all(score == round(score, 6) for score in scores)


def test_a_large_weight_tends_to_the_query_only_ranking() -> None:
    queries, lists = random_collection(11, [30] * 4)
    near = reranker(combination="residual", weight=10.0).rank_many(queries, lists)
    far = reranker(combination="residual", weight=0.01).rank_many(queries, lists)
    plain = reranker(prompt="query-only").rank_many(queries, lists)
    pure = reranker().rank_many(queries, lists)

    def distance(a: Any, b: Any) -> float:
        pairs = zip(a, b, strict=True)
        return max(np.abs(np.subtract(x.trace.scores, y.trace.scores)).max() for x, y in pairs)

    assert distance(near, plain) < 0.12 < distance(far, plain)
    assert distance(far, pure) < 0.02 < distance(near, pure)


def test_prompt_lists_the_first_candidates_in_the_order_asked_for() -> None:
    candidates = candidate_list("q", ["a", "b", "c", "d", "e"])
    query = Query("q", "x")
    prompts = {
        order: reranker(prompt_documents=3, prompt_order=order).rank(query, candidates).trace.prompt
        for order in ("first-stage", "reversed", "shuffled")
    }
    assert prompts["first-stage"] == "x | a | b | c"
    assert prompts["reversed"] == "x | c | b | a"
    assert sorted(str(prompts["shuffled"]).split(" | ")) == ["a", "b", "c", "x"]


def test_shuffling_is_seeded_by_query_and_seed() -> None:
    texts = [f"w{i}" for i in range(12)]

    def prompt(query_id: str, seed: int) -> str | None:
        model = reranker(prompt_order="shuffled", seed=seed)
        return model.rank(Query(query_id, "x"), candidate_list(query_id, texts)).trace.prompt

    assert prompt("q1", 7) == prompt("q1", 7)
    assert len({prompt("q1", 7), prompt("q2", 7), prompt("q1", 8)}) == 3


def test_each_distinct_document_is_encoded_once_for_all_queries() -> None:
    encoder = ToyEncoder()
    lists = [candidate_list("q1", ["a", "b", "a"]), candidate_list("q2", ["b", "c"])]
    reranker(encoder).rank_many([Query("q1", "x"), Query("q2", "y")], lists)
    assert encoder.calls == [("document", ["a", "b", "c"]), ("listwise", ["x", "y"])]


def test_prepared_documents_are_never_encoded_again() -> None:
    encoder = ToyEncoder()
    candidates = candidate_list("q", ["a", "b", "c"])
    model = reranker(encoder)
    online = model.rank(Query("q", "x"), candidates)
    model.prepare(candidates.documents[:2])
    model.prepare(candidates.documents)
    encoder.calls.clear()
    stored = model.rank(Query("q", "x"), candidates)
    assert encoder.calls == [("listwise", ["x"])]
    assert stored.order == online.order
    assert stored.trace == dataclasses.replace(online.trace, document_tokens=0)


def test_no_candidate_and_one_candidate() -> None:
    encoder = ToyEncoder()
    model = reranker(encoder)
    nothing = model.rank(Query("q", "x"), candidate_list("q", []))
    assert (nothing.order, nothing.trace.calls, encoder.calls) == ((), 0, [])
    one = model.rank(Query("q", "x"), candidate_list("q", ["a b"]))
    assert one.order == (0,)
    expected = dot(listwise_vector("x", ["a b"]), document_vector("a b"))
    assert one.trace.scores == pytest.approx([expected], abs=2e-6)


def test_trace_counts_what_ranking_took() -> None:
    long = "w " * 20
    middling = "w " * 9
    candidates = candidate_list("q", [long, middling, "a b", "c", long + "x", "d e", "c"])
    trace = reranker(prompt_documents=3).rank(Query("q", "x y"), candidates).trace
    assert trace.calls == 1
    assert trace.prompt_documents == 3
    assert trace.prompt_tokens == 3 * 6
    assert trace.document_tokens == 12 + 9 + 2 + 1 + 12 + 2
    assert trace.truncated_documents == 2 + 1, "long and middling in the prompt, the other long one by itself"
    residual = reranker(prompt_documents=3, combination="residual").rank(Query("q", "x y"), candidates).trace
    assert (residual.calls, residual.prompt_tokens) == (2, 3 * 6 + 2)
    plain = reranker(prompt="query-only").rank(Query("q", "x y"), candidates).trace
    assert (plain.calls, plain.prompt_tokens, plain.prompt_documents, plain.prompt) == (1, 2, 0, None)
    assert plain.truncated_documents == 2


class Unlimited(ToyEncoder):
    """Cuts nothing, so that only the word limit does."""

    def encode(self, texts: Any, kind: Kind) -> Encoded:
        return dataclasses.replace(super().encode(texts, kind), truncated=(0,) * len(texts))

    def encode_listwise(self, inputs: Any) -> Encoded:
        return dataclasses.replace(super().encode_listwise(inputs), truncated=(0,) * len(inputs))


@pytest.mark.parametrize("prompt_documents", [1, 2, 20])
def test_documents_are_cut_at_1024_words_before_the_encoder(prompt_documents: int) -> None:
    encoder = Unlimited()
    candidates = candidate_list("q", ["v", "w " * 1030, "w " * 1024, "u"])
    trace = reranker(encoder, prompt_documents=prompt_documents).rank(Query("q", "x"), candidates).trace
    whole = " ".join(["w"] * 1024)
    assert encoder.calls[0] == ("document", ["v", whole, "u"])
    assert trace.truncated_documents == 1, "equal after the cut, yet only one of them was cut"


def test_seconds_by_phase() -> None:
    queries, lists = random_collection(1, [5, 5])
    for ranking in (reranker().rank(queries[0], lists[0]), *reranker().rank_many(queries, lists)):
        assert set(ranking.seconds) == {"documents", "prompt", "scoring", "total"}
        parts = sum(seconds for phase, seconds in ranking.seconds.items() if phase != "total")
        assert 0 < parts <= ranking.seconds["total"]


class BrokenEncoder(ToyEncoder):
    """Refuses a batch with the word ``broken`` in it, without saying where."""

    def encode(self, texts: Any, kind: Kind) -> Encoded:
        if any("broken" in text for text in texts):
            raise InputError("the model gave a vector that is not finite", mend="check its weights")
        return super().encode(texts, kind)


def test_the_document_that_cannot_be_encoded_is_named() -> None:
    model = reranker(BrokenEncoder())
    candidates = candidate_list("q", ["a", "b", "broken c", "d"])
    with pytest.raises(InputError, match=r"document 'q-d2': .* not finite; check its weights"):
        model.rank(Query("q", "x"), candidates)
    with pytest.raises(InputError, match="document 'q-d2'"):
        model.prepare(candidates.documents)


def test_a_score_that_is_not_finite_is_no_ranking() -> None:
    class Silent(ToyEncoder):
        def encode(self, texts: Any, kind: Kind) -> Encoded:
            encoded = super().encode(texts, kind)
            encoded.vectors[1] = np.nan
            return encoded

    with pytest.raises(ValueError, match="candidate 2 is not finite"):
        reranker(Silent()).rank(Query("q", "x"), candidate_list("q", ["a", "b", "c"]))


def test_fingerprint_holds_what_decides_a_ranking_and_nothing_else() -> None:
    base = reranker().fingerprint
    assert reranker(label="other", on_error="keep-first-stage", seed=5).fingerprint == base
    changed = [
        reranker(passes=2),
        reranker(step=20),
        reranker(step=10),
        reranker(prompt_order="query-only"),
        reranker(prompt="readme"),
        reranker(prompt_documents=5),
        reranker(combination="residual"),
        reranker(combination="residual", weight=0.5),
        reranker(prompt_order="shuffled", seed=1),
        reranker(prompt_order="shuffled", seed=2),
        reranker(document_tokens=64),
    ]
    other = ToyEncoder()
    other.fingerprint = "another revision"
    assert len({base, reranker(other).fingerprint, *(one.fingerprint for one in changed)}) == len(changed) + 2


class Provider:
    """Keeps what encoder it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int | None]] = []

    def encoder(self, name: str, *, prompt: str = "eval", document_tokens: int | None = None) -> ToyEncoder:
        self.asked.append((name, prompt, document_tokens))
        return ToyEncoder()

    def language_model(self, name: str) -> Any:
        raise AssertionError(name)

    def path(self, name: str) -> Any:
        raise AssertionError(name)


def test_from_settings_asks_for_the_encoder_that_settings_describe() -> None:
    provider = Provider()
    for options in ({"prompt": "readme", "document_tokens": 64}, {"prompt": "query-only"}):
        E2RankReranker.from_settings(
            E2RankSettings(family="e2rank", model="m", **options), RerankContext(provider, seed=3)
        )
    assert provider.asked == [("m", "readme", 64), ("m", "eval", None)]
