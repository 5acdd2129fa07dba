"""Benchmarks are run by hand; these tests check that their imports exist."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
IMPORT_ALL = "import runpy, sys; [runpy.run_path(script, run_name='imported') for script in sys.argv[1:]]"


@pytest.mark.slow
def test_every_benchmark_can_be_imported() -> None:
    scripts = sorted(str(script) for script in BENCHMARKS.glob("*.py"))
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *scripts],
        env={"PYTHONPATH": str(BENCHMARKS), "PATH": "", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
