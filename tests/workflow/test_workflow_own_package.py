"""The reranker that CONTRIBUTING shows, word for word, installed as a package and run by the workflow."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from workflow_project import ROOT, Project, small_configuration

from e2rank_eval.store.collections import read_corpus

pytestmark = pytest.mark.slow


def shown(language: str, first_line: str) -> str:
    """The block of CONTRIBUTING.md that begins with ``first_line``."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(first_line)]
    return str(block)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "site"
    (source / "mypackage").mkdir(parents=True)
    (source / "mypackage" / "__init__.py").touch()
    (source / "mypackage" / "shortest.py").write_text(shown("python", "# mypackage/shortest.py"))
    (source / "pyproject.toml").write_text(shown("toml", "# pyproject.toml"))
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    done = subprocess.run(
        [*pip, "--target", str(target), str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(target), str(ROOT)]))


def test_the_package_of_contributing_runs_by_its_entry_point(
    tmp_path: Path, installed: None, built: Project
) -> None:
    configuration = small_configuration()
    configuration["rerankers"] = {
        "first-stage": {"family": "identity"},
        "shortest": {"family": "shortest"},
    }
    configuration["comparisons"]["main"]["rerankers"] = list(configuration["rerankers"])
    project = built.copied(tmp_path / "project")
    project.configure(configuration)
    done = project.snakemake("metrics")
    assert done.returncode == 0, done.stderr
    runs = project.results / "runs" / "lee-12" / "bm25"
    shortest, first = (
        [line.split()[:4] for line in (runs / f"{name}.run").read_text().splitlines()]
        for name in ("shortest", "first-stage")
    )
    assert shortest != first
    corpus = read_corpus(project.results / "datasets" / "lee-12" / "corpus.jsonl.gz")
    lengths = {document.id: len(document.text) for document in corpus.values()}
    query = [lengths[row[2]] for row in shortest if row[0] == shortest[0][0]]
    assert len(query) == 10
    assert query == sorted(query)
