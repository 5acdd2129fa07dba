"""Checkpoints and log of a training run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.progress import say
from e2rank_eval.store.files import (
    canonical_json,
    read_json,
    read_jsonl,
    sha256_file,
    write_json,
    write_jsonl,
)

LOG = "log.jsonl"
_RECORD = "checkpoint.json"
_KEPT = 2
"""The number of newest checkpoints that are kept: if one is corrupt, the other serves."""


@dataclass(slots=True)
class Progress:
    """The state of a run: ``step`` steps are done; the best development score and its step."""

    step: int = 0
    best_score: float | None = None
    best_step: int = 0
    evaluations_since_best: int = 0
    stopped: bool = False


class Checkpoints:
    """``folder/step-<n>/``: the accelerator's state (weights, optimizer, random numbers) and a record.

    ``identity`` holds everything that determines the weights; a checkpoint with another identity is refused.
    Writes are atomic, files are checked by hash, and only the two newest checkpoints are kept, with the best
    weights so far of each.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self._folder = folder
        self._identity = dict(identity)

    def save(self, accelerator: Any, progress: Progress) -> None:
        """Write a checkpoint beside the others and rename it into place; then remove the oldest."""
        target = self._folder / f"step-{progress.step:07d}"
        part = target.with_name(f".{target.name}.part")
        if accelerator.is_main_process:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(part))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            record = {"identity": self._identity, "progress": asdict(progress), "files": _hashes(part)}
            write_json(part / _RECORD, record)
            shutil.rmtree(target, ignore_errors=True)
            part.rename(target)
            self._remove_old()
        accelerator.wait_for_everyone()

    def best(self, step: int) -> Path:
        """Return the path of the weights after ``step``, which were the best when they were evaluated.

        The name has the step, since a resumed run may evaluate a step again with another result (on a GPU).
        """
        return self._folder / f"best-{step:07d}.safetensors"

    def _remove_old(self) -> None:
        complete = self._complete()
        for path in complete[:-_KEPT]:
            shutil.rmtree(path)
        records = [read_json(path / _RECORD) for path in complete[-_KEPT:]]
        kept = {self.best(record["progress"]["best_step"]) for record in records}
        for path in set(self._folder.glob("best-*.safetensors")) - kept:
            path.unlink()

    def restore(self, accelerator: Any) -> Progress:
        """Load the newest intact checkpoint and return its progress, or an initial one if there is none.

        Raises
        ------
        InputError
            When the checkpoint belongs to other settings, data or base weights.
        """
        for path in reversed(self._complete()):
            record = read_json(path / _RECORD)
            progress = Progress(**record["progress"])
            kept = progress.best_score is None or self.best(progress.best_step).is_file()
            if record["files"] != _hashes(path) or not kept:
                say(f"{path}: corrupt; skipped")
                continue
            if record["identity"] != self._identity:
                changed = [k for k in self._identity if record["identity"].get(k) != self._identity[k]]
                raise InputError(
                    f"the checkpoint has other {', '.join(changed)}", path=path,
                    hint=f"remove {self._folder} to start over, or give the run another name",
                )  # fmt: skip
            accelerator.load_state(str(path))
            return progress
        return Progress()

    def _complete(self) -> list[Path]:
        return sorted(path.parent for path in self._folder.glob(f"step-*/{_RECORD}"))


def _hashes(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != _RECORD)
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


class Log:
    """``folder/log.jsonl``, truncated to ``step`` and continued from there; at step 0 it begins anew.

    Its lines hold no times, so that an interrupted run leaves the same file as an uninterrupted
    one.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / LOG
        known = read_jsonl(self._path) if self._path.exists() else ()
        write_jsonl(self._path, [row for _, row in known if 0 < step >= row["step"]])

    def write(self, step: int, values: Mapping[str, float], *, group: str = "train") -> None:
        """Append ``values`` of ``group`` (train, development) at ``step``, to 6 significant digits."""
        rounded = {name: float(f"{value:.6g}") for name, value in values.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(canonical_json({"step": step, "group": group} | rounded) + "\n")
