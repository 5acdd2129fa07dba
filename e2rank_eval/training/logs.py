"""The log of a run: one JSON line an update, the same values for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from e2rank_eval.store.files import canonical_json, read_jsonl, write_jsonl

LOG = "log.jsonl"


class Log:
    """``folder/log.jsonl`` and ``folder/tensorboard/``, which go on where a checkpoint stands.

    The JSON lines hold no time and no rate, so that a run that was interrupted leaves the same file as
    one that was not. TensorBoard is written where it is installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        path = folder / LOG
        kept = [row for _, row in read_jsonl(path) if row["step"] <= step] if path.exists() else []
        write_jsonl(path, kept)
        self._file: TextIO = path.open("a", encoding="utf-8")
        self._board = _board(folder / "tensorboard", step)

    def write(self, step: int, values: Mapping[str, float], *, group: str = "train") -> None:
        """``values`` of ``group`` (train, development) after ``step`` updates, to 6 significant digits."""
        rounded = {name: float(f"{value:.6g}") for name, value in values.items()}
        self._file.write(canonical_json({"step": step, "group": group} | rounded) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
