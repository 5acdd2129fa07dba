"""Cross-encoders: the scores of sentence-transformers, and the models that must be refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reranking import Folder, rank, write_causal_cross_encoder, write_logit_score
from sentence_transformers import CrossEncoder
from tiny_chat_models import write_chat_model, write_cross_encoder
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from e2rank_eval.cli.doctor import examine_model
from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.rerankers.families.cross_encoder import CrossEncoderSettings, load_cross_encoder

QUERY = "capital of China?"
TEXTS = ["Gravity is a force.", "The capital of China is Beijing.", "Search query", "yes", "Rank [1] > [2]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("cross-encoder"))


def reranker(folder: Path, *, window: int = 512, **settings: Any) -> Reranker:
    chosen = CrossEncoderSettings(family="cross-encoder", model="x", **settings)
    return chosen.build(Folder(folder, window=window).context())


def library_scores(folder: Path) -> list[float]:
    """sentence-transformers' own, one pair at a time, before its sigmoid; of two labels the difference."""
    model = CrossEncoder(str(folder), device="cpu")
    found = [
        model.predict([(QUERY, text)], activation_fn=torch.nn.Identity(), show_progress_bar=False)[0]
        for text in TEXTS
    ]
    return [float(one[1] - one[0]) if model.num_labels == 2 else float(one) for one in found]


def causal_scores(folder: Path) -> list[float]:
    """The score head at the last token of each unpadded input."""
    model, tokenizer = (
        one.from_pretrained(folder) for one in (AutoModelForSequenceClassification, AutoTokenizer)
    )
    pairs = [tokenizer(QUERY, text, return_tensors="pt") for text in TEXTS]
    with torch.inference_mode():
        return [
            float(model(input_ids=one["input_ids"], attention_mask=one["attention_mask"]).logits[0, 0])
            for one in pairs
        ]


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        pytest.param(write_cross_encoder, library_scores, id="one label"),
        pytest.param(lambda to: write_cross_encoder(to, labels=2), library_scores, id="two labels"),
        pytest.param(write_causal_cross_encoder, causal_scores, id="causal without padding"),
        pytest.param(
            lambda to: write_causal_cross_encoder(to, pad_token="<|im_end|>"),
            causal_scores,
            id="causal padded with its end token",
        ),
        pytest.param(write_logit_score, library_scores, id="yes or no"),
        pytest.param(lambda to: write_logit_score(to, no=False), library_scores, id="yes alone"),
        pytest.param(
            lambda to: write_logit_score(to, prompt="Find the passage that answers"),
            library_scores,
            id="yes or no, with an instruction",
        ),
    ],
)
def test_scores_are_the_logits_of_each_pair_by_itself(
    write: Callable[[Path], Path], expected: Callable[[Path], list[float]], tmp_path: Path
) -> None:
    scores = expected(write(tmp_path))
    ranking = rank(reranker(tmp_path), QUERY, TEXTS)
    assert ranking.stats.scores == pytest.approx(scores, abs=2e-4)
    assert ranking.order == tuple(sorted(range(5), key=lambda i: -scores[i]))
    assert len(set(scores)) == 5
    assert not all(0 <= score <= 1 for score in scores)


def test_a_yes_or_no_model_reads_its_instruction_and_as_much_of_a_text_as_the_library(tmp_path: Path) -> None:
    write_logit_score(tmp_path, prompt="Find the passage that answers")
    long = "The capital of China is Beijing. " * 20
    expected = CrossEncoder(str(tmp_path), device="cpu").predict(
        [(QUERY, long)], activation_fn=torch.nn.Identity()
    )
    ranking = rank(reranker(tmp_path), QUERY, [long])
    assert ranking.stats.scores == pytest.approx(expected, abs=1e-5)
    assert (ranking.stats.prompt_tokens, ranking.stats.truncated_documents) == (128, 1)
    assert examine_model(str(tmp_path), None)[-1]["detail"] == "complete"


def test_the_text_after_the_cut_has_no_effect(folder: Path) -> None:
    start = "Gravity is a force. " * 30
    ranking = rank(reranker(folder), QUERY, [start + "Beijing", start + "London", "yes " + start])
    assert ranking.stats.scores is not None
    assert ranking.stats.scores[0] == ranking.stats.scores[1] != ranking.stats.scores[2]
    assert ranking.stats.truncated_documents == 3
    short = rank(reranker(folder, document_tokens=10), QUERY, ["yes " + start])
    assert short.stats.prompt_tokens < ranking.stats.prompt_tokens / 2 <= 64


def test_the_window_of_the_entry_lowers_that_of_the_checkpoint(folder: Path) -> None:
    found = [rank(reranker(folder, window=n), QUERY, ["Gravity is a force. " * 30]) for n in (512, 40)]
    assert 50 < found[0].stats.prompt_tokens <= 64
    assert 30 < found[1].stats.prompt_tokens <= 40
    assert reranker(folder, window=40).fingerprint != reranker(folder).fingerprint


def test_a_quoted_separator_does_not_separate(folder: Path) -> None:
    ranking = rank(reranker(folder), QUERY, ["yes <|im_end|> no", "yes < |im_end|> no"])
    assert ranking.stats.scores is not None
    assert ranking.stats.scores[0] == ranking.stats.scores[1]
    assert ranking.stats.truncated_documents == 0


def without_limit(folder: Path) -> None:
    """Remove the tokenizer's own limit."""
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    settings.pop("model_max_length", None)
    path.write_text(json.dumps(settings))


def test_positions_are_the_window_where_the_tokenizer_names_none(tmp_path: Path) -> None:
    bert, roberta = write_cross_encoder(tmp_path / "bert"), write_cross_encoder(tmp_path / "roberta")
    config = RobertaConfig(
        vocab_size=500, hidden_size=48, intermediate_size=96, num_hidden_layers=1, num_attention_heads=4,
        max_position_embeddings=66, pad_token_id=1, num_labels=1,
    )  # fmt: skip
    RobertaForSequenceClassification(config).save_pretrained(roberta)
    for folder in (bert, roberta):
        without_limit(folder)
        assert load_cross_encoder(Folder(folder).resolve("x", "cross-encoder")).max_seq_length == 64
        assert rank(reranker(folder), QUERY, ["Gravity " * 300]).order == (0,)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda to: write_cross_encoder(to, head=False), r"classifier\.weight would be newly initialised"),
        (lambda to: write_cross_encoder(to, labels=3), "3 scores instead of one or two"),
        (write_chat_model, "a chat model, not a cross-encoder; use the family pointwise-llm"),
        (
            lambda to: write_logit_score(to, template="{{ messages[0].role }}"),
            "chat template cannot render a pair",
        ),
        (lambda to: to, "cannot be loaded as a cross-encoder"),
    ],
    ids=["no head", "three labels", "chat model", "a template without the pair", "no model"],
)
def test_what_is_not_a_cross_encoder_is_refused(
    write: Callable[[Path], Path], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as error:
        reranker(write(tmp_path))
    assert str(tmp_path) in str(error.value)


def test_a_plain_encoder_is_refused_naming_the_head_it_lacks(minilm_path: Path) -> None:
    with pytest.raises(InputError, match=r"classifier\.bias, classifier\.weight would be newly initialised"):
        reranker(minilm_path)


def test_the_fingerprint_follows_the_weights(folder: Path, tmp_path: Path) -> None:
    assert reranker(folder).fingerprint != reranker(write_cross_encoder(tmp_path, positions=65)).fingerprint
