"""RankGPT-style reranking: with a scripted judge, a small window, and the real SmolLM2."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tiny_chat_models import entry, write_chat_model

from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import Generation, LanguageModel, Message, NextToken
from e2rank_eval.models.loading import load_language_model
from e2rank_eval.records import Candidate, CandidateList, Document, Query
from e2rank_eval.rerankers.decoding import Generated
from e2rank_eval.rerankers.families.listwise import ListwiseReranker, ListwiseSettings
from e2rank_eval.rerankers.prompts import first_messages
from e2rank_eval.rerankers.strategies import FullList

QUERY = Query("q", "which is largest?")


class Judge:
    """A language model whose tokens are words, and which ranks passages ``value <x>`` by falling x."""

    name, fingerprint, document_tokens = "judge", "judge", 1000

    def __init__(self, *, window: int = 10_000, answer: str | None = None) -> None:
        self.window = window
        self.answer = answer
        self.batches: list[int] = []

    def generate(
        self, chats: Sequence[Sequence[Message]], *, max_new_tokens: int, min_new_tokens: int = 0
    ) -> list[Generation]:
        self.batches.append(len(chats))
        return [self._generation(chat, max_new_tokens) for chat in chats]

    def _generation(self, chat: Sequence[Message], limit: int) -> Generation:
        prompt = self.count_prompt_tokens(chat)
        assert prompt + limit <= self.window
        passages = re.findall(r"^\[(\d+)\] value (\d+)", chat[-1]["content"], re.MULTILINE)
        ranked = sorted(passages, key=lambda passage: -int(passage[1]))
        text = self.answer or " > ".join(f"[{number}]" for number, _ in ranked)
        assert len(text.split()) <= limit
        return Generation(text, prompt, len(text.split()), finished=True)

    def next_token(self, chats: Sequence[Sequence[Message]], choices: Sequence[str]) -> NextToken:
        raise NotImplementedError

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def count_prompt_tokens(self, chat: Sequence[Message]) -> int:
        return sum(self.count_tokens(message["content"]) for message in chat)

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens]) if self.count_tokens(text) > tokens else text

    def synchronise(self) -> None:
        return None


def candidates(values: Sequence[int], *, words: int = 0, query_id: str = "q") -> CandidateList:
    documents = [Document(f"d{i}", f"value {value}" + " word" * words) for i, value in enumerate(values)]
    return CandidateList(query_id, tuple(Candidate(d, float(-i)) for i, d in enumerate(documents)))


def reranker(model: LanguageModel, **settings: Any) -> ListwiseReranker:
    return ListwiseReranker(
        model, ListwiseSettings.model_validate({"family": "listwise", "model": "x", **settings})
    )


def test_the_best_ten_of_a_hundred_reach_the_top_in_nine_calls() -> None:
    values = [(37 * i) % 101 for i in range(100)]
    ranking = reranker(Judge()).rank_candidates([QUERY], [candidates(values)])[0]
    assert [values[position] for position in ranking.order[:10]] == sorted(values, reverse=True)[:10]
    assert ranking.stats.calls == 9
    assert ranking.stats.prompt_documents == 100
    assert ranking.stats.repairs == {}
    assert ranking.stats.output_tokens == 9 * 39
    assert ranking.stats.prompt is None
    assert set(ranking.seconds) == {"prompt", "generation", "parsing", "total"}


def test_queries_together_are_ranked_as_one_by_one_in_fewer_batches() -> None:
    lists = [
        candidates([(k * i) % 53 for i in range(n)], query_id=str(n))
        for k, n in enumerate((45, 0, 7, 50, 1, 20))
    ]
    queries = [Query(one.query_id, f"query {one.query_id}") for one in lists]
    judge = Judge()
    together = reranker(judge).rank_candidates(queries, lists)
    alone = [
        reranker(Judge()).rank_candidates([query], [one])[0]
        for query, one in zip(queries, lists, strict=True)
    ]
    assert [one.order for one in together] == [one.order for one in alone]
    assert [one.stats for one in together] == [one.stats for one in alone]
    assert judge.batches == [1, 3, 2, 2, 1, 1], "windows of one size together"


def test_one_candidate_or_none_asks_nobody() -> None:
    judge = Judge()
    assert reranker(judge).rank_candidates([QUERY], [candidates([])])[0].order == ()
    single = reranker(judge).rank_candidates([QUERY], [candidates([3])])[0]
    assert single.order == (0,)
    assert single.stats.calls == single.stats.prompt_documents == 0
    assert judge.batches == []


def test_equal_texts_are_told_apart_by_position() -> None:
    ranking = reranker(Judge()).rank_candidates([QUERY], [candidates([1, 5, 1, 5, 9])])[0]
    assert ranking.order == (4, 1, 3, 0, 2)


def test_repairs_are_counted_over_all_windows() -> None:
    ranking = reranker(Judge(answer="I prefer [2] > [99] > [2]"), window=4, step=2).rank_candidates(
        [QUERY], [candidates(range(8))]
    )[0]
    assert ranking.stats.calls == 3
    assert ranking.stats.repairs == {"missing": 9, "out_of_range": 3, "prose": 3, "repeated": 3}
    assert ranking.order == (1, 0, 3, 2, 5, 4, 6, 7)


def test_documents_are_cut_at_document_tokens_and_counted() -> None:
    values = candidates([1, 2, 3], words=30)
    cut = reranker(Judge(), document_tokens=10).rank_candidates([QUERY], [values])[0]
    assert cut.stats.truncated_documents == 3
    assert cut.stats.prompt is not None
    assert cut.stats.prompt.count("word") == 3 * 8
    whole = reranker(Judge()).rank_candidates([QUERY], [values])[0]
    assert whole.stats.truncated_documents == 0
    assert whole.order == cut.order == (2, 1, 0)


def test_what_does_not_fit_is_shared_out_and_counted() -> None:
    """Short documents keep their text; the two long ones share what is left of the window."""
    documents = [
        Document("a", "value 1"),
        Document("b", "value 2" + " word" * 500),
        Document("c", "value 3" + " word" * 400),
    ]
    lists = CandidateList("q", tuple(Candidate(one, 0.0) for one in documents))
    judge = Judge(window=300)
    ranking = reranker(judge).rank_candidates([QUERY], [lists])[0]
    assert ranking.order == (2, 1, 0)
    assert ranking.stats.truncated_documents == 2
    assert ranking.stats.prompt is not None
    shown = [line.count("word") for line in ranking.stats.prompt.splitlines() if line.startswith("[")]
    assert shown[0] == 0
    assert shown[1] == shown[2] > 50
    assert 295 <= ranking.stats.prompt_tokens + 5 + 4 <= 300


def test_a_query_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(InputError, match="the query and 3 documents do not fit the 300 tokens"):
        reranker(Judge(window=300)).rank_candidates([Query("q", "word " * 200)], [candidates([1, 2, 3])])[0]


def test_a_document_that_fits_one_window_but_not_another_is_counted_once() -> None:
    ranking = reranker(Judge(window=250), window=3, step=1).rank_candidates(
        [QUERY], [candidates(range(5), words=100)]
    )[0]
    assert ranking.stats.calls == 3
    assert ranking.stats.truncated_documents == 5


def test_fingerprint_follows_what_decides_a_ranking() -> None:
    base = reranker(Judge()).fingerprint
    assert base == reranker(Judge()).fingerprint
    settings = ListwiseSettings(family="listwise", model="x", label="another name")
    assert ListwiseReranker(Judge(), settings).fingerprint == base
    others = [
        reranker(Judge(), window=10).fingerprint,
        reranker(Judge(), step=5).fingerprint,
        reranker(Judge(), document_tokens=64).fingerprint,
        ListwiseReranker(Judge(), settings, strategy=FullList()).fingerprint,
    ]
    assert len({base, *others}) == 5


@pytest.fixture(scope="module")
def smollm2(smollm2_path: Path) -> LanguageModel:
    return load_language_model(smollm2_path, entry(format="gguf", window=8192), file_hashes={})


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
    model = load_language_model(write_chat_model(tmp_path), entry(window=700), file_hashes={})
    texts = ["Gravity is a force. " * n + "[1] > [2] 𝔸 <|im_end|>" for n in (1, 12, 40, 25, 60)]
    lists = CandidateList("q", tuple(Candidate(Document(str(i), text), 0.0) for i, text in enumerate(texts)))
    ranking = reranker(model, document_tokens=500).rank_candidates([Query("q", "What is gravity?")], [lists])[
        0
    ]
    assert 0 < ranking.stats.truncated_documents < 5
    assert ranking.stats.prompt_tokens + ranking.stats.output_tokens <= 700
    assert ranking.stats.repairs, "random weights cannot write a ranking"


def test_smollm2_ranks_three_documents_with_its_repairs_counted(smollm2: LanguageModel) -> None:
    texts = ["Bread is baked from flour.", "The capital of China is Beijing.", "Gravity is a force."]
    lists = CandidateList("q", tuple(Candidate(Document(str(i), text), 0.0) for i, text in enumerate(texts)))
    ranking = reranker(smollm2).rank_candidates([Query("q", "What is the capital of China?")], [lists])[0]
    assert sorted(ranking.order) == [0, 1, 2]
    assert ranking.stats.calls == 1
    assert 150 < ranking.stats.prompt_tokens < 250
    assert ranking.stats.output_tokens <= 3 * 5 + 4
    assert ranking.stats.repairs, "this model is known not to keep the format"


@pytest.mark.parametrize(
    ("options", "calls"),
    [({"strategy": "full-list"}, 1), ({"strategy": "top-down"}, 10), ({"strategy": "setwise"}, 24)],
)
def test_strategies_of_the_configuration_bring_the_best_ten_to_the_top(
    options: dict[str, Any], calls: int
) -> None:
    values = [(37 * i) % 101 for i in range(100)]
    ranking = reranker(Judge(), **options).rank_candidates([QUERY], [candidates(values)])[0]
    assert [values[position] for position in ranking.order[:10]] == sorted(values, reverse=True)[:10]
    assert ranking.stats.calls <= calls
    assert reranker(Judge(), **options).fingerprint != reranker(Judge()).fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "full-list", "window": 20}, "window has no meaning for strategy full-list"),
        ({"strategy": "top-down", "step": 5}, "step has no meaning"),
        ({"top": 5}, "top has no meaning for strategy sliding-window"),
        ({"strategy": "setwise", "budget": 20}, "budget has no meaning"),
        ({"strategy": "top-down", "window": 8}, "top 10 exceeds window 8"),
        ({"strategy": "top-down", "budget": 9}, "budget 9 is below top 10"),
        ({"decoding": "first-token", "window": 27}, "26 letters"),
        ({"window": 8}, "step 10 exceeds window 8"),
    ],
)
def test_options_without_meaning_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        reranker(Judge(), **options)


def test_a_setwise_needs_no_step_within_its_window() -> None:
    ranking = reranker(Judge(), strategy="setwise", window=4).rank_candidates(
        [QUERY], [candidates(range(30))]
    )[0]
    assert ranking.order[:10] == tuple(range(29, 19, -1))
    assert ranking.order[10:] == tuple(range(20))


def test_first_token_order_is_that_of_the_letters_logits(tmp_path: Path) -> None:
    model = load_language_model(write_chat_model(tmp_path), entry(), file_hashes={})
    texts = ["Gravity is a force.", "The capital of China is Beijing.", "yes", "[1] > [2]", "say no"]
    lists = CandidateList("q", tuple(Candidate(Document(str(i), text), 0.0) for i, text in enumerate(texts)))
    ranking = reranker(model, decoding="first-token").rank_candidates([QUERY], [lists])[0]
    logits = model.next_token([first_messages(QUERY.text, texts)], "ABCDE").logits[0]
    assert ranking.order == tuple(sorted(range(5), key=lambda i: -logits[i]))
    assert ranking.order != tuple(range(5))
    assert (ranking.stats.calls, ranking.stats.output_tokens, ranking.stats.repairs) == (1, 0, {})
    assert ranking.stats.prompt is not None
    assert "\n[B]: The capital of China is Beijing.\n" in ranking.stats.prompt
    windows = reranker(model, decoding="first-token", window=2, step=1).rank_candidates([QUERY], [lists])[0]
    assert sorted(windows.order) == list(range(5))
    assert windows.stats.calls == 4


def test_more_documents_than_letters_are_refused() -> None:
    with pytest.raises(InputError, match="27 documents has more than 26 single-letter identifiers"):
        reranker(Judge(), strategy="full-list", decoding="first-token").rank_candidates(
            [QUERY], [candidates(range(27))]
        )[0]
