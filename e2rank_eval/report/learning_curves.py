"""Learning curves of training runs: loss, and nDCG@10 on development lists, by optimizer step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from e2rank_eval.errors import InputError
from e2rank_eval.report.drawing import MUTED, PALETTE, Drawing, forms, new_figure, panel_title, style
from e2rank_eval.store.files import read_jsonl, write_bytes
from e2rank_eval.training.checkpoints import LOG

if TYPE_CHECKING:
    import pandas as pd

_COLOURS = (*PALETTE, MUTED)
_DASHES = ("-", "--", ":", "-.")
_SMOOTHED = 20
"""Steps in the running mean of the loss, since the loss of single steps is noisy."""

_NOT_CURVES = {"step", "group", "gradient_norm", "learning_rate", "residual"}


def read_curves(folder: Path) -> pd.DataFrame:
    """Read the curves of the run in ``folder`` from its ``log.jsonl``: run, group, measure, step, value.

    Groups are ``train`` and ``development``.

    Raises
    ------
    InputError
        When there is no log, or it holds no step.
    """
    import pandas as pd

    path = folder / LOG
    if not path.is_file():
        raise InputError("no log of a training run", path=path, hint="name folders that `train` wrote")
    rows = []
    for number, row in read_jsonl(path):
        if row.get("group") not in ("train", "development") or not isinstance(row.get("step"), int):
            raise InputError("not a line of a training log", path=path, line=number)
        measures = sorted(row.keys() - _NOT_CURVES)
        if wrong := [one for one in measures if not isinstance(row[one], int | float)]:
            raise InputError(f"{wrong[0]} is not a number", path=path, line=number)
        rows += [(folder.resolve().name, row["group"], one, row["step"], float(row[one])) for one in measures]
    found = pd.DataFrame(rows, columns=["run", "group", "measure", "step", "value"])
    if "train" not in set(found["group"]):
        raise InputError("the log holds no step", path=path, hint="train for at least one step")
    return found.sort_values(["group", "measure", "step"], ascending=[False, True, True], kind="stable")


def draw_curves(runs: Sequence[pd.DataFrame]) -> Drawing:
    """Draw a panel of the loss (running mean), and one of nDCG@10 if a run has development lists."""
    import pandas as pd

    data = pd.concat(runs)
    shown = {"train": ("loss", "training loss"), "development": ("score", "development nDCG@10 × 100")}
    panels = [group for group in shown if group in set(data["group"])]
    figure = new_figure(7.2, 5.6 if len(panels) > 1 else 3.3, "Learning curves")
    grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    for axes, group in zip(grid, panels, strict=True):
        measure, title = shown[group]
        panel_title(axes, title, f"running mean of {_SMOOTHED} steps" if group == "train" else "")
        for number, run in enumerate(runs):
            curve = run[(run["group"] == group) & (run["measure"] == measure)]
            smoothed = curve["value"].rolling(_SMOOTHED, min_periods=1).mean()
            axes.plot(
                curve["step"], smoothed if group == "train" else 100 * curve["value"],
                color=_COLOURS[number % len(_COLOURS)],
                linestyle=_DASHES[number // len(_COLOURS) % len(_DASHES)],
                marker="" if group == "train" else "o", markersize=3, lw=1.4, label=run["run"].iloc[0],
            )  # fmt: skip
    grid[-1].set_xlabel("step")
    grid[0].legend(frameon=False, fontsize=8, loc="upper right")
    return Drawing("Learning curves", figure, data)


def write_curves(folders: Sequence[Path], output: Path) -> list[Path]:
    """Write ``output`` with the endings .csv, .svg and .png; the bytes depend on the logs alone.

    Raises as :func:`read_curves`, and InputError for two folders of one name.
    """
    names = [folder.resolve().name for folder in folders]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"two runs are called {twice[0]!r}", hint="rename a folder, or draw them separately")
    with style():
        drawing = draw_curves([read_curves(folder) for folder in folders])
    paths = {
        output.with_name(f"{output.name}.{suffix}"): content for suffix, content in forms(drawing).items()
    }
    for path, content in paths.items():
        write_bytes(path, content)
    return list(paths)
