"""The workflow on a one-node Slurm cluster gives the same bytes, also after a cancelled job."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))
from workflow_project import ROOT, Project, small_configuration

pytestmark = pytest.mark.slow

STAGES = ("candidates", "runs", "statistics", "metrics")
ONE_NODE = Path(__file__).with_name("one_node.sh")
PROFILE = ["--workflow-profile", str(ROOT / "profiles" / "slurm")]
# A cluster's own waits are minutes, and it keeps accounts that sacct reads; this one does neither.
AT_ONCE = [
    "--slurm-init-seconds-before-status-checks", "2", "--slurm-status-command", "squeue",
    "--latency-wait", "5",
]  # fmt: skip


@pytest.fixture(scope="module")
def slurm() -> Iterator[None]:
    """A one-node Slurm cluster on which its commands work without options."""
    lacking = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name) is None]
    if lacking:
        pytest.skip(f"no {', '.join(lacking)}: apt-get install munge slurmctld slurmd slurm-client")
    if os.geteuid() != 0:
        pytest.skip("slurmd needs root")
    if find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("no snakemake-executor-plugin-slurm: pip install e2rank-eval[slurm]")
    # Not pytest's own folder: munge's socket needs a short path.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        started = subprocess.run([ONE_NODE, "start", folder], capture_output=True, text=True, check=False)
        if started.returncode != 0:
            pytest.skip(f"Slurm does not run here: {started.stderr}")
        try:
            yield
        finally:
            subprocess.run([ONE_NODE, "stop", folder], check=True)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, minilm_path: Path, lee_dataset: object) -> dict[str, str]:
    """Hashes of the same work done by one process after another on this machine."""
    project = Project.create(tmp_path_factory.mktemp("alone"), small_configuration())
    done = project.snakemake("metrics")
    assert done.returncode == 0, done.stdout + done.stderr
    return project.hashes(*STAGES)


def running() -> dict[str, str]:
    """Rule by job number, of the jobs that run."""
    listed = subprocess.run(
        ["squeue", "--noheader", "--states=RUNNING", "--format=%i %k"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(line.split(" ", 1) for line in listed.stdout.splitlines() if " " in line)


def shards(project: Project) -> dict[str, int]:
    """When each shard of E2Rank was written; those of the identity hold no scores."""
    paths = (project.folder / "cache" / "shards").rglob("[!.]*.json")
    return {path.name: path.stat().st_mtime_ns for path in paths if '"scores": [' in path.read_text()}


def cancel_a_part(project: Project, leader: subprocess.Popen[bytes], log: Path) -> dict[str, int]:
    """Cancel a job that ranks shards once one is finished; return the shards finished by then."""
    deadline = time.monotonic() + 240
    while True:
        assert time.monotonic() < deadline, log.read_text()
        assert leader.poll() is None, log.read_text()
        found = shards(project)
        ranking = [job for job, rule in running().items() if "rerank_part" in rule]
        if found and ranking:
            subprocess.run(["scancel", ranking[0]], check=True)
            return found
        time.sleep(0.05)


def test_killed_by_scancel_a_job_is_submitted_again_and_loses_its_shard_only(
    tmp_path: Path, slurm: None, alone: dict[str, str]
) -> None:
    project = Project.create(tmp_path / "spread", small_configuration() | {"jobs": 2, "shard_queries": 1})
    log = tmp_path / "leader.log"
    with log.open("wb") as said:
        leader = subprocess.Popen(
            [*project.command("metrics"), *PROFILE, *AT_ONCE], cwd=project.folder,
            env=project.environment(), stdout=said, stderr=said,
        )  # fmt: skip
    try:
        finished = cancel_a_part(project, leader, log)
        assert leader.wait(timeout=300) == 0, log.read_text()
    finally:
        leader.kill()
    assert "Trying to restart job" in log.read_text()
    assert project.hashes(*STAGES) == alone
    ranked = shards(project)
    assert finished.items() <= ranked.items(), "a finished shard was ranked again"
    assert len(ranked) == 12, "one for each query"
