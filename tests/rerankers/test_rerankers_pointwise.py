"""Yes/no logits for each document, on small random weights and the real SmolLM2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from tiny_chat_models import entry, write_chat_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import ChatTokenizer, LanguageModel
from e2rank_eval.models.loading import load_language_model
from e2rank_eval.records import Candidate, CandidateList, Document, Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.families.pointwise import (
    PointwiseReranker,
    PointwiseSettings,
    QueryLikelihoodReranker,
)
from e2rank_eval.rerankers.prompts import pointwise_messages

QUERY = Query("q", "What is the capital of China?")
TEXTS = ["Gravity is a force.", "The capital of China is Beijing.", "Query: yes or no", "[1] >" * 9]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("chat"))


def load(folder: Path, **changes: Any) -> LanguageModel:
    return load_language_model(folder, entry(**changes), file_hashes={})


def reranker(model: LanguageModel, **settings: Any) -> PointwiseReranker:
    return PointwiseReranker(model, PointwiseSettings(family="pointwise-llm", model="x", **settings))


def candidates(texts: Sequence[str], query_id: str = "q") -> CandidateList:
    return CandidateList(query_id, tuple(Candidate(Document(str(i), t), 0.0) for i, t in enumerate(texts)))


def test_order_is_that_of_the_logit_differences(folder: Path) -> None:
    model = load(folder)
    logits = [
        model.next_token([pointwise_messages("yes-no", QUERY.text, text)], ("yes", "no")).logits[0]
        for text in TEXTS
    ]
    expected = [float(yes - no) for yes, no in logits]
    ranking = reranker(model).rank_candidates([QUERY], [candidates(TEXTS)])[0]
    assert ranking.stats.scores == pytest.approx(expected, abs=2e-4)
    assert ranking.order == tuple(sorted(range(4), key=lambda i: -expected[i]))
    assert ranking.stats.calls == 4
    assert ranking.stats.truncated_documents == 0
    assert set(ranking.seconds) == {"prompt", "scoring", "total"}


def test_equal_texts_tie_are_scored_once_and_keep_their_order(folder: Path) -> None:
    texts = [TEXTS[3], TEXTS[0], TEXTS[1], TEXTS[0], TEXTS[0]]
    ranking = reranker(load(folder)).rank_candidates([QUERY], [candidates(texts)])[0]
    assert ranking.stats.scores is not None
    assert ranking.stats.scores[1] == ranking.stats.scores[3] == ranking.stats.scores[4]
    assert [position for position in ranking.order if position in (1, 3, 4)] == [1, 3, 4]
    assert ranking.stats.calls == 3


def test_queries_together_are_ranked_as_one_by_one(folder: Path) -> None:
    lists = [
        candidates(TEXTS, "a"),
        candidates([], "b"),
        candidates(TEXTS[:1], "c"),
        candidates(TEXTS[1:], "d"),
    ]
    queries = [Query(one.query_id, f"query {one.query_id}") for one in lists]
    judge = reranker(load(folder))
    together = judge.rank_candidates(queries, lists)
    alone = [judge.rank_candidates([query], [one])[0] for query, one in zip(queries, lists, strict=True)]
    for one, other in zip(together, alone, strict=True):
        assert one.order == other.order
        assert one.stats.prompt_tokens == other.stats.prompt_tokens
        assert one.stats.scores == pytest.approx(other.stats.scores, abs=2e-4)
    assert together[1].order == ()
    assert together[2].order == (0,)


def test_only_documents_are_cut_to_the_limit_or_the_window(folder: Path) -> None:
    long = candidates(["The capital of China is Beijing. " * 60, "Gravity."])
    limited = reranker(load(folder), document_tokens=20).rank_candidates([QUERY], [long])[0]
    assert limited.stats.truncated_documents == 1
    narrow = load(folder, window=200, document_tokens=1000)
    fitted = reranker(narrow).rank_candidates([QUERY], [long])[0]
    assert fitted.stats.truncated_documents == 1
    assert fitted.stats.prompt_tokens > limited.stats.prompt_tokens
    with pytest.raises(InputError, match="query 'q' fills the model's window"):
        reranker(narrow).rank_candidates([Query("q", "word " * 200)], [long])[0]


def test_fingerprint_follows_model_and_limit(folder: Path) -> None:
    models = [load(folder), load(folder), load(folder, window=100)]
    found = [reranker(model).fingerprint for model in models]
    assert found[0] == found[1] != found[2]
    assert reranker(models[0], document_tokens=32).fingerprint != found[0]


def test_smollm2_prefers_the_document_that_answers(smollm2_path: Path) -> None:
    model = load(smollm2_path, format="gguf", window=8192)
    texts = ["The capital of China is Beijing.", "Gravity is a force that attracts two bodies."]
    for order in (texts, texts[::-1]):
        ranking = reranker(model).rank_candidates([QUERY], [candidates(order)])[0]
        assert sorted(ranking.order) == [0, 1]
        assert ranking.stats.scores is not None
        assert len(set(ranking.stats.scores)) == 2


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
            pointwise_messages("qwen3-reranker", QUERY.text, text, instruction="Find it"),
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        with torch.inference_mode():
            logits = plain(**tokenizer(prompt, return_tensors="pt", add_special_tokens=False)).logits[0, -1]
        scores.append(float(torch.stack([logits[no], logits[yes]]).log_softmax(0)[1].exp()))
    judge = reranker(load(folder), prompt="qwen3-reranker", instruction="Find it")
    assert judge.rank_candidates([QUERY], [candidates(TEXTS)])[0].order == tuple(
        sorted(range(4), key=lambda i: -scores[i])
    )
    assert judge.fingerprint != reranker(load(folder), prompt="qwen3-reranker").fingerprint


def test_query_likelihood_is_that_of_the_query_given_the_document(folder: Path) -> None:
    model = load(folder)
    settings = PointwiseSettings(family="pointwise-llm", model="x", prompt="query-likelihood")
    judge = QueryLikelihoodReranker(model, settings)
    ranking = judge.rank_candidates([QUERY], [candidates(TEXTS)])[0]
    prompt = "Please write a question based on this document.\n\nDocument: {}\n\nQuery:"
    expected = [
        model.likelihood([[{"role": "user", "content": prompt.format(text)}]], [QUERY.text])[
            0
        ].log_probability
        for text in TEXTS
    ]
    assert ranking.stats.scores == pytest.approx(expected, abs=2e-4)
    assert ranking.order == tuple(sorted(range(4), key=lambda i: -expected[i]))
    narrow = QueryLikelihoodReranker(load(folder, window=120, document_tokens=1000), settings)
    assert (
        narrow.rank_candidates([QUERY], [candidates(["Gravity is a force. " * 60])])[
            0
        ].stats.truncated_documents
        == 1
    )


@pytest.mark.parametrize(
    ("prompt", "family"),
    [("yes-no", PointwiseReranker), ("query-likelihood", QueryLikelihoodReranker)],
)
def test_the_configuration_chooses_what_is_scored(folder: Path, prompt: Any, family: type) -> None:
    class Loaded:
        def language_model(self, name: str) -> LanguageModel:
            return load(folder)

    settings = PointwiseSettings(family="pointwise-llm", model="x", prompt=prompt)
    context = RerankContext(models=Loaded())  # type: ignore[arg-type]
    assert type(settings.build(context)) is family


def test_an_instruction_that_no_prompt_shows_is_refused() -> None:
    with pytest.raises(ValidationError, match="the prompt yes-no shows no instruction"):
        PointwiseSettings(family="pointwise-llm", model="x", instruction="Find it")


def test_smollm2_finds_the_query_likelier_after_the_document_that_answers(smollm2_path: Path) -> None:
    settings = PointwiseSettings(family="pointwise-llm", model="x", prompt="query-likelihood")
    judge = QueryLikelihoodReranker(load(smollm2_path, format="gguf", window=8192), settings)
    texts = [
        "Bread is baked from flour.",
        "The capital of China is Beijing.",
        "Gravity is a force that attracts two bodies towards each other.",
    ]
    queries = [Query("a", QUERY.text), Query("b", "What is gravity?"), Query("c", "How is bread made?")]
    rankings = judge.rank_candidates(queries, [candidates(texts, one.id) for one in queries])
    assert [ranking.order[0] for ranking in rankings] == [1, 2, 0]
