"""Fixtures shared by all tests: real models and data, or a skip that says why they are not available."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from pytest_httpserver import HTTPServer

from e2rank_eval.errors import UnavailableError
from e2rank_eval.records import Dataset

# No deadlines: a busy machine makes any example slow. `make test-all` names the thorough profile.
settings.register_profile("fast", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=300)
settings.load_profile("fast")

REPOSITORY = Path(__file__).parent.parent
CACHE = REPOSITORY / "cache"
"""The demo's own cache, so that `make demo` and `make test` fetch every model once between them."""

Value = TypeVar("Value")


def _or_skip(fetch: Callable[[], Value]) -> Value:
    try:
        return fetch()
    except UnavailableError as error:
        pytest.skip(str(error))


def _model(name: str, variable: str) -> Path:
    given = os.environ.get(variable)
    if given:
        return Path(given)

    def fetch() -> Path:
        from e2rank_eval.models.references import Catalogue

        return Catalogue(CACHE).examine(name).path

    return _or_skip(fetch)


@pytest.fixture(scope="session")
def make_httpserver() -> Iterator[HTTPServer]:
    """A multi-threaded server on loopback; pytest-httpserver's answers one request at a time."""
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture(scope="session")
def fetch_cache() -> Path:
    """The cache folder that the fixtures below fetch into."""
    return CACHE


@pytest.fixture(scope="session")
def minilm_path() -> Path:
    """Folder of all-MiniLM-L6-v2, in sentence-transformers' format."""
    return _model("all-minilm-l6-v2", "E2RANK_TEST_MINILM")


@pytest.fixture(scope="session")
def smollm2_path() -> Path:
    """Folder that holds the GGUF file of SmolLM2-135M-Instruct."""
    return _model("smollm2-135m-instruct-q4", "E2RANK_TEST_SMOLLM2")


@pytest.fixture(scope="session")
def lee_dataset() -> Dataset:
    """The 50 Lee texts as a test collection."""

    def fetch() -> Dataset:
        from e2rank_eval.datasets.loading import load_registered

        return load_registered("lee", CACHE, seed=13).dataset

    return _or_skip(fetch)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real collections and runs, beside the repository on development machines only."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not on this machine")
    return folder
