"""Yes/no logits and query likelihood for each document, on small random weights and the real SmolLM2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from reranking import Folder, candidates, rank
from tiny_chat_models import write_chat_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import ChatTokenizer, NextToken
from e2rank_eval.records import Query
from e2rank_eval.rerankers.families.pointwise import PointwiseReranker, PointwiseSettings
from e2rank_eval.rerankers.prompts import pointwise_messages

QUERY = "What is the capital of China?"
TEXTS = ["Gravity is a force.", "The capital of China is Beijing.", "Query: yes or no", "[1] >" * 9]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("chat"))


def reranker(folder: Path, *, model: dict[str, Any] | None = None, **settings: Any) -> PointwiseReranker:
    chosen = PointwiseSettings(family="pointwise-llm", model="x", **settings)
    return chosen.build(Folder(folder, **(model or {})).context())


def test_order_is_that_of_the_logit_differences(folder: Path) -> None:
    model = Folder(folder).language_model("x")
    chats = [pointwise_messages("yes-no", QUERY, text) for text in TEXTS]
    expected = [float(yes - no) for yes, no in model.next_token(chats, ("yes", "no")).logits]
    ranking = rank(reranker(folder), QUERY, TEXTS)
    assert ranking.stats.scores == pytest.approx(expected, abs=2e-4)
    assert ranking.order == tuple(sorted(range(4), key=lambda i: -expected[i]))
    assert ranking.stats.calls == 4
    assert ranking.stats.truncated_documents == 0


def test_equal_texts_are_scored_once(folder: Path) -> None:
    texts = [TEXTS[3], TEXTS[0], TEXTS[1], TEXTS[0], TEXTS[0]]
    ranking = rank(reranker(folder), QUERY, texts)
    assert ranking.stats.calls == 3
    assert [position for position in ranking.order if position in (1, 3, 4)] == [1, 3, 4]


def test_documents_are_cut_to_the_limit_or_the_window(folder: Path) -> None:
    long = ["The capital of China is Beijing. " * 60, "Gravity."]
    limited = rank(reranker(folder, document_tokens=20), QUERY, long).stats
    fitted = rank(reranker(folder, model={"window": 200, "document_tokens": 1000}), QUERY, long).stats
    assert limited.truncated_documents == fitted.truncated_documents == 1
    assert fitted.prompt_tokens > limited.prompt_tokens


def test_values_that_a_server_did_not_return_are_counted(folder: Path) -> None:
    judge = reranker(folder)

    def next_token(chats: Sequence[Any], choices: Sequence[str]) -> NextToken:
        assert tuple(choices) == ("yes", "no")
        floored = (1, *[0] * (len(chats) - 1))
        return NextToken(np.zeros((len(chats), 2), dtype=np.float32), (7,) * len(chats), floored)

    judge._model.next_token = next_token  # type: ignore[method-assign]
    stats = rank(judge, QUERY, TEXTS).stats
    assert (stats.repairs, stats.prompt_tokens) == ({"floored": 1}, 4 * 7)


def test_the_fingerprint_follows_the_model_and_the_instruction(folder: Path) -> None:
    found = [
        reranker(folder),
        reranker(folder, model={"window": 100}),
        reranker(folder, prompt="query-likelihood"),
        reranker(folder, prompt="qwen3-reranker"),
        reranker(folder, prompt="qwen3-reranker", instruction="Find it"),
    ]
    assert len({one.fingerprint for one in found}) == len(found)


def test_a_model_is_asked_what_it_was_trained_to_answer(folder: Path) -> None:
    trained = {"relevance_prompt": "qwen3-reranker"}
    assert (
        reranker(folder, model=trained).fingerprint
        == reranker(folder, model=trained, prompt="qwen3-reranker").fingerprint
    )
    assert reranker(folder).fingerprint == reranker(folder, prompt="yes-no").fingerprint
    with pytest.raises(InputError, match="prompt yes-no, which has no instruction"):
        reranker(folder, instruction="Find it")


def test_qwen3_reranker_reads_its_published_prompt(folder: Path) -> None:
    published = (
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the "
        'Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
        "<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n"
        "<Query>: who?\n<Document>: He.<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = ChatTokenizer(tokenizer, name="x").chat_ids(pointwise_messages("qwen3-reranker", "who?", "He."))
    assert tokenizer.decode(ids) == published


def test_qwen3_reranker_order_is_that_of_its_published_score(folder: Path) -> None:
    plain = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    yes, no = (tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ("yes", "no"))
    scores = []
    for text in TEXTS:
        prompt = tokenizer.apply_chat_template(
            pointwise_messages("qwen3-reranker", QUERY, text, instruction="Find it"),
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        with torch.inference_mode():
            logits = plain(**tokenizer(prompt, return_tensors="pt", add_special_tokens=False)).logits[0, -1]
        scores.append(float(torch.stack([logits[no], logits[yes]]).log_softmax(0)[1].exp()))
    ranking = rank(reranker(folder, prompt="qwen3-reranker", instruction="Find it"), QUERY, TEXTS)
    assert ranking.order == tuple(sorted(range(4), key=lambda i: -scores[i]))


def test_query_likelihood_is_that_of_the_query_given_the_document(folder: Path) -> None:
    model = Folder(folder).language_model("x")
    prompt = "Please write a question based on this document.\n\nDocument: {}\n\nQuery:"
    chats = [[{"role": "user", "content": prompt.format(text)}] for text in TEXTS]
    expected = [one.log_probability for one in model.likelihood(chats, [QUERY] * 4)]
    ranking = rank(reranker(folder, prompt="query-likelihood"), QUERY, TEXTS)
    assert ranking.stats.scores == pytest.approx(expected, abs=2e-4)
    assert ranking.order == tuple(sorted(range(4), key=lambda i: -expected[i]))
    narrow = reranker(folder, prompt="query-likelihood", model={"window": 120, "document_tokens": 1000})
    assert rank(narrow, QUERY, ["Gravity is a force. " * 60]).stats.truncated_documents == 1


def test_an_instruction_that_no_prompt_shows_is_refused() -> None:
    with pytest.raises(ValidationError, match="the prompt query-likelihood has no instruction"):
        PointwiseSettings(family="pointwise-llm", model="x", prompt="query-likelihood", instruction="Find it")


def test_smollm2_finds_the_query_likelier_after_the_document_that_answers(smollm2_path: Path) -> None:
    judge = reranker(smollm2_path, prompt="query-likelihood", model={"format": "gguf", "window": 8192})
    texts = [
        "Bread is baked from flour.",
        "The capital of China is Beijing.",
        "Gravity is a force that attracts two bodies towards each other.",
    ]
    queries = [Query("a", QUERY), Query("b", "What is gravity?"), Query("c", "How is bread made?")]
    rankings = judge.rank_candidates(queries, [candidates(texts, one.id) for one in queries])
    assert [ranking.order[0] for ranking in rankings] == [1, 2, 0]
