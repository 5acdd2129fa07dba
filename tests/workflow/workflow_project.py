"""A small project in a folder: the real Snakefile on a few Lee texts, with the shared model cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from e2rank_eval.store.files import sha256_file

ROOT = Path(__file__).parents[2]
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]

STAGES = (
    *("datasets", "candidates", "runs", "statistics", "metrics", "comparisons"),
    *("tables", "figures", "site"),
)


def small_configuration(model: str = "all-minilm-l6-v2") -> dict[str, Any]:
    """BM25, then identity and E2Rank on MiniLM, in shards of four queries."""
    return {
        "profile": "small",
        "threads": 1,
        "depth": 10,
        "shard_queries": 4,
        "datasets": {"lee": {}, "lee-12": {"slice_of": "lee", "queries": 12}},
        "first_stages": {"bm25": {"retriever": "bm25"}},
        "rerankers": {
            "first-stage": {"family": "identity"},
            "e2rank": {"family": "e2rank", "model": model, "prompt_documents": 3, "combination": "residual"},
        },
        "comparisons": {
            "main": {
                "title": "E2Rank on twelve texts",
                "datasets": ["lee-12"],
                "first_stage": "bm25",
                "rerankers": ["first-stage", "e2rank"],
                "baselines": ["first-stage"],
            }
        },
    }


@dataclass(frozen=True)
class Project:
    """A working folder for Snakemake that shares the repository's caches of models and downloads."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, configuration: dict[str, Any]) -> Project:
        project = cls(folder)
        (folder / "cache").mkdir(parents=True)
        for name in ("models", "downloads"):
            (ROOT / "cache" / name).mkdir(parents=True, exist_ok=True)
            (folder / "cache" / name).symlink_to(ROOT / "cache" / name)
        project.configure(configuration)
        return project

    def copied(self, folder: Path, *, upto: str | None = None) -> Project:
        """Copy the project into another folder; ``upto`` excludes the outputs of later stages."""
        shutil.copytree(self.folder, folder, symlinks=True)
        copy = Project(folder)
        if upto is not None:
            for stage in (copy.results / name for name in STAGES[STAGES.index(upto) + 1 :]):
                shutil.rmtree(stage, ignore_errors=True)
            shutil.rmtree(folder / "cache" / "shards")
        return copy

    def configure(self, configuration: dict[str, Any]) -> None:
        (self.folder / "mine.yaml").write_text(yaml.safe_dump(configuration))

    @property
    def results(self) -> Path:
        return self.folder / "results" / "small"

    def command(self, *arguments: str) -> list[str]:
        return [*SNAKEMAKE, *arguments, "--configfile", "mine.yaml"]

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "E2RANK_EVAL_LEADER"}
        return kept | {"PYTHONUNBUFFERED": "1"}

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.environment(),
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    def start(self, *arguments: str, own_group: bool = False) -> subprocess.Popen[bytes]:
        log = (self.folder / "leader.log").open("ab")
        with log:
            return subprocess.Popen(
                self.command(*arguments), cwd=self.folder, env=self.environment(),
                stdout=log, stderr=log, start_new_session=own_group,
            )  # fmt: skip

    def hashes(self, *stages: str) -> dict[str, str]:
        """Return the SHA-256 of every output file of these stages, manifests excepted."""
        paths = (path for stage in stages for path in sorted((self.results / stage).rglob("*")))
        return {
            path.relative_to(self.results).as_posix(): sha256_file(path)
            for path in paths
            if path.is_file() and not path.name.endswith(".manifest.json")
        }
