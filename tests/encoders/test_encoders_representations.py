"""Sparse and multi-vector encoders against sentence-transformers; what would be random is refused."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer, SparseEncoder
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

sys.path.insert(0, str(Path(__file__).parents[1]))

from safetensors.torch import load_file, save_file
from tiny_representations import write_bert, write_colbert, write_splade

from e2rank_eval.config import parse_configuration
from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.representations import LateInteraction, load_modules, max_sim
from e2rank_eval.models.encoders.sparse import ModularSparseEncoder, Splade, load_sparse_encoder
from e2rank_eval.models.loading import Models
from e2rank_eval.models.registry import ResolvedModel
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval.base import Context
from e2rank_eval.retrieval.first_stages import exhaustive as stage

TEXTS = ["what is drag ?", "heat, of the wing", "flow", "", "the heat shield. " * 30, "[SEP] plate"]


def resolve(folder: Path, kind: str) -> ResolvedModel:
    return Models(folder / "cache", threads=1).resolve(str(folder), kind)


@pytest.mark.parametrize("mean", [False, True])
def test_late_interaction_is_that_of_sentence_transformers(tmp_path: Path, mean: bool) -> None:
    folder = write_colbert(tmp_path, similarity_fn_name="meanmaxsim" if mean else None)
    ours = LateInteraction(resolve(folder, "late-interaction"))
    theirs = MultiVectorEncoder(str(folder), device="cpu", local_files_only=True)
    plain = [text.replace("[SEP]", "[ SEP]") for text in TEXTS]
    queries, documents = ours.encode(TEXTS, "query"), ours.encode(TEXTS, "document")
    for found, expected in (
        (queries, theirs.encode_query(plain, convert_to_numpy=True, batch_size=1)),
        (documents, theirs.encode_document(plain, convert_to_numpy=True, batch_size=1)),
    ):
        for own, reference in zip(found.vectors, expected, strict=True):
            np.testing.assert_allclose(own, reference, atol=1e-6)
    expected = theirs.similarity(*([torch.tensor(v) for v in one.vectors] for one in (queries, documents)))
    for at in range(len(TEXTS)):
        scores = ours.scores(queries.vectors[at : at + 1], documents.vectors)
        np.testing.assert_allclose(scores, expected[at].numpy(), rtol=1e-5)
    assert queries.tokens[2] == 12, "expanded"
    assert len(documents.vectors[1]) == documents.tokens[1] - 1, "the comma is skipped"
    assert documents.truncated == (False, False, False, False, True, False)
    alone = ours.encode(TEXTS[:1], "document").vectors[0]
    assert (alone == documents.vectors[0]).all(), "a vector does not depend on its company"


@pytest.mark.parametrize(
    ("kind", "load", "write"),
    [
        ("late-interaction", LateInteraction, write_colbert),
        ("sparse-encoder", load_sparse_encoder, write_splade),
        ("sparse-encoder", load_sparse_encoder, partial(write_splade, pooling="sum")),
    ],
    ids=["late-interaction", "splade", "modules"],
)
def test_concurrent_calls_give_what_each_gives_alone(
    tmp_path: Path, kind: str, load: Any, write: Any
) -> None:
    encoder = load(resolve(write(tmp_path), kind))
    texts = [f"{'heat ' * (7 * number % 60)}flow" for number in range(60)]
    expected = [encoder.encode([text], "document") for text in texts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: encoder.encode([text], "document"), texts))
    for one, other in zip(found, expected, strict=True):
        assert (one.tokens, one.truncated) == (other.tokens, other.truncated)
        assert abs(one.vectors[0] - other.vectors[0]).max() < 1e-5


def test_max_sim_is_its_formula_in_loops() -> None:
    random = np.random.default_rng(0)
    query, document = random.normal(size=(3, 4)), random.normal(size=(5, 4))
    expected = sum(max(float(q @ d) for d in document) for q in query)
    assert max_sim(query, document) == pytest.approx(expected)
    assert max_sim(query, document[:0]) == -3


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, Splade),
        ({"prompts": {"query": "what ", "document": "the "}}, ModularSparseEncoder),
        ({"pooling": "sum"}, ModularSparseEncoder),
    ],
    ids=["plain", "prompts", "sum"],
)
def test_sparse_vectors_are_those_of_sentence_transformers(
    tmp_path: Path, settings: dict[str, Any], kind: type
) -> None:
    folder = write_splade(tmp_path, **settings)
    ours = load_sparse_encoder(resolve(folder, "sparse-encoder"))
    assert type(ours) is kind
    theirs = SparseEncoder(str(folder), device="cpu", local_files_only=True)
    plain = [text.replace("[SEP]", "[ SEP]") for text in TEXTS]
    for side, encode in (("query", theirs.encode_query), ("document", theirs.encode_document)):
        expected = encode(plain, batch_size=1, convert_to_sparse_tensor=False).numpy()
        found = ours.encode(TEXTS, side)  # type: ignore[arg-type]
        np.testing.assert_allclose(found.vectors.toarray(), expected, atol=1e-5)
        assert found.truncated == (False, False, False, False, True, False)
        assert max(found.tokens) == 48


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"document_tokens": 49}, "document_tokens 49 is out of range for splade; choose 3 to 48"),
        ({"window": 20}, "document_tokens 48 is out of range for splade; choose 3 to 20"),
        ({"query_tokens": 2}, "query_tokens 2 is out of range"),
    ],
)
def test_a_limit_beyond_the_window_of_splade_is_refused(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    found = resolve(write_splade(tmp_path), "sparse-encoder")
    changed = replace(found, entry=found.entry.model_copy(update={"window": 99} | changes))
    with pytest.raises(InputError, match=f"{found.path}: {problem}"):
        load_sparse_encoder(changed)


def pooled(folder: Path) -> Path:
    body = Transformer(str(write_bert(folder / "bert")))
    SentenceTransformer(modules=[body, Pooling(32)]).save_pretrained(str(folder / "pooled"))
    return folder / "pooled"


def without(tensor: str, write: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def changed(folder: Path) -> Path:
        path = write(folder) / "model.safetensors"
        weights = load_file(path)
        (name,) = [name for name in weights if name.endswith(tensor)]
        save_file({n: v for n, v in weights.items() if n != name}, path, metadata={"format": "pt"})
        return path.parent

    return changed


def without_projection(folder: Path) -> Path:
    made = write_colbert(folder)
    shutil.rmtree(made / "1_Dense")
    return made


def with_foreign_activation(folder: Path) -> Path:
    made = write_colbert(folder)
    path = made / "1_Dense" / "config.json"
    path.write_text(path.read_text().replace("torch.nn.modules.linear.Identity", "mine.Activation"))
    return made


@pytest.mark.parametrize(
    ("kind", "write", "named"),
    [
        (MultiVectorEncoder, lambda folder: write_bert(folder / "bert"), "Dense.linear.weight"),
        (MultiVectorEncoder, pooled, "Dense.linear.weight"),
        (MultiVectorEncoder, without_projection, "Dense"),
        (MultiVectorEncoder, with_foreign_activation, "mine.Activation"),
        (MultiVectorEncoder, without("layer.1.output.dense.weight", write_colbert), "1.output.dense.weight"),
        (SparseEncoder, lambda folder: write_bert(folder / "bert"), "SparseAutoEncoder"),
        (
            SparseEncoder,
            without("predictions.transform.dense.weight", write_splade),
            "transform.dense.weight",
        ),
    ],
    ids=["plain", "pooled", "no-projection", "activation", "no-tensor", "plain-sparse", "no-tensor-sparse"],
)
def test_what_sentence_transformers_would_fill_at_random_is_refused_by_name(
    tmp_path: Path, kind: type, write: Callable[[Path], Path], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        load_modules(kind, write(tmp_path), "float32")


def test_a_headless_model_is_not_a_sparse_encoder(tmp_path: Path) -> None:
    folder = without("predictions.transform.dense.weight", lambda f: write_bert(f / "bert", head=True))(
        tmp_path
    )
    with pytest.raises(InputError, match=r"transform\.dense\.weight"):
        load_sparse_encoder(resolve(folder, "sparse-encoder"))
    for kind in ("sparse-encoder", "late-interaction"):
        with pytest.raises(InputError):
            resolve(write_bert(tmp_path / kind), kind)


def test_a_first_stage_of_each_searches_the_whole_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {"late-interaction": write_colbert(tmp_path / "l"), "sparse": write_splade(tmp_path / "s")}
    values = {
        "profile": "tiny",
        "datasets": {"tiny": {"path": "tiny"}},
        "first_stages": {name: {"retriever": name, "model": str(path)} for name, path in models.items()},
        "rerankers": {"first-stage": {"family": "identity"}},
    }
    corpus = {f"d{at}": Document(f"d{at}", text) for at, text in enumerate([*TEXTS, TEXTS[0]])}
    dataset = Dataset("tiny", corpus, {"q": Query("q", "what is drag ?")}, {"q": {"d0": 1}})
    provider = Models(tmp_path, threads=1)
    context = Context(parse_configuration(values, "tiny"), provider, depth=3)
    for name, path in models.items():
        ((found,), _) = context.finder(name)(dataset)
        encoder = (LateInteraction if name == "late-interaction" else load_sparse_encoder)(
            resolve(path, "sparse-encoder" if name == "sparse" else name)
        )
        query = encoder.encode(["what is drag ?"], "query").vectors
        documents = encoder.encode([one.contents for one in corpus.values()], "document").vectors
        scores = np.round(encoder.scores(query, documents), 6)
        ranked = sorted(range(len(scores)), key=lambda at: -scores[at])
        assert found.scores == tuple(scores[ranked])
        assert found.document_ids == tuple(f"d{at}" for at in ranked)
    seconds = provider.load_seconds
    assert seconds > 0
    context.finder("sparse")
    assert provider.load_seconds == seconds, "loaded once"
    monkeypatch.setattr(stage, "MOST_DOCUMENTS", 6)
    with pytest.raises(InputError, match="7 documents, more than the limit of 6"):
        context.finder("late-interaction")(dataset)
