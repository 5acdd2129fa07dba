"""PRP-sliding: with a scripted judge that can contradict itself, and with logits of small random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reranking import Folder, Judge, candidates, rank, values
from tiny_chat_models import write_chat_model

from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.families.pairwise import PairwiseReranker, PairwiseSettings
from e2rank_eval.rerankers.prompts import pairwise_messages

QUERY = "which is largest?"


def reranker(model: Any, **settings: Any) -> PairwiseReranker:
    return PairwiseReranker(model, PairwiseSettings(family="pairwise-llm", model="x", **settings))


@pytest.mark.parametrize("scale", [1.0, 1e-5, 1e5])
def test_each_pass_carries_the_best_document_to_the_top(scale: float) -> None:
    numbers = [(37 * i) % 101 for i in range(40)]
    ranking = rank(reranker(Judge(scale=scale), passes=3), QUERY, values(numbers))
    assert [numbers[position] for position in ranking.order[:3]] == sorted(numbers, reverse=True)[:3]


def test_a_pair_is_judged_in_both_orders_and_only_once() -> None:
    judge = Judge()
    ranking = rank(reranker(judge, passes=10), QUERY, values([9, 8, 7, 6]))
    assert ranking.order == (0, 1, 2, 3)
    assert sorted(judge.pairs) == [(6, 7), (7, 6), (7, 8), (8, 7), (8, 9), (9, 8)]
    assert ranking.stats.calls == 6
    asked = pairwise_messages(QUERY, "value 1", "value 2")
    assert ranking.stats.prompt_tokens == 6 * judge.count_prompt_tokens(asked)


def test_a_judge_biased_towards_a_position_changes_no_order() -> None:
    assert rank(reranker(Judge(biased=True)), QUERY, values([1, 2, 3, 4])).order == (0, 1, 2, 3)


def test_both_documents_share_what_the_query_leaves() -> None:
    long = candidates(["value 1" + " word" * 500, "value 2", "value 3" + " word" * 500])
    ranking = rank(reranker(Judge(window=200)), QUERY, long)
    assert (ranking.order, ranking.stats.truncated_documents) == ((2, 1, 0), 2)
    ranking = rank(reranker(Judge(window=200)), "word " * 200, long)
    assert (ranking.order, ranking.stats.truncated_query) == ((2, 1, 0), True)
    with pytest.raises(InputError, match="the prompt leaves no room for a query in the 40 tokens"):
        rank(reranker(Judge(window=40)), QUERY, long)


@pytest.mark.parametrize("logit", [float("nan"), float("inf")])
def test_a_logit_that_is_not_finite_is_refused(logit: float) -> None:
    with pytest.raises(InputError, match="a logit of A or B is not finite"):
        rank(reranker(Judge(logit=logit)), QUERY, values([1, 2]))


def test_values_that_a_server_did_not_return_are_counted() -> None:
    assert rank(reranker(Judge(floored=1)), QUERY, values([1, 2])).stats.repairs == {"floored": 2}


def test_order_follows_the_logits_of_a_real_model(tmp_path: Path) -> None:
    model = Folder(write_chat_model(tmp_path)).language_model("x")
    texts = ["Gravity is a force.", "The capital of China is Beijing.", "yes", "[1] > [2] > [3]", "say no"]

    def is_better(one: str, other: str) -> bool:
        chats = [pairwise_messages(QUERY, one, other), pairwise_messages(QUERY, other, one)]
        (a, b), (c, d) = model.next_token(chats, ("A", "B")).logits
        return bool(a > b and c < d)

    expected = list(range(5))
    for settled in range(4):
        for upper in range(3, settled - 1, -1):
            if is_better(texts[expected[upper + 1]], texts[expected[upper]]):
                expected[upper], expected[upper + 1] = expected[upper + 1], expected[upper]
    assert rank(reranker(model), QUERY, texts).order == tuple(expected)


def test_the_fingerprint_follows_the_passes() -> None:
    assert reranker(Judge()).fingerprint != reranker(Judge(), passes=3).fingerprint
