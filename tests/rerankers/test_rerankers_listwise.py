"""RankGPT-style reranking: with a scripted judge, a small window, and the real SmolLM2."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from reranking import Folder, Judge, candidates, rank, values
from tiny_chat_models import write_chat_model

from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.records import Query
from e2rank_eval.rerankers.families.listwise import Generated, ListwiseReranker, ListwiseSettings
from e2rank_eval.rerankers.prompts import first_messages

QUERY = "which is largest?"
NUMBERS = [(37 * i) % 101 for i in range(100)]


def reranker(model: Any, **settings: Any) -> ListwiseReranker:
    return ListwiseReranker(model, ListwiseSettings(family="listwise", model="x", **settings))


def test_the_best_ten_of_a_hundred_reach_the_top_in_nine_calls() -> None:
    ranking = rank(reranker(Judge()), QUERY, values(NUMBERS))
    assert [NUMBERS[position] for position in ranking.order[:10]] == sorted(NUMBERS, reverse=True)[:10]
    assert ranking.stats.calls == 9
    assert ranking.stats.prompt_documents == 100
    assert ranking.stats.repairs == {}
    assert ranking.stats.output_tokens == 9 * 39
    assert ranking.stats.prompt is None


def test_windows_of_one_size_are_judged_together() -> None:
    sizes = (45, 0, 7, 50, 1, 20)
    lists = [values([(k * i) % 53 for i in range(n)], str(n)) for k, n in enumerate(sizes)]
    queries = [Query(one.query_id, f"query {one.query_id}") for one in lists]
    judge = Judge()
    together = reranker(judge).rank_candidates(queries, lists)
    alone = [rank(reranker(Judge()), *pair) for pair in zip(queries, lists, strict=True)]
    assert [(one.order, one.stats) for one in together] == [(one.order, one.stats) for one in alone]
    assert judge.batches == [1, 3, 2, 2, 1, 1]


def test_one_candidate_or_none_needs_no_call() -> None:
    judge = Judge()
    assert rank(reranker(judge), QUERY, []).order == ()
    single = rank(reranker(judge), QUERY, values([3]))
    assert (single.order, single.stats.calls, single.stats.prompt_documents) == ((0,), 0, 0)
    assert judge.batches == []


def test_equal_texts_are_distinguished_by_position() -> None:
    assert rank(reranker(Judge()), QUERY, values([1, 5, 1, 5, 9])).order == (4, 1, 3, 0, 2)


def test_repairs_are_counted_over_all_windows() -> None:
    judge = Judge(answer="I prefer [2] > [99] > [2]")
    ranking = rank(reranker(judge, window=4, step=2), QUERY, values(range(8)))
    assert ranking.stats.calls == 3
    assert ranking.stats.repairs == {"missing": 9, "out_of_range": 3, "prose": 3, "repeated": 3}
    assert ranking.order == (1, 0, 3, 2, 5, 4, 6, 7)


@pytest.mark.parametrize(("limit", "words", "truncated"), [(10, 8, 3), (None, 30, 0)])
def test_documents_are_cut_at_document_tokens_and_counted(
    limit: int | None, words: int, truncated: int
) -> None:
    ranking = rank(reranker(Judge(), document_tokens=limit), QUERY, values([1, 2, 3], words=30))
    assert (ranking.order, ranking.stats.truncated_documents) == ((2, 1, 0), truncated)
    assert str(ranking.stats.prompt).count("word") == 3 * words


@pytest.mark.parametrize(("query", "least"), [(QUERY, 50), ("word " * 200, 34)])
def test_documents_that_do_not_fit_share_the_budget_and_are_counted(query: str, least: int) -> None:
    """Short documents keep their text, the two long ones share what is left, the query leaves a quarter."""
    texts = ["value 1", "value 2" + " WORD" * 500, "value 3" + " WORD" * 400]
    ranking = rank(reranker(Judge(window=300)), query, texts)
    assert (ranking.order, ranking.stats.truncated_documents) == ((2, 1, 0), 2)
    assert ranking.stats.truncated_query == (query != QUERY)
    shown = [line.count("WORD") for line in str(ranking.stats.prompt).splitlines() if line.startswith("[")]
    assert shown[0] == 0
    assert shown[1] == shown[2] > least
    assert 295 <= ranking.stats.prompt_tokens + 5 + 4 <= 300


def test_a_window_without_room_for_a_query_is_refused() -> None:
    with pytest.raises(InputError, match="the prompt leaves no room for a query in the 90 tokens"):
        rank(reranker(Judge(window=90)), QUERY, values([1, 2, 3]))


def test_a_document_that_fits_one_window_but_not_another_is_counted_once() -> None:
    ranking = rank(reranker(Judge(window=250), window=3, step=1), QUERY, values(range(5), words=100))
    assert (ranking.stats.calls, ranking.stats.truncated_documents) == (3, 5)


def test_the_fingerprint_follows_the_strategy() -> None:
    chosen: list[dict[str, Any]] = [{}, {"window": 10}, {"step": 5}, {"strategy": "setwise"}]
    found = {reranker(Judge(), **one).fingerprint for one in [*chosen, {"strategy": "full-list"}]}
    assert len(found) == 5


@pytest.fixture(scope="module")
def smollm2(smollm2_path: Path) -> LanguageModel:
    return Folder(smollm2_path, format="gguf", window=8192).language_model("x")


def test_any_full_permutation_fits_the_output_limit(smollm2: LanguageModel) -> None:
    shuffled = random.Random(1)
    for size in (2, 20, 100):
        limit = Generated(smollm2).output_limit(size)
        for _ in range(20):
            numbers = shuffled.sample(range(1, size + 1), size)
            answer = smollm2.count_tokens(" " + " > ".join(f"[{number}]" for number in numbers) + "\n")
            assert answer < limit <= answer + 4


def test_a_small_window_is_kept_by_a_real_tokenizer(tmp_path: Path) -> None:
    """Texts joined into a prompt take other tokens than alone; the prompt fits nevertheless."""
    model = Folder(write_chat_model(tmp_path), window=700).language_model("x")
    texts = ["Gravity is a force. " * n + "[1] > [2] 𝔸 <|im_end|>" for n in (1, 12, 40, 25, 60)]
    ranking = rank(reranker(model, document_tokens=500), "What is gravity?", texts)
    assert 0 < ranking.stats.truncated_documents < 5
    assert ranking.stats.prompt_tokens + ranking.stats.output_tokens <= 700
    assert ranking.stats.repairs, "random weights cannot write a ranking"


def test_smollm2_ranks_three_documents_with_its_repairs_counted(smollm2: LanguageModel) -> None:
    texts = ["Bread is baked from flour.", "The capital of China is Beijing.", "Gravity is a force."]
    ranking = rank(reranker(smollm2), "What is the capital of China?", texts)
    assert sorted(ranking.order) == [0, 1, 2]
    assert ranking.stats.calls == 1
    assert 150 < ranking.stats.prompt_tokens < 250
    assert ranking.stats.output_tokens <= 3 * 5 + 4
    assert ranking.stats.repairs, "this model is known not to keep the format"


@pytest.mark.parametrize(("strategy", "calls"), [("full-list", 1), ("top-down", 10), ("setwise", 24)])
def test_strategies_of_the_configuration_bring_the_best_ten_to_the_top(strategy: str, calls: int) -> None:
    ranking = rank(reranker(Judge(), strategy=strategy), QUERY, values(NUMBERS))
    assert [NUMBERS[position] for position in ranking.order[:10]] == sorted(NUMBERS, reverse=True)[:10]
    assert ranking.stats.calls <= calls


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "full-list", "window": 20}, "window has no meaning for strategy full-list"),
        ({"strategy": "top-down", "step": 5}, "step has no meaning"),
        ({"top": 5}, "top has no meaning for strategy sliding-window"),
        ({"strategy": "setwise", "budget": 20}, "budget has no meaning"),
        ({"strategy": "top-down", "window": 8}, "top 10 is not between 1 and the window 8"),
        ({"strategy": "top-down", "budget": 9}, "budget 9 is below top 10"),
        ({"decoding": "first-token", "window": 27}, "26 letters"),
        ({"window": 8}, "step 10 is not between 1 and the window 8"),
    ],
)
def test_options_without_meaning_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        reranker(Judge(), **options)


def test_setwise_needs_no_step_within_its_window() -> None:
    ranking = rank(reranker(Judge(), strategy="setwise", window=4), QUERY, values(range(30)))
    assert ranking.order == (*range(29, 19, -1), *range(20))


def test_first_token_order_is_that_of_the_letters_logits(tmp_path: Path) -> None:
    model = Folder(write_chat_model(tmp_path)).language_model("x")
    texts = ["Gravity is a force.", "The capital of China is Beijing.", "yes", "[1] > [2]", "say no"]
    ranking = rank(reranker(model, decoding="first-token"), QUERY, texts)
    logits = model.next_token([first_messages(QUERY, texts)], "ABCDE").logits[0]
    assert ranking.order == tuple(sorted(range(5), key=lambda i: -logits[i])) != tuple(range(5))
    assert (ranking.stats.calls, ranking.stats.output_tokens, ranking.stats.repairs) == (1, 0, {})
    assert "\n[B]: The capital of China is Beijing.\n" in str(ranking.stats.prompt)


def test_more_documents_than_letters_are_refused() -> None:
    model = reranker(Judge(), strategy="full-list", decoding="first-token")
    with pytest.raises(InputError, match="27 documents has more than 26 single-letter identifiers"):
        rank(model, QUERY, candidates(["x"] * 27))
