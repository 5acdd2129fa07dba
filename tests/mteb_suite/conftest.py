"""The real MiniLM as mteb's encoder, with a vector cache of the test run's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from e2rank_eval.mteb_suite.encoder import MtebEncoder, load_mteb_encoder


@pytest.fixture(scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory, minilm_path: Path, fetch_cache: Path) -> Path:
    """A cache whose models and downloads are the repository's, and whose vectors are its own."""
    folder = tmp_path_factory.mktemp("cache")
    for name in ("models", "downloads"):
        (folder / name).symlink_to(fetch_cache / name)
    return folder


@pytest.fixture
def minilm(own_cache: Path) -> Callable[[], MtebEncoder]:
    return lambda: load_mteb_encoder("all-minilm-l6-v2", own_cache, threads=1)
