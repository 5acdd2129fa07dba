"""What runs a timed reranker: the model's shape, the rate its device can do, caches and compilation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from e2rank_eval.config import RerankerSettings
from e2rank_eval.evaluation.flops import TransformerShape, matmul_rate, read_shape
from e2rank_eval.models.checkpoints import loadable_folder
from e2rank_eval.models.loading import Models
from e2rank_eval.models.registry import registered_model

_IN_PROCESS = ("sentence-transformers", "transformers", "gguf")
"""Formats that transformers can run here: without a prefix cache between calls, and not compiled."""

_ROWS = 2048
"""Of the square product whose rate stands for the device's; larger ones are no faster on a CPU."""


@dataclass(frozen=True, slots=True)
class Engine:
    """``shape`` and ``matmul_rate`` (operations per second) are None where they cannot be told."""

    shape: TransformerShape | None = None
    matmul_rate: float | None = None
    in_process: bool = False

    def record(self) -> dict[str, Any]:
        """As it stands in the artefact; null is what only the user's own code or server knows."""
        known = False if self.in_process else None
        return {"matmul_rate": self.matmul_rate, "prefix_cache": known, "compiled": known}


def engine_of(settings: RerankerSettings, models: Models) -> Engine:
    """The engine of a reranker; its device's rate is measured on the spot, in the model's own dtype."""
    name = getattr(settings, "model", None)
    if name is None:
        return Engine()
    entry = registered_model(name)
    if entry.engine != "transformers" or entry.format not in _IN_PROCESS:
        return Engine()
    folder = loadable_folder(models.path(name), entry.format)
    shape = read_shape(folder)
    rate = matmul_rate(_ROWS, _ROWS, _ROWS, dtype=entry.dtype) if shape else None
    return Engine(shape, rate, in_process=True)
