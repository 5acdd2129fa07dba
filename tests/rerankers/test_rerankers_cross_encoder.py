"""Cross-encoders: the scores of sentence-transformers, and the models that must be refused."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_chat_models import write_chat_model, write_cross_encoder
from transformers import AutoModelForSequenceClassification

from e2rank_eval.errors import InputError
from e2rank_eval.records import Candidate, CandidateList, Document, Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.families.cross_encoder import (
    CrossEncoderReranker,
    CrossEncoderSettings,
    load_cross_encoder,
)
from e2rank_eval.store.files import sha256_file

QUERY = Query("q", "capital of China?")
TEXTS = ["Gravity is a force.", "The capital of China is Beijing.", "Search query", "yes", "Rank [1] > [2]"]


class OneModel:
    """Gives every name the same folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def resolve(self, name: str, *kinds: str) -> Any:
        return SimpleNamespace(
            path=self._folder, files={p.name: sha256_file(p) for p in self._folder.iterdir() if p.is_file()}
        )

    def prices(self, name: str | None) -> None:
        raise NotImplementedError

    def encoder(self, name: str, *, prompt: str = "eval", document_tokens: int | None = None) -> Any:
        raise NotImplementedError

    def language_model(self, name: str) -> Any:
        raise NotImplementedError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("cross-encoder"))


def reranker(folder: Path, **settings: Any) -> CrossEncoderReranker:
    chosen = CrossEncoderSettings(family="cross-encoder", model="x", **settings)
    return chosen.build(RerankContext(models=OneModel(folder)))


def candidates(texts: Sequence[str], query_id: str = "q") -> CandidateList:
    return CandidateList(query_id, tuple(Candidate(Document(str(i), t), 0.0) for i, t in enumerate(texts)))


def test_scores_are_the_librarys_own_before_its_sigmoid(folder: Path) -> None:
    model = load_cross_encoder(folder)
    expected = [
        float(
            model.predict([(QUERY.text, text)], activation_fn=torch.nn.Identity(), show_progress_bar=False)[0]
        )
        for text in TEXTS
    ]
    ranking = reranker(folder).rank_candidates([QUERY], [candidates(TEXTS)])[0]
    assert ranking.stats.scores == pytest.approx(expected, abs=2e-4)
    assert ranking.order == tuple(sorted(range(5), key=lambda i: -expected[i]))
    assert len(set(expected)) == 5
    assert not all(0 <= score <= 1 for score in expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU runs what the checkpoint holds")
def test_a_half_precision_checkpoint_runs_in_float32_on_a_cpu(folder: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(folder, half)
    AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float16).save_pretrained(half)
    assert load_file(half / "model.safetensors")["classifier.weight"].dtype == torch.float16
    assert {one.dtype for one in load_cross_encoder(half).parameters()} == {torch.float32}


def test_queries_together_are_ranked_as_one_by_one(folder: Path) -> None:
    lists = [
        candidates(TEXTS, "a"),
        candidates([], "b"),
        candidates(TEXTS[:1], "c"),
        candidates(TEXTS * 2, "d"),
    ]
    queries = [Query(one.query_id, f"query {one.query_id}") for one in lists]
    judge = reranker(folder)
    together = judge.rank_candidates(queries, lists)
    for one, query, single in zip(together, queries, lists, strict=True):
        alone = judge.rank_candidates([query], [single])[0]
        assert one.order == alone.order
        assert one.stats.calls == alone.stats.calls == len({d.text for d in single.documents})
    assert together[1].order == ()


def test_documents_are_cut_queries_are_not(folder: Path) -> None:
    judge = reranker(folder)
    long = candidates(["The capital of China is Beijing. " * 20, "yes"])
    ranking = judge.rank_candidates([QUERY], [long])[0]
    assert ranking.stats.truncated_documents == 1
    short = reranker(folder, document_tokens=10).rank_candidates([QUERY], [long])[0]
    assert short.stats.prompt_tokens < ranking.stats.prompt_tokens <= 2 * 64
    with pytest.raises(InputError, match="query 'long' fills the model's window"):
        judge.rank_candidates([Query("long", "word " * 60)], [candidates(TEXTS, "long")])[0]


def test_what_is_cut_decides_nothing(folder: Path) -> None:
    """The text after the cut cannot move a score, and the text before it does."""
    start = "Gravity is a force. " * 30
    judge = reranker(folder)
    scores = judge.rank_candidates(
        [QUERY], [candidates([start + "Beijing", start + "London", "yes " + start])]
    )[0].stats.scores
    assert scores is not None
    assert scores[0] == scores[1] != scores[2]


def test_a_plain_encoder_is_refused_naming_the_head_it_lacks(minilm_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"classifier\.bias, classifier\.weight would be newly initialised"
    ) as error:
        reranker(minilm_path)
    assert str(minilm_path) in str(error.value)


def test_a_small_plain_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"classifier\.weight"):
        reranker(write_cross_encoder(tmp_path, head=False))


def test_a_head_with_several_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 scores instead of one"):
        reranker(write_cross_encoder(tmp_path, labels=3))


def test_a_chat_model_is_no_cross_encoder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a chat model, not a cross-encoder; use the family pointwise-llm"):
        reranker(write_chat_model(tmp_path))


def test_positions_are_the_window_where_the_tokenizer_names_none(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path)
    settings = folder / "tokenizer_config.json"
    lines = [line for line in settings.read_text().splitlines() if "model_max_length" not in line]
    settings.write_text("\n".join(lines))
    assert load_cross_encoder(folder).max_seq_length == 64
    assert reranker(folder).rank_candidates([QUERY], [candidates(["Gravity " * 300])])[0].order == (0,)


def test_fingerprint_follows_weights_and_limit(folder: Path, tmp_path: Path) -> None:
    base = reranker(folder).fingerprint
    assert reranker(folder).fingerprint == base
    assert reranker(folder, document_tokens=16).fingerprint != base
    assert reranker(write_cross_encoder(tmp_path, positions=65)).fingerprint != base
