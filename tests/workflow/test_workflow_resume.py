"""Killed at any moment and run again, the workflow ends in the same bytes and redoes one shard at most."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from workflow_project import Project

STAGES = ("datasets", "candidates", "runs", "statistics", "metrics", "comparisons")

pytestmark = pytest.mark.slow


@pytest.fixture
def undisturbed(built: Project) -> dict[str, str]:
    return built.hashes(*STAGES)


def _shards(project: Project) -> set[str]:
    return {path.name for path in (project.folder / "cache" / "shards").rglob("*.json")}


def _wait_for_a_shard(project: Project, leader: psutil.Popen) -> None:
    deadline = time.monotonic() + 600
    while not _e2rank_shards(project):
        assert time.monotonic() < deadline, "no shard of E2Rank was ever written"
        assert leader.poll() is None, (project.folder / "leader.log").read_text()
        time.sleep(0.002)


def _e2rank_shards(project: Project) -> bool:
    """E2Rank's shards hold scores; identity's do not."""
    paths = (project.folder / "cache" / "shards").rglob("*.json")
    return any('"scores": [' in path.read_text() for path in paths if not path.name.startswith("."))


@pytest.mark.parametrize("group", [False, True], ids=["leader alone", "process group"])
def test_killed_in_a_rerank_job_it_resumes_to_the_same_bytes(
    tmp_path: Path, built: Project, undisturbed: dict[str, str], group: bool
) -> None:
    project = built.copied(tmp_path / "killed", upto="candidates")
    leader = project.start("comparisons", own_group=group)
    _wait_for_a_shard(project, leader)
    workers = psutil.Process(leader.pid).children(recursive=True)
    if group:
        os.killpg(leader.pid, signal.SIGKILL)
    else:
        leader.kill()
    leader.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == [], "workers outlived the leader"
    finished = _shards(project)

    assert project.snakemake("--unlock", "comparisons").returncode == 0
    done = project.snakemake("comparisons", "--rerun-incomplete")
    assert done.returncode == 0, done.stderr
    assert project.hashes(*STAGES) == undisturbed
    assert finished <= _shards(project)
    assert len(_shards(project)) == 6, "three shards for each of two rerankers, none under a second key"
