"""E2Rank's calls of its encoder, its statistics, refusals and fingerprint."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from toy_vectors import (
    ToyEncoder,
    candidate_list,
    random_collection,
    toy_e2rank,
)

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoded, Kind
from e2rank_eval.models.timing import part, watched
from e2rank_eval.records import Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.families.e2rank import E2RankSettings


def test_prompt_lists_the_first_candidates_in_the_order_asked_for() -> None:
    candidates = candidate_list("q", ["a", "b", "c", "d", "e"])
    query = Query("q", "x")
    prompts = {
        order: toy_e2rank(prompt_documents=3, prompt_order=order)
        .rank_candidates([query], [candidates])[0]
        .stats.prompt
        for order in ("first-stage", "reversed", "shuffled")
    }
    assert prompts["first-stage"] == "x | a | b | c"
    assert prompts["reversed"] == "x | c | b | a"
    assert sorted(str(prompts["shuffled"]).split(" | ")) == ["a", "b", "c", "x"]


def test_shuffling_is_seeded_by_query_and_seed() -> None:
    texts = [f"w{i}" for i in range(12)]

    def prompt(query_id: str, seed: int) -> str | None:
        model = toy_e2rank(prompt_order="shuffled", seed=seed)
        return model.rank_candidates([Query(query_id, "x")], [candidate_list(query_id, texts)])[
            0
        ].stats.prompt

    assert prompt("q1", 7) == prompt("q1", 7)
    assert len({prompt("q1", 7), prompt("q2", 7), prompt("q1", 8)}) == 3


def test_each_distinct_document_is_encoded_once_for_all_queries() -> None:
    encoder = ToyEncoder()
    lists = [candidate_list("q1", ["a", "b", "a"]), candidate_list("q2", ["b", "c"])]
    toy_e2rank(encoder).rank_candidates([Query("q1", "x"), Query("q2", "y")], lists)
    assert encoder.calls == [("document", ["a", "b", "c"]), ("listwise", ["x", "y"])]


def test_stored_documents_are_never_encoded_again() -> None:
    encoder = ToyEncoder()
    candidates = candidate_list("q", ["a", "b", "c"])
    model = toy_e2rank(encoder)
    online = model.rank_candidates([Query("q", "x")], [candidates])[0]
    model.encode_documents(candidates.documents[:2])
    model.encode_documents(candidates.documents)
    encoder.calls.clear()
    stored = model.rank_candidates([Query("q", "x")], [candidates])[0]
    assert encoder.calls == [("listwise", ["x"])]
    assert stored.order == online.order
    assert stored.stats == dataclasses.replace(online.stats, document_tokens=0)


def test_statistics_count_the_work_of_ranking() -> None:
    long = "w " * 20
    middling = "w " * 9
    candidates = candidate_list("q", [long, middling, "a b", "c", long + "x", "d e", "c"])
    stats = toy_e2rank(prompt_documents=3).rank_candidates([Query("q", "x y")], [candidates])[0].stats
    assert stats.calls == 1
    assert stats.prompt_documents == 3
    assert stats.prompt_tokens == 3 * 6
    assert stats.document_tokens == 12 + 9 + 2 + 1 + 12 + 2
    assert stats.truncated_documents == 2 + 1, "long and middling in the prompt, the other long one by itself"
    residual = (
        toy_e2rank(prompt_documents=3, combination="residual")
        .rank_candidates([Query("q", "x y")], [candidates])[0]
        .stats
    )
    assert (residual.calls, residual.prompt_tokens) == (2, 3 * 6 + 2)
    plain = toy_e2rank(prompt="query-only").rank_candidates([Query("q", "x y")], [candidates])[0].stats
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
    stats = (
        toy_e2rank(encoder, prompt_documents=prompt_documents)
        .rank_candidates([Query("q", "x")], [candidates])[0]
        .stats
    )
    whole = " ".join(["w"] * 1024)
    assert encoder.calls[0] == ("document", ["v", whole, "u"])
    assert stats.truncated_documents == 1, "equal after the cut, yet only one of them was cut"


def test_seconds_by_phase() -> None:
    queries, lists = random_collection(1, [5, 5])
    with watched() as seconds, part("total"):
        toy_e2rank().rank_candidates(queries, lists)
    assert seconds.wall.keys() == seconds.cpu.keys() == {"documents", "prompt", "scoring", "total"}
    total = seconds.wall.pop("total")
    assert 0 < sum(seconds.wall.values()) <= total


class BrokenEncoder(ToyEncoder):
    """Refuses a batch with the word ``broken`` in it, without saying where."""

    def encode(self, texts: Any, kind: Kind) -> Encoded:
        if any("broken" in text for text in texts):
            raise InputError("the model gave a vector that is not finite", hint="check its weights")
        return super().encode(texts, kind)


def test_the_document_that_cannot_be_encoded_is_named() -> None:
    model = toy_e2rank(BrokenEncoder())
    candidates = candidate_list("q", ["a", "b", "broken c", "d"])
    with pytest.raises(InputError, match=r"document 'q-d2': .* not finite; check its weights"):
        model.rank_candidates([Query("q", "x")], [candidates])[0]
    with pytest.raises(InputError, match="document 'q-d2'"):
        model.encode_documents(candidates.documents)


def test_a_score_that_is_not_finite_is_an_error() -> None:
    class Silent(ToyEncoder):
        def encode(self, texts: Any, kind: Kind) -> Encoded:
            encoded = super().encode(texts, kind)
            encoded.vectors[1] = np.nan
            return encoded

    with pytest.raises(InputError, match="candidate 2 is not finite"):
        toy_e2rank(Silent()).rank_candidates([Query("q", "x")], [candidate_list("q", ["a", "b", "c"])])[0]


def test_the_fingerprint_follows_exactly_the_settings_that_change_a_ranking() -> None:
    base = toy_e2rank().fingerprint
    assert toy_e2rank(label="other", on_error="keep-first-stage", seed=5).fingerprint == base
    changed = [
        toy_e2rank(step=20),
        toy_e2rank(step=10),
        toy_e2rank(prompt_order="query-only"),
        toy_e2rank(prompt="readme"),
        toy_e2rank(prompt_documents=5),
        toy_e2rank(combination="residual"),
        toy_e2rank(combination="residual", weight=0.5),
        toy_e2rank(prompt_order="shuffled", seed=1),
        toy_e2rank(prompt_order="shuffled", seed=2),
        toy_e2rank(document_tokens=64),
    ]
    other = ToyEncoder()
    other.fingerprint = "another revision"
    assert (
        len({base, toy_e2rank(other).fingerprint, *(one.fingerprint for one in changed)}) == len(changed) + 2
    )


class Provider:
    """Keeps what encoder it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int | None]] = []

    def encoder(self, name: str, *, prompt: str = "eval", document_tokens: int | None = None) -> ToyEncoder:
        self.asked.append((name, prompt, document_tokens))
        return ToyEncoder()

    def language_model(self, name: str) -> Any:
        raise AssertionError(name)

    def resolve(self, name: str, *kinds: str) -> Any:
        raise AssertionError(name)

    def loaded(self, name: str, kind: str, load: Any) -> Any:
        raise AssertionError(name)

    def prices(self, name: str | None) -> None:
        raise AssertionError(name)


def test_building_loads_the_encoder_of_the_settings() -> None:
    provider = Provider()
    for options in ({"prompt": "readme", "document_tokens": 64}, {"prompt": "query-only"}):
        E2RankSettings(family="e2rank", model="m", **options).build(RerankContext(provider, seed=3))
    assert provider.asked == [("m", "readme", 64), ("m", "eval", None)]
