"""Every objective on tiny models: the loss falls, and the saved model loads in the suite's families."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from toy_lists import toy_lists

from e2rank_eval.config.reading import read_settings
from e2rank_eval.config.training import TrainingFile
from e2rank_eval.errors import InputError
from e2rank_eval.models.loading import Models
from e2rank_eval.models.registry import registered_model
from e2rank_eval.records import Candidate, CandidateList, Document, ListwiseInput, Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.families.cross_encoder import CrossEncoderSettings
from e2rank_eval.rerankers.families.e2rank import E2RankSettings
from e2rank_eval.rerankers.families.listwise import ListwiseSettings
from e2rank_eval.training.checkpoints import LOG
from e2rank_eval.training.lists import TrainingList
from e2rank_eval.training.train import load_base, load_objective, train

Trained = Callable[..., Path]

QUICK: dict[str, Any] = {"steps": 12, "checkpoint_every": 100, "optimiser": {"learning_rate": 2e-3}}
FROZEN: dict[str, Any] = {
    "frozen_documents": True, "residual": {"weight": 0.5}, "info_nce": {"vector": "listwise"},
}  # fmt: skip


def _falls(folder: Path, term: str = "loss", by: float = 0.9) -> bool:
    values = [json.loads(line)[term] for line in (folder / LOG).read_text().splitlines()]
    return float(np.mean(values[-3:])) < by * float(np.mean(values[:3]))


def _ranks_all(settings: Any) -> bool:
    """Whether a reranker with the trained model gives an order of one list's documents."""
    item = toy_lists(1, seed=8)[0]
    documents = [Document(str(place), text) for place, text in enumerate(item.documents)]
    listed = CandidateList("q", tuple(Candidate(one, 1.0) for one in documents))
    reranker = settings.build(RerankContext(Models(Path("cache"), threads=1)))
    return sorted(reranker.rank_candidates([Query("q", item.query)], [listed])[0].document_ids) == [
        "0",
        "1",
        "2",
        "3",
    ]


def test_an_encoder_with_frozen_documents_learns_and_leaves_documents_alone(trained: Trained) -> None:
    # All lists in every batch: their losses differ more than so few steps take off.
    whole = QUICK | FROZEN | {"batch": 24, "steps": 16, "optimiser": {"learning_rate": 1e-3}}
    assert _falls(trained(**whole, save={"weights": "changed", "dtype": "float16"}))
    models = Models(Path("cache"), threads=1)
    plain, moved = models.encoder("tiny-bert"), models.encoder("run")
    texts = ["the wing", "the heat of number 3"]
    assert np.array_equal(plain.encode(texts, "document").vectors, moved.encode(texts, "document").vectors)
    assert plain.document_fingerprint == moved.document_fingerprint
    assert plain.fingerprint != moved.fingerprint
    listwise = [ListwiseInput("what is wing", ("the wing", "the sun"))]
    change = moved.encode_listwise(listwise).vectors - plain.encode_listwise(listwise).vectors
    assert np.abs(change).max() > 0.01
    assert _ranks_all(E2RankSettings(family="e2rank", model="run", combination="residual", weight=0.5))


def test_a_base_with_frozen_documents_gives_the_vectors_of_its_own_base(
    trained: Trained, training_file: Callable[..., Path], workplace: Path
) -> None:
    trained(**QUICK | FROZEN).rename("models/first")
    entry = Path("models/first/entry.yaml")
    entry.write_text(entry.read_text().replace("run", "first"))
    changes = QUICK | FROZEN | {"model": "first", "steps": 2}
    file = read_settings(TrainingFile, training_file(**changes))
    objective = load_objective(file.runs["run"], load_base(file, file.runs["run"]), file.cache)
    start = Models(workplace / "cache", threads=1).encoder("tiny-bert")
    assert objective._plain.document_fingerprint == start.document_fingerprint
    trained(**changes)
    assert registered_model("run").plain_model == "tiny-bert"
    Path("models/run").rename("elsewhere")
    trained(objective="cross-encoder", model="first", steps=2)
    assert registered_model("run").plain_model is None
    assert not registered_model("run").reranker


def test_saved_weights_are_the_mean_of_trained_and_base_in_the_given_shares(
    trained: Trained, workplace: Path
) -> None:
    """The share is not part of the training: the second run only saves the finished one again."""

    def saved(share: float) -> dict[str, torch.Tensor]:
        folder = trained(**QUICK | FROZEN | {"steps": 4}, save={"trained": share})
        return load_file(folder / "weights" / "model.safetensors")

    whole, mixed = saved(1.0), saved(0.25)
    base = load_file(workplace / "models" / "tiny-bert" / "weights" / "model.safetensors")
    moved = [name for name in whole if not torch.equal(whole[name], base[name])]
    assert moved
    for name in moved:
        torch.testing.assert_close(mixed[name], 0.75 * base[name] + 0.25 * whole[name])


@pytest.mark.parametrize("objective", ["stage1", "stage2"])
def test_a_decoder_of_the_qwen3_architecture_learns_both_stages(objective: str, trained: Trained) -> None:
    assert _falls(trained(**QUICK | {"model": "tiny-qwen3", "objective": objective, "window": 256}))
    assert _ranks_all(E2RankSettings(family="e2rank", model="run"))
    assert registered_model("run").trained_for_e2rank == (objective == "stage2")


def test_stage2_follows_stage1_of_the_same_file(training_file: Callable[..., Path], workplace: Path) -> None:
    path = training_file(objective="stage1", model="tiny-qwen3", steps=2)
    text = path.read_text()
    follower = text.replace("runs:\n", "").replace("  run:", "  second:").replace("stage1", "stage2")
    path.write_text(text + follower.replace("    model: tiny-qwen3\n", "    follows: run\n"))
    file = read_settings(TrainingFile, path)
    with pytest.raises(InputError, match="not trained yet"):
        train(file, "second")
    train(file, "run")
    train(file, "second")
    exact = read_settings(TrainingFile, workplace / "models" / "second" / "training.yaml")
    assert list(exact.runs) == ["run", "second"]


