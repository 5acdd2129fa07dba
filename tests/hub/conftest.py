"""A hub and a file server on loopback, real texts to serve, and a registry that names both."""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import published
import pytest
import yaml
from file_server import FileServer
from hub_server import Hub
from packages import PackageIndex

from e2rank_eval.datasets.loaders import pydoc
from e2rank_eval.datasets.sources import download, hub, package
from e2rank_eval.records import Dataset, Document, Query

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("workflow", "encoders")]


@pytest.fixture(scope="session")
def texts() -> Dataset:
    """A small collection of real text: documented functions of four modules of Python's own library."""
    modules = [inspect, argparse, ast, statistics]
    found = pydoc.distinct(f for m in modules for f in pydoc.functions(inspect.getsource(m), m.__name__))
    whole = Dataset(
        id="texts",
        corpus={i: Document(i, f.code, f.description) for i, f in found.items()},
        queries={f"{i}?": Query(f"{i}?", f.description) for i, f in found.items()},
        qrels={f"{i}?": {i: 1} for i in found},
    )
    queries = list(whole.queries)[:12]
    return Dataset(
        id="texts",
        corpus=whole.corpus,
        queries={q: whole.queries[q] for q in queries},
        qrels={q: whole.qrels[q] for q in queries},
    )


@pytest.fixture(scope="session")
def spaced(texts: Dataset) -> Dataset:
    """The same texts with ids that contain white space and percent signs, as in BRIGHT."""
    new = {i: f"page of {i}" if n % 3 else f"100%25 {i}.txt" for n, i in enumerate(texts.corpus)}
    return Dataset(
        id="texts",
        corpus={new[i]: Document(new[i], d.text, d.title) for i, d in texts.corpus.items()},
        queries=texts.queries,
        qrels={q: {new[d]: g for d, g in grades.items()} for q, grades in texts.qrels.items()},
    )


@pytest.fixture(scope="session")
def archive(texts: Dataset) -> bytes:
    """The texts as a BEIR zip."""
    return published.beir_zip(texts, "texts")


@pytest.fixture
def server() -> Iterator[FileServer]:
    served = FileServer()
    yield served
    served.close()


@pytest.fixture
def hub_server(
    server: FileServer, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Hub:
    """The hub that ``HF_ENDPOINT`` names, with an empty client cache."""
    from huggingface_hub import constants

    monkeypatch.setenv("HF_ENDPOINT", server.address)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub-cache")))
    hub.answers.cache_clear()
    return Hub(server)


@pytest.fixture
def package_index(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> PackageIndex:
    """The only index that pip uses; retries do not wait."""
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
    monkeypatch.setattr(package, "BACK_OFF", (0.0, 0.0))
    return PackageIndex(server)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries do not wait; environment variables of the user are cleared."""
    monkeypatch.setattr(download, "BACK_OFF", (0.0,) * 4)
    monkeypatch.setattr(hub, "BACK_OFF", (0.0,) * 3)
    for variable in ("E2RANK_DATA", "E2RANK_MIRROR", "E2RANK_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[dict[str, Any]], None]:
    """Replaces or adds registry entries as a user does, by config/datasets.yaml."""
    (tmp_path / "config").mkdir()
    monkeypatch.chdir(tmp_path)

    def write(changed: dict[str, Any]) -> None:
        (tmp_path / "config" / "datasets.yaml").write_text(yaml.safe_dump(changed))

    return write


@pytest.fixture
def client(tmp_path: Path, server: FileServer) -> Callable[..., Any]:
    """Runs a script in a process of its own, with its own environment; its last line is JSON."""

    def run(script: str, *arguments: str, **variables: str) -> Any:
        own = {
            "HF_ENDPOINT": server.address,
            "HF_HOME": str(tmp_path / "hf"),
            "IR_DATASETS_HOME": str(tmp_path / "ir_datasets"),
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env=os.environ | own | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run
