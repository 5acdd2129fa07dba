"""XLM-R of 514 positions, 512 of them usable: all families read long texts as sentence-transformers does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SentenceTransformer, SparseEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from sentence_transformers.sparse_encoder.modules import SpladePooling
from small_checkpoints import write_form
from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM, XLMRobertaForSequenceClassification

import e2rank_eval as e2
from e2rank_eval.config.training import CrossEncoderRun, OptimiserSettings, TrainingListFile
from e2rank_eval.training.baselines import PairObjective
from e2rank_eval.training.lists import TrainingList

QUERY = "b c"
LENGTHS = (511, 512, 513, 600)


def text(tokens: int) -> str:
    """Letters that are tokens by themselves, fewer by the two special ones."""
    return " ".join("abcdefgh"[i % 8] for i in range(tokens - 2))


@pytest.fixture(scope="module")
def embedding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of which no file but config.json limits the length."""
    folder = tmp_path_factory.mktemp("encoder")
    write_form(folder, "xlm-roberta", pooling={"pooling_mode": "mean"}, transformer={"max_seq_length": None})
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in settings.items() if k != "model_max_length"}))
    return folder


def with_head(embedding: Path, folder: Path, model: Any, **settings: Any) -> Path:
    folder.mkdir()
    for path in embedding.glob("tokenizer*.json"):
        shutil.copy(path, folder)
    torch.manual_seed(3)
    model(XLMRobertaConfig.from_pretrained(embedding, **settings)).save_pretrained(folder)
    return folder


def scores(folder: Path, family: str | None, documents: list[str], query: str = QUERY) -> list[float]:
    reranker = e2.load_reranker(folder, family=family, threads=1, cache=folder / "cache")
    found = {one["corpus_id"]: one["score"] for one in reranker.rank(query, documents)}
    return [found[number] for number in range(len(documents))]


def test_an_encoder_and_the_listwise_vector(embedding: Path, tmp_path: Path) -> None:
    peer = SentenceTransformer(str(embedding), device="cpu")
    peer.max_seq_length = 512
    texts = [text(length) for length in LENGTHS]
    found = e2.load_encoder(embedding, threads=1, cache=tmp_path).encode(texts, "document")
    np.testing.assert_allclose(found.vectors, peer.encode(texts, normalize_embeddings=True), atol=1e-5)
    assert (found.tokens, found.truncated) == ((511, 512, 512, 512), (0, 0, 1, 1))
    reranker = e2.load_reranker(
        embedding, family="e2rank", combination="residual", prompt_documents=3, threads=1, cache=tmp_path
    )
    for query in (QUERY, text(600)):
        assert len({one["score"] for one in reranker.rank(query, [*texts[1:], QUERY])}) == 2


def test_a_cross_encoder(embedding: Path, tmp_path: Path) -> None:
    folder = with_head(embedding, tmp_path / "it", XLMRobertaForSequenceClassification, num_labels=1)
    peer = CrossEncoder(str(folder), device="cpu")
    peer.max_seq_length = 512
    documents = [text(length - 3) for length in LENGTHS]
    assert [len(peer.tokenizer(QUERY, one, verbose=False)["input_ids"]) for one in documents] == list(LENGTHS)
    pairs = [(QUERY, one) for one in documents]
    expected = peer.predict(pairs, activation_fn=torch.nn.Identity())
    np.testing.assert_allclose(scores(folder, None, documents), expected, atol=1e-5 * np.ptp(expected) + 1e-5)
    assert scores(folder, None, documents, text(600))[0] != expected[0]


@pytest.mark.parametrize("longest", [None, 514])
@pytest.mark.parametrize("family", ["late-interaction", "sparse"])
def test_representations_by_modules(
    family: str, longest: int | None, embedding: Path, tmp_path: Path
) -> None:
    body = str(with_head(embedding, tmp_path / "body", XLMRobertaForMaskedLM))
    length = {"max_seq_length": longest} if longest else {}
    peer: Any
    if family == "sparse":
        modules = [Transformer(body, transformer_task="fill-mask", **length), SpladePooling("sum")]
        peer = SparseEncoder(modules=modules, device="cpu")
    else:
        by_token = {"module_input_name": "token_embeddings"}
        dense = Dense(64, 8, bias=False, activation_function=torch.nn.Identity(), **by_token)
        modules = [Transformer(body, **length), dense, MultiVectorMask(), Normalize(**by_token)]
        peer = MultiVectorEncoder(modules=modules, device="cpu")
    peer.save_pretrained(str(tmp_path / "it"))
    peer.max_seq_length = 512
    documents = [text(length) for length in LENGTHS]
    expected = peer.similarity(
        peer.encode_query([QUERY], batch_size=1), peer.encode_document(documents, batch_size=1)
    )
    np.testing.assert_allclose(scores(tmp_path / "it", family, documents), expected[0].numpy(), rtol=1e-5)


def test_a_cross_encoder_is_trained_within_its_positions(embedding: Path, tmp_path: Path) -> None:
    folder = with_head(embedding, tmp_path / "it", XLMRobertaForSequenceClassification, num_labels=1)
    settings = CrossEncoderRun(
        objective="cross-encoder",
        title="tiny",
        model=str(folder),
        data=[TrainingListFile(path=Path("lists.jsonl"))],
        batch=1,
        optimiser=OptimiserSettings(learning_rate=1e-3),
    )
    objective = PairObjective(folder, settings)
    lists = [TrainingList(QUERY, (text(600), text(20)), (1, 2))]
    assert max(len(row["input_ids"]) for row in objective._rows(lists)) == 512
    with torch.no_grad():
        assert objective.evaluate(lists).keys() == {"score", "pairs"}
