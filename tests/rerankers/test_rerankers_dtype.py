"""The dtype of an entry: that of the weights on a GPU, without effect on a CPU, for every kind of model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reranking import Folder, rank, write_t5
from tiny_chat_models import write_cross_encoder
from tiny_representations import write_colbert, write_splade

from e2rank_eval.config.systems import FAMILIES
from e2rank_eval.models import checkpoints
from e2rank_eval.rerankers.base import Reranker

TEXTS = ["the heat shield", "what is drag", "a wing of the plate", "flow"]


def with_prompt(folder: Path) -> Path:
    return write_splade(folder, prompts={"query": "what "})


@pytest.mark.skipif(torch.cuda.is_available(), reason="the dtype of a CPU is tested")
@pytest.mark.parametrize(
    ("family", "write"),
    [
        ("cross-encoder", write_cross_encoder),
        ("monot5", write_t5),
        ("sparse", write_splade),
        ("sparse", with_prompt),
        ("late-interaction", write_colbert),
    ],
)
def test_the_entrys_dtype_is_that_of_the_weights_where_the_device_allows(
    family: str, write: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "model")

    def build(dtype: str) -> Reranker:
        limits = {"window": 40, "document_tokens": 40, "query_tokens": 40}
        context = Folder(folder, dtype=dtype, **limits).context()
        built: Reranker = FAMILIES[family](family=family, model="x").build(context)
        return built

    plain, on_cpu = build("float32"), build("float16")
    assert on_cpu.fingerprint == plain.fingerprint
    assert dtypes(on_cpu) == {torch.float32}
    monkeypatch.setattr(checkpoints, "dtype_on", lambda _, wanted: wanted)  # as on a GPU
    half = build("float16")
    assert torch.float16 in dtypes(half)
    assert half.fingerprint != plain.fingerprint
    expected, found = (rank(one, "what is the drag", TEXTS).stats.scores for one in (plain, half))
    assert found != expected, "rounded, and finite, as others are refused"


def dtypes(built: Any) -> set[torch.dtype]:
    model = built._model if hasattr(built, "_model") else built._encoder._model
    return {one.dtype for one in model.parameters()}
