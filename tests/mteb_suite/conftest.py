"""The real MiniLM as mteb's encoder, with a vector cache for this test run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2rank_eval.models.loading import Models
from e2rank_eval.mteb_suite.encoder import MtebEncoder, load_mteb_encoder
from e2rank_eval.mteb_suite.local_tasks import collection, local_task
from e2rank_eval.records import Dataset


def _without_vectors(folder: Path, fetch_cache: Path) -> Path:
    """Make ``folder`` a cache with the models and downloads of the repository, and vectors of its own."""
    for name in ("models", "downloads"):
        (folder / name).symlink_to(fetch_cache / name)
    return folder


@pytest.fixture(scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory, minilm_path: Path, fetch_cache: Path) -> Path:
    """A cache of vectors that the tests of this folder share."""
    return _without_vectors(tmp_path_factory.mktemp("cache"), fetch_cache)


@pytest.fixture
def empty_cache(tmp_path_factory: pytest.TempPathFactory, minilm_path: Path, fetch_cache: Path) -> Path:
    """A cache in which no test has stored a vector yet."""
    return _without_vectors(tmp_path_factory.mktemp("cache"), fetch_cache)


@pytest.fixture
def minilm(own_cache: Path) -> Callable[[], MtebEncoder]:
    return lambda: load_mteb_encoder("all-minilm-l6-v2", Models(own_cache, threads=1))


@pytest.fixture(scope="session")
def short_lee(lee_dataset: Dataset) -> Dataset:
    """The Lee texts, queries and documents alike, cut to their first twelve words."""

    def cut(texts: Any) -> dict[str, Any]:
        return {i: replace(one, text=" ".join(one.text.split()[:12])) for i, one in texts.items()}

    return replace(lee_dataset, corpus=cut(lee_dataset.corpus), queries=cut(lee_dataset.queries))


@pytest.fixture
def short_task(own_cache: Path, short_lee: Dataset) -> Callable[[], Any]:
    """LeeRetrieval on the cut texts; a new object every time."""

    def load() -> Any:
        task: Any = local_task("LeeRetrieval", own_cache)
        task._data = collection(short_lee)
        return task

    return load
