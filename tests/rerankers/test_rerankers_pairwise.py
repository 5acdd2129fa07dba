"""PRP-sliding: with a scripted judge that can contradict itself, and with logits of small random weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_chat_models import entry, write_chat_model

from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import Generation, LanguageModel, Message, NextToken
from e2rank_eval.models.loading import load_language_model
from e2rank_eval.records import Candidate, CandidateList, Document, Query
from e2rank_eval.rerankers.families.pairwise import PairwiseReranker, PairwiseSettings
from e2rank_eval.rerankers.prompts import pairwise_messages

QUERY = Query("q", "which is largest?")


class Judge:
    """Prefers the larger of ``value <x>`` and ``value <y>``, or whichever stands first if ``biased``."""

    name, fingerprint, document_tokens = "judge", "judge", 1000

    def __init__(self, *, window: int = 10_000, biased: bool = False, bad: float | None = None) -> None:
        self.window, self.biased, self.bad = window, biased, bad
        self.asked: list[tuple[int, int]] = []

    def next_token(self, chats: Sequence[Sequence[Message]], choices: Sequence[str]) -> NextToken:
        assert tuple(choices) == ("A", "B")
        logits = np.array([self._logits(chat) for chat in chats], dtype=np.float32)
        return NextToken(logits, tuple(self.count_prompt_tokens(chat) for chat in chats))

    def _logits(self, chat: Sequence[Message]) -> tuple[float, float]:
        assert self.count_prompt_tokens(chat) < self.window
        first, second = map(int, re.findall(r"Document [AB]: value (\d+)", chat[-1]["content"]))
        self.asked.append((first, second))
        if self.bad is not None:
            return self.bad, 0.0
        return (2.0, 1.0) if self.biased else (float(first), float(second))

    def generate(
        self, chats: Sequence[Sequence[Message]], *, max_new_tokens: int, min_new_tokens: int = 0
    ) -> list[Generation]:
        raise NotImplementedError

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def count_prompt_tokens(self, chat: Sequence[Message]) -> int:
        return sum(self.count_tokens(message["content"]) for message in chat)

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens]) if self.count_tokens(text) > tokens else text

    def synchronise(self) -> None:
        return None


def candidates(texts: Sequence[str], query_id: str = "q") -> CandidateList:
    return CandidateList(query_id, tuple(Candidate(Document(str(i), t), 0.0) for i, t in enumerate(texts)))


def values(numbers: Sequence[int], query_id: str = "q") -> CandidateList:
    return candidates([f"value {number}" for number in numbers], query_id)


def reranker(model: Any, **settings: Any) -> PairwiseReranker:
    return PairwiseReranker(model, PairwiseSettings(family="pairwise-llm", model="x", **settings))


def test_each_pass_carries_the_best_document_to_the_top() -> None:
    numbers = [(37 * i) % 101 for i in range(40)]
    ranking = reranker(Judge(), passes=3).rank_candidates([QUERY], [values(numbers)])[0]
    assert [numbers[position] for position in ranking.order[:3]] == sorted(numbers, reverse=True)[:3]
    assert set(ranking.seconds) == {"prompt", "scoring", "total"}


def test_a_pair_is_asked_about_in_both_orders_and_once_only() -> None:
    judge = Judge()
    ranking = reranker(judge, passes=10).rank_candidates([QUERY], [values([9, 8, 7, 6])])[0]
    assert ranking.order == (0, 1, 2, 3)
    assert sorted(judge.asked) == [(6, 7), (7, 6), (7, 8), (8, 7), (8, 9), (9, 8)]
    assert ranking.stats.calls == 6
    assert ranking.stats.prompt_tokens == 6 * judge.count_prompt_tokens(
        pairwise_messages(QUERY.text, "value 1", "value 2")
    )


def test_a_judge_that_prefers_a_place_decides_nothing() -> None:
    assert reranker(Judge(biased=True)).rank_candidates([QUERY], [values([1, 2, 3, 4])])[0].order == (
        0,
        1,
        2,
        3,
    )


def test_queries_together_are_ranked_as_one_by_one() -> None:
    lists = [
        values([(k * i) % 53 for i in range(n)], str(n)) for k, n in enumerate((12, 0, 7, 1, 2), start=2)
    ]
    queries = [Query(one.query_id, f"query {one.query_id}") for one in lists]
    together = reranker(Judge()).rank_candidates(queries, lists)
    alone = [
        reranker(Judge()).rank_candidates([query], [one])[0]
        for query, one in zip(queries, lists, strict=True)
    ]
    assert [(one.order, one.stats) for one in together] == [(one.order, one.stats) for one in alone]


def test_both_documents_share_what_the_query_leaves() -> None:
    long = candidates(["value 1" + " word" * 500, "value 2", "value 3" + " word" * 500])
    ranking = reranker(Judge(window=200)).rank_candidates([QUERY], [long])[0]
    assert ranking.order == (2, 1, 0)
    assert ranking.stats.truncated_documents == 2
    with pytest.raises(InputError, match="query 'q' fills the model's window"):
        reranker(Judge(window=200)).rank_candidates([Query("q", "word " * 200)], [long])[0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_logit_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(InputError, match="a logit of A or B is not finite"):
        reranker(Judge(bad=bad)).rank_candidates([QUERY], [values([1, 2])])[0]


def test_order_follows_the_logits_of_a_real_model(tmp_path: Path) -> None:
    model: LanguageModel = load_language_model(write_chat_model(tmp_path), entry(), file_hashes={})
    texts = ["Gravity is a force.", "The capital of China is Beijing.", "yes", "[1] > [2] > [3]", "say no"]

    def is_better(one: str, other: str) -> bool:
        chats = [pairwise_messages(QUERY.text, one, other), pairwise_messages(QUERY.text, other, one)]
        (a, b), (c, d) = model.next_token(chats, ("A", "B")).logits
        return bool(a > b and c < d)

    expected = list(range(5))
    for settled in range(4):
        for upper in range(3, settled - 1, -1):
            if is_better(texts[expected[upper + 1]], texts[expected[upper]]):
                expected[upper], expected[upper + 1] = expected[upper + 1], expected[upper]
    assert reranker(model).rank_candidates([QUERY], [candidates(texts)])[0].order == tuple(expected)


def test_fingerprint_follows_passes_and_limit() -> None:
    base = reranker(Judge()).fingerprint
    assert reranker(Judge(), label="another").fingerprint == base
    assert (
        len({base, reranker(Judge(), passes=3).fingerprint, reranker(Judge(), document_tokens=9).fingerprint})
        == 3
    )
