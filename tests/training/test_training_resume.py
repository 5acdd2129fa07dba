"""A training that is killed goes on from its checkpoint and ends in the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_lists import write_toy

from e2rank_eval.config import read_training
from e2rank_eval.errors import InputError
from e2rank_eval.training.train import train

FROZEN = {
    "frozen_documents": True, "residual": {"weight": 0.5}, "prompt": {"documents": [1, 3], "leave_out": 0.3},
    "info_nce": {"vector": "listwise"}, "steps": 40, "save": {"weights": "changed", "dtype": "float16"},
}  # fmt: skip


def _outputs(folder: Path) -> dict[str, bytes]:
    return {
        name: (folder / name).read_bytes()
        for name in ("weights.safetensors", "log.jsonl", "entry.yaml", "README.md")
    }


def _killed_after(config: Path, updates: int) -> None:
    """Run the verb in a process of its own and kill it once its log tells of so many updates."""
    log = config.parent / "models" / "run" / "log.jsonl"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "e2rank_eval", "train", str(config)]
    with subprocess.Popen(command, cwd=config.parent, env=environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while not log.exists() or len(log.read_bytes().splitlines()) < updates:
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)


def test_a_killed_training_ends_in_the_same_bytes(
    training_file: Callable[..., Path], workplace: Path
) -> None:
    write_toy(workplace / "lists.jsonl")
    config = training_file(**FROZEN)
    _killed_after(config, 5)
    folder = workplace / "models" / "run"
    checkpoints = sorted(path.name for path in (folder / "checkpoints").glob("step-*"))
    assert checkpoints, "killed before its first checkpoint"
    assert not (folder / "weights.safetensors").exists(), "it was not killed in time"
    train(read_training(config), "run")
    resumed = _outputs(folder)
    folder.rename(workplace / "resumed")
    train(read_training(config), "run")
    assert _outputs(folder) == resumed
    assert len(resumed["log.jsonl"].splitlines()) == 40


def test_a_damaged_checkpoint_is_passed_over_and_old_ones_are_gone(
    training_file: Callable[..., Path], workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_toy(workplace / "lists.jsonl")
    config = training_file(**FROZEN | {"steps": 8})
    folder = train(read_training(config), "run").parent
    whole = _outputs(folder)
    kept = sorted((folder / "checkpoints").glob("step-*"))
    assert [path.name for path in kept] == ["step-0000006", "step-0000008"]
    (kept[1] / "optimizer.bin").write_bytes(b"torn")
    train(read_training(config), "run")
    assert "damaged; passed over" in capsys.readouterr().err
    assert _outputs(folder) == whole


def test_a_checkpoint_of_other_settings_or_data_is_refused(
    training_file: Callable[..., Path], workplace: Path
) -> None:
    write_toy(workplace / "lists.jsonl")
    train(read_training(training_file(steps=2)), "run")
    with pytest.raises(InputError, match="a checkpoint of other settings"):
        train(read_training(training_file(steps=2, seed=14)), "run")
    write_toy(workplace / "lists.jsonl", 25)
    with pytest.raises(InputError, match="a checkpoint of other data"):
        train(read_training(training_file(steps=2)), "run")


def test_training_stops_early_and_ends_with_the_best_weights(
    training_file: Callable[..., Path], workplace: Path
) -> None:
    """A rate that ruins the model: the weights before the first update are the best."""
    write_toy(workplace / "lists.jsonl")
    write_toy(workplace / "dev.jsonl", 12, seed=9)
    development = {"path": "dev.jsonl", "every": 2, "patience": 2}
    settings = {"optimiser": {"learning_rate": 3.0, "warm_up": 0.0}, "steps": 30, "development": development}
    folder = train(read_training(training_file(**FROZEN | settings | {"save": {}})), "run").parent
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    scores = {row["step"]: row["score"] for row in rows if row["group"] == "development"}
    best = max(scores, key=lambda step: scores[step])
    assert max(scores) == best + 4 < 30
    assert f"after update {best}" in (folder / "README.md").read_text()


def test_training_lists_yet_to_be_made_name_the_command_and_made_ones_are_no_other_data(
    training_file: Callable[..., Path], workplace: Path
) -> None:
    data = [{"path": "lists.jsonl", "made_from": "judged"}]
    config = training_file(**FROZEN | {"steps": 2, "data": data})
    with pytest.raises(InputError, match=r"lists\.jsonl: .*e2rank-eval training-lists judged lists\.jsonl"):
        train(read_training(config), "run")
    write_toy(workplace / "lists.jsonl")
    plain = training_file(**FROZEN | {"steps": 2})
    once = _outputs(train(read_training(plain), "run").parent)
    made = training_file(**FROZEN | {"steps": 2, "data": data})
    assert _outputs(train(read_training(made), "run").parent) == once
