"""The weights that come with the project: what their entry says, and small enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors import safe_open

from e2rank_eval.config.entries import TrainedSource, read_models
from e2rank_eval.store.files import sha256_file

SHIPPED = [Path(__file__).parents[2] / "models" / "e2rank-minilm" / "entry.yaml"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_the_weights_are_those_of_the_entry(path: Path) -> None:
    ((name, entry),) = read_models(path).items()
    (source,) = entry.sources
    assert isinstance(source, TrainedSource)
    assert (name, source.folder) == (path.parent.name, f"models/{path.parent.name}")
    for file, digest in source.files.items():
        assert sha256_file(path.parent / file) == digest
    assert sum((path.parent / file).stat().st_size for file in source.files) <= 50_000_000


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_only_encoder_layers_were_trained_so_plain_vectors_stay(path: Path) -> None:
    (entry,) = read_models(path).values()
    assert entry.plain_model == "all-minilm-l6-v2"
    with safe_open(path.parent / "weights.safetensors", framework="numpy") as weights:
        assert all(name.startswith("encoder.layer.") for name in weights.keys())  # noqa: SIM118
