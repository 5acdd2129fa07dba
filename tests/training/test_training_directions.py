"""The vectors that a listwise vector is drawn to: plain loops, and what training by them changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize
from toy_lists import write_toy

from e2rank_eval.config import read_training
from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.vectors import unit
from e2rank_eval.training import directions
from e2rank_eval.training.logs import LOG
from e2rank_eval.training.train import train


def _vectors(rows: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(rows, 6, dtype=torch.float64, generator=generator), dim=-1)


def test_the_oracle_is_rocchio_over_the_positives() -> None:
    queries, documents = _vectors(2, 1), _vectors(5, 2)
    found = directions.oracle(queries, documents, [[0, 3], [4]])
    d = documents.numpy()
    expected = [
        unit(queries[0].numpy() + unit((d[0] + d[3]) / 2)),
        unit(queries[1].numpy() + d[4]),
    ]
    np.testing.assert_allclose(found.numpy(), np.stack(expected), atol=1e-12)


def test_feedback_weighs_documents_by_their_similarity() -> None:
    queries, documents = _vectors(1, 3), _vectors(4, 4)
    q, d = queries[0].numpy(), documents.numpy()
    weights = np.exp(d[:3] @ q / 0.2)
    expected = unit(q + unit(weights @ d[:3]))
    found = directions.feedback(queries, documents, [[0, 1, 2]], temperature=0.2)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-12)
    cold = directions.feedback(queries, documents, [[0, 1, 2]], temperature=1e-4)
    nearest = documents[int(np.argmax(d[:3] @ q))]
    torch.testing.assert_close(cold[0], normalize(queries[0] + nearest, dim=-1), atol=1e-6, rtol=0)


def test_distance_is_nought_for_the_same_direction_and_two_for_the_opposite() -> None:
    vectors = _vectors(3, 5)
    assert float(directions.distance(vectors, vectors)) == pytest.approx(0.0, abs=1e-12)
    assert float(directions.distance(vectors, -vectors)) == pytest.approx(2.0)


def test_training_draws_the_listwise_vector_nearer(training_file: Callable[..., Path]) -> None:
    write_toy(Path("lists.jsonl"))
    settings: dict[str, Any] = {
        "steps": 16, "checkpoint_every": 100, "optimiser": {"learning_rate": 2e-3}, "dropout": False,
        "frozen_documents": True, "info_nce": None, "ranknet": {"weight": 0.01},
        "direction": {"oracle": 4.0, "feedback": 1.0},
    }  # fmt: skip
    folder = train(read_training(training_file(**settings)), "run").parent
    rows = [_row(line) for line in (folder / LOG).read_text().splitlines()]
    for term in ("oracle", "feedback"):
        assert np.mean([row[term] for row in rows[-4:]]) < np.mean([row[term] for row in rows[:4]])


def _row(line: str) -> dict[str, Any]:
    import json

    row: dict[str, Any] = json.loads(line)
    return row


def test_directions_need_frozen_vectors(training_file: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="only with frozen_documents"):
        read_training(training_file(direction={"oracle": 1.0}))
