"""What is recorded of a timed model's engine follows the engine that its entry names."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2rank_eval.config import IdentitySettings, ListwiseSettings
from e2rank_eval.evaluation import engine
from e2rank_eval.models.loading import Models
from e2rank_eval.models.registry import registered_model


def test_an_engine_of_its_own_leaves_cache_and_compilation_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served = registered_model("smollm2-135m-instruct-q4").model_copy(update={"engine": "llama.cpp"})
    monkeypatch.setattr(engine, "registered_model", {"smollm2-135m-instruct-q4": served}.__getitem__)
    settings = ListwiseSettings(family="listwise", model="smollm2-135m-instruct-q4")
    found = engine.engine_of(settings, Models(tmp_path, threads=1))
    assert found.record() == {"matmul_rate": None, "prefix_cache": None, "compiled": None}


def test_a_reranker_without_a_model_has_no_engine(tmp_path: Path) -> None:
    assert (
        engine.engine_of(IdentitySettings(family="identity"), Models(tmp_path, threads=1)) == engine.Engine()
    )