def test_a_cross_encoder_learns_loads_in_its_family_and_is_saved_the_same_again(trained: Trained) -> None:
    """The tokenizer too, although it keeps the truncation and padding of its last call."""
    settings = QUICK | {"steps": 40, "objective": "cross-encoder"}
    folder = trained(**settings)
    assert _falls(folder)
    assert _ranks_all(CrossEncoderSettings(family="cross-encoder", model="run"))
    first = {path.name: path.read_bytes() for path in (folder / "weights").iterdir()}
    trained(**settings)
    assert {path.name: path.read_bytes() for path in (folder / "weights").iterdir()} == first


def test_a_cross_encoder_is_trained_on_the_pairs_that_it_will_rank(
    trained: Trained, training_file: Callable[..., Path]
) -> None:
    """Also where a query is long, or a text has a special token."""
    settings = {"objective": "cross-encoder", "window": 16}
    trained(**QUICK | settings | {"steps": 1})
    file = read_settings(TrainingFile, training_file(**settings))
    objective: Any = load_objective(file.runs["run"], load_base(file, file.runs["run"]), file.cache)
    read = CrossEncoderSettings(family="cross-encoder", model="run").build(
        RerankContext(Models(Path("cache"), threads=1))
    )
    for query, text in (("wing " * 40, "sun " * 40), ("wing", "heat"), ("wi[SEP]ng", "su[SEP]n " * 40)):
        item = TrainingList(query, (text, "sun"), (1, 2))
        listed = CandidateList("q", tuple(Candidate(Document(one, one), 1.0) for one in item.documents))
        cut = read._texts(Query("q", query), listed)
        pairs = [read._tokenizer(cut.query, one)["input_ids"] for one in cut.documents]
        assert [row["input_ids"] for row in objective._rows([item])] == pairs


def test_a_cross_encoder_scores_development_lists_cut_as_in_training(
    training_file: Callable[..., Path],
) -> None:
    settings = {"objective": "cross-encoder", "window": 16, "list_documents": 2}
    file = read_settings(TrainingFile, training_file(**settings))
    objective = load_objective(file.runs["run"], load_base(file, file.runs["run"]), file.cache)
    lists = [TrainingList(f"wing {n}", ("heat", "sun", "wing", f"sea {n}"), (3, 2, 1, 4)) for n in range(3)]
    with torch.no_grad():
        assert objective.evaluate(lists) == objective.evaluate([item.cut(2) for item in lists])


def test_a_listwise_model_learns_its_answers_and_loads_in_its_family(trained: Trained) -> None:
    assert _falls(trained(**QUICK | {"model": "tiny-qwen3", "objective": "listwise"}))
    assert _ranks_all(ListwiseSettings(family="listwise", model="run"))


def test_the_loss_is_of_the_vectors_that_evaluation_computes(
    training_file: Callable[..., Path], workplace: Path
) -> None:
    """InfoNCE and RankNet recomputed from what the encoders of the evaluation give."""
    file = read_settings(TrainingFile, training_file(**FROZEN, prompt={"documents": [2, 2]}, dropout=False))
    settings, lists = file.runs["run"], toy_lists(4)
    objective = load_objective(settings, load_base(file, settings), file.cache)
    objective.prepare(lists)
    terms = objective.backward(objective.module, lists, Accelerator(cpu=True), seed=5)
    encoder = Models(workplace / "cache", threads=1).encoder("tiny-bert", document_tokens=32)
    prompts = [ListwiseInput(item.query, item.documents[:2]) for item in lists]
    listwise = encoder.encode_listwise(prompts).vectors
    queries = listwise + 0.5 * encoder.encode([item.query for item in lists], "query").vectors
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    texts = sorted({text for item in lists for text in item.documents})
    vectors = dict(zip(texts, encoder.encode(texts, "document").vectors, strict=True))
    info, pairs = [], []
    for item, query in zip(lists, queries, strict=True):
        scores = {text: float(vector @ query) for text, vector in vectors.items()}
        best = scores[item.documents[item.best]] / 0.03
        info.append(np.logaddexp.reduce([score / 0.03 for score in scores.values()]) - best)
        ranked = [scores[item.documents[place]] for place in np.argsort(item.ranks)]
        pairs += [np.logaddexp(0, (b - a) / 0.1) for at, a in enumerate(ranked) for b in ranked[at + 1 :]]
    assert terms["info_nce"] == pytest.approx(np.mean(info), rel=2e-3)
    assert terms["ranknet"] == pytest.approx(np.mean(pairs), rel=2e-3)


def test_training_moves_the_listwise_vector_towards_its_directions(trained: Trained) -> None:
    settings: dict[str, Any] = QUICK | {
        "steps": 16, "dropout": False, "frozen_documents": True, "info_nce": None,
        "ranknet": {"weight": 0.01}, "direction": {"oracle": 4.0, "feedback": 1.0},
    }  # fmt: skip
    folder = trained(**settings)
    assert _falls(folder, "oracle", 1.0)
    assert _falls(folder, "feedback", 1.0)


def test_lora_trains_its_adapters_alone_and_is_merged(trained: Trained) -> None:
    lora = {"rank": 4, "targets": ["query", "value"]}
    folder = trained(**QUICK | FROZEN | {"lora": lora, "save": {"weights": "changed"}})
    changed = load_file(folder / "weights.safetensors")
    assert changed
    assert all(name.split(".")[-2] in ("query", "value") for name in changed)
