"""Loaders: each reads one layout of fetched files, or makes its data, and registers itself by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2rank_eval.records import Dataset
from e2rank_eval.registry import Registry


@dataclass(frozen=True, slots=True)
class Request:
    """What a loader gets: the data set's id, its entry's options, and the folders of the fetched files.

    ``additions`` is the folder of what the entry adds to its files, if it does. A loader that makes its
    data reads no folder, and takes ``seed``.
    """

    name: str
    options: Mapping[str, Any]
    folder: Path
    additions: Path | None = None
    seed: int = 0


Loaded = tuple[Dataset, dict[str, int]]
"""A data set, and counts of what its loader left out by reason."""

LOADERS: Registry[Callable[[Request], Loaded]] = Registry("loader", "e2rank_eval.datasets.loaders")
