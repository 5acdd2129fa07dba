"""Several devices: two processes that average their gradients end where one process does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from e2rank_eval.config.reading import read_settings
from e2rank_eval.config.training import TrainingFile
from e2rank_eval.training.train import train


def launch_two(config: Path) -> None:
    """Train the file's run by two processes, as the command's own example does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_machines", "1",
        "--num_processes", "2", "--mixed_precision", "no", "--dynamo_backend", "no",
        "--num_cpu_threads_per_process", "1", "--main_process_port", str(port),
        "-m", "e2rank_eval", "train", str(config),
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=config.parent, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]


def outcome(folder: Path) -> tuple[int, dict[str, torch.Tensor]]:
    """How many steps were logged, and the weights; the folder is moved out of the way."""
    steps = len((folder / "log.jsonl").read_text().splitlines())
    weights = load_file(folder / "weights.safetensors")
    folder.rename(folder.with_name(f"kept-{len(list(folder.parent.iterdir()))}"))
    return steps, weights


@pytest.mark.slow
def test_two_processes_train_what_one_does(training_file: Callable[..., Path], workplace: Path) -> None:
    frozen = {"frozen_documents": True, "residual": {"weight": 0.5}, "info_nce": {"vector": "listwise"}}
    config = training_file(device_batch=2, save={"weights": "changed"}, **frozen)
    folder = workplace / "models" / "run"
    train(read_settings(TrainingFile, config), "run")
    steps, one = outcome(folder)
    launch_two(config)
    again, two = outcome(folder)
    assert (again, two.keys()) == (steps, one.keys())
    assert steps == 6
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=0, atol=2e-4, msg=name)
