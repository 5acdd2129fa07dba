"""An interrupted training resumes from its checkpoint and ends in the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_lists import write_toy

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.store.locks import exclusive
from e2rank_eval.training.checkpoints import Checkpoints
from e2rank_eval.training.loop import Loop
from e2rank_eval.training.vector_objective import VectorObjective

FROZEN = {
    "frozen_documents": True, "residual": {"weight": 0.5}, "prompt": {"documents": [1, 3]},
    "info_nce": {"vector": "listwise"}, "steps": 40, "save": {"weights": "changed", "dtype": "float16"},
}  # fmt: skip


def _outputs(folder: Path) -> dict[str, bytes]:
    return {
        name: (folder / name).read_bytes()
        for name in ("weights.safetensors", "log.jsonl", "entry.yaml", "README.md")
    }


def test_an_interrupted_training_ends_in_the_same_bytes(
    trained: Callable[..., Path], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = FROZEN | {"steps": 8}
    advance = Loop._advance

    def interrupted(loop: Loop, step: int, *rest: Any) -> None:
        advance(loop, step, *rest)
        if step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "_advance", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(**settings)
    resumed = _outputs(trained(**settings))
    (workplace / "models" / "run").rename(workplace / "resumed")
    assert _outputs(trained(**settings)) == resumed


def test_a_resumed_run_keeps_its_best_weights_where_an_evaluation_repeats_with_another_result(
    trained: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: step 3 is the best when the run is killed after it, but not when it is trained again."""
    monkeypatch.setattr(Loop, "_step", lambda *_: {"loss": 1.0})
    scores = iter([0.1])
    monkeypatch.setattr(VectorObjective, "evaluate", lambda *_: {"score": next(scores)})
    seen: list[Path] = []
    best = Checkpoints.best
    monkeypatch.setattr(Checkpoints, "best", lambda *given: (seen.append(best(*given)), seen[-1])[1])
    settings = FROZEN | {"steps": 4, "development": {"path": "lists.jsonl", "every": 1}, "save": {}}
    with pytest.raises(StopIteration):
        trained(**settings)
    scores = iter([0.1, 0.5, 0.4, 0.9])
    with pytest.raises(StopIteration):
        trained(**settings)
    scores = iter([0.3, 0.2])
    folder = trained(**settings)
    rows = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    assert [row["score"] for row in rows if row["group"] == "development"] == [0.1, 0.5, 0.4, 0.3, 0.2]
    assert seen[-1].name == "best-0000001.safetensors"
    assert list((folder / "checkpoints").glob("best-*")) == [seen[-1]]


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), UnavailableError, "step 3 .* lower device_batch"),
        (RuntimeError("CUDNN_STATUS_INTERNAL_ERROR"), RuntimeError, "CUDNN"),
    ],
    ids=["memory", "other"],
)
def test_a_step_that_exceeds_the_memory_names_the_settings_to_lower(
    trained: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    error: RuntimeError,
    expected: type[Exception],
    message: str,
) -> None:
    step = Loop._step

    def failing(loop: Loop, number: int) -> dict[str, float]:
        if number == 2:
            raise error
        return step(loop, number)

    monkeypatch.setattr(Loop, "_step", failing)
    with pytest.raises(expected, match=message):
        trained(**FROZEN | {"steps": 4})


def test_a_loss_that_is_not_finite_is_refused(
    trained: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Loop, "_step", lambda *_: {"loss": float("nan")})
    with pytest.raises(InputError, match="the loss of step 1 is nan; lower learning_rate"):
        trained(**FROZEN | {"steps": 4})


def test_a_corrupt_checkpoint_is_skipped_and_old_ones_are_removed(
    trained: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(**FROZEN | {"steps": 8})
    whole = _outputs(folder)
    kept = sorted((folder / "checkpoints").glob("step-*"))
    assert [path.name for path in kept] == ["step-0000006", "step-0000008"]
    (kept[1] / "optimizer.bin").write_bytes(b"truncated")
    trained(**FROZEN | {"steps": 8})
    assert "corrupt; skipped" in capsys.readouterr().err
    assert _outputs(folder) == whole


def test_a_checkpoint_of_other_settings_or_data_is_refused(
    trained: Callable[..., Path], workplace: Path
) -> None:
    trained(steps=2)
    with pytest.raises(InputError, match="the checkpoint has other settings"):
        trained(steps=2, seed=14)
    write_toy(workplace / "lists.jsonl", 25)
    with pytest.raises(InputError, match="the checkpoint has other data"):
        trained(steps=2)


def test_a_folder_of_other_files_is_left_alone(trained: Callable[..., Path], workplace: Path) -> None:
    folder = workplace / "models" / "run"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("mine")
    with pytest.raises(InputError, match=r"run: the folder holds other files, such as README\.md; name"):
        trained()
    assert [path.read_text() for path in folder.iterdir()] == ["mine"]


def test_two_processes_cannot_train_in_one_folder(trained: Callable[..., Path], workplace: Path) -> None:
    checkpoints = workplace / "models" / "run" / "checkpoints"
    with (
        exclusive(checkpoints / ".lock", what="the other"),
        pytest.raises(UnavailableError, match=r"another process is working on the run in models/run; wait"),
    ):
        trained()
    assert [path.name for path in checkpoints.parent.iterdir()] == ["checkpoints"]
    trained()


def test_a_run_killed_in_its_first_write_starts_again(
    trained: Callable[..., Path], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path, step: int) -> None:
        (folder / ".log.jsonl.part").touch()
        raise StopIteration

    with monkeypatch.context() as patched:
        patched.setattr("e2rank_eval.training.loop.Log", killed)
        with pytest.raises(StopIteration):
            trained(steps=2)
    assert (trained(steps=2) / "entry.yaml").is_file()


def test_without_the_best_weights_of_a_checkpoint_an_older_one_serves(trained: Callable[..., Path]) -> None:
    development = {"path": "lists.jsonl", "every": 2}
    folder = trained(**FROZEN | {"steps": 4, "development": development})
    whole = _outputs(folder)
    for path in (folder / "checkpoints").glob("best-*"):
        path.unlink()
    trained(**FROZEN | {"steps": 4, "development": development})
    assert _outputs(folder) == whole


def test_training_stops_early_and_ends_with_the_best_weights(
    trained: Callable[..., Path], workplace: Path
) -> None:
    """With a learning rate that ruins the model, the weights before the first step are the best."""
    write_toy(workplace / "dev.jsonl", 12, seed=9)
    development = {"path": "dev.jsonl", "every": 2, "patience": 2}
    settings = {"optimiser": {"learning_rate": 3.0, "warm_up": 0.0}, "steps": 30, "development": development}
    folder = trained(**FROZEN | settings | {"save": {}})
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    scores = {row["step"]: row["score"] for row in rows if row["group"] == "development"}
    best = max(scores, key=lambda step: scores[step])
    assert max(scores) == best + 4 < 30
    assert f"after step {best}" in (folder / "README.md").read_text()


def test_missing_training_lists_name_the_command_and_their_origin_is_not_part_of_the_identity(
    trained: Callable[..., Path], workplace: Path
) -> None:
    made = {"steps": 2, "data": [{"path": "lists.jsonl", "made_from": "judged"}]}
    once = _outputs(trained(**FROZEN | {"steps": 2}))
    assert _outputs(trained(**FROZEN | made)) == once
    (workplace / "lists.jsonl").unlink()
    with pytest.raises(InputError, match=r"lists\.jsonl: .*e2rank-eval training-lists judged lists\.jsonl"):
        trained(**FROZEN | made)
