"""Learning curves of training runs: loss, and nDCG@10 on development lists, by optimizer step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from e2rank_eval.errors import InputError
from e2rank_eval.report.drawing import MUTED, PALETTE, Drawing, forms, new_figure, panel_title, style
from e2rank_eval.store.files import read_jsonl, write_bytes
from e2rank_eval.training.checkpoints import LOG

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (*PALETTE, MUTED)
_DASHES = ("-", "--", ":", "-.")
_SMOOTHED = 20
"""Steps in the running mean of the loss: each is of a few lists, so that single ones hide the trend."""

_NOT_CURVES = {"step", "group", "gradient_norm", "learning_rate", "residual"}

Points = list[tuple[int, float]]
"""(step, value after it)."""


@dataclass(frozen=True, slots=True)
class Curves:
    """What one run's log holds: points by measure, for the groups ``train`` and ``development``."""

    name: str
    train: Mapping[str, Points]
    development: Mapping[str, Points]


def read_curves(folder: Path) -> Curves:
    """Read the curves of the run in ``folder`` from its ``log.jsonl``.

    Raises
    ------
    InputError
        When there is no log, or it holds no step.
    """
    path = folder / LOG
    if not path.is_file():
        raise InputError("no log of a training run", path=path, hint="name folders that `train` wrote")
    groups: dict[str, dict[str, Points]] = {"train": {}, "development": {}}
    for number, row in read_jsonl(path):
        if row.get("group") not in groups or not isinstance(row.get("step"), int):
            raise InputError("not a line of a training log", path=path, line=number)
        for measure in sorted(row.keys() - _NOT_CURVES):
            groups[row["group"]].setdefault(measure, []).append((row["step"], float(row[measure])))
    if not groups["train"]:
        raise InputError("the log holds no step", path=path, hint="train for at least one")
    return Curves(folder.resolve().name, **groups)


def draw_curves(runs: Sequence[Curves]) -> Drawing:
    """Draw one panel of the loss (a running mean), and one of nDCG@10 where a run was watched."""
    watched = any("score" in run.development for run in runs)
    figure = new_figure(7.2, 5.6 if watched else 3.3, "Learning curves")
    panels = figure.subplots(2 if watched else 1, 1, squeeze=False, sharex=True)[:, 0]
    panel_title(panels[0], "training loss", f"running mean of {_SMOOTHED} steps")
    for number, run in enumerate(runs):
        steps, losses = zip(*run.train["loss"], strict=True)
        _line(panels[0], number, run.name, steps, running_mean(losses, _SMOOTHED))
        if "score" in run.development:
            steps, scores = zip(*run.development["score"], strict=True)
            _line(panels[1], number, run.name, steps, [100 * one for one in scores], marker="o")
    if watched:
        panel_title(panels[1], "development nDCG@10 × 100")
    panels[-1].set_xlabel("step")
    panels[0].legend(frameon=False, fontsize=8, loc="upper right")
    rows = tuple(
        (run.name, group, measure, step, value)
        for run in runs
        for group, curves in (("train", run.train), ("development", run.development))
        for measure, points in curves.items()
        for step, value in points
    )
    columns = ("run", "group", "measure", "step", "value")
    return Drawing("learning-curves", "Learning curves", figure, columns, rows)


def write_curves(folders: Sequence[Path], output: Path) -> list[Path]:
    """Write ``output`` with the endings .csv, .svg and .png; the bytes depend on the logs alone.

    Raises as :func:`read_curves`, and InputError for two folders of one name.
    """
    runs = [read_curves(folder) for folder in folders]
    names = [run.name for run in runs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two runs are called {twice!r}", hint="rename one's folder, or draw them apart")
    with style():
        contents = forms(draw_curves(runs))
    paths = {output.with_name(f"{output.name}.{suffix}"): content for suffix, content in contents.items()}
    for path, content in paths.items():
        write_bytes(path, content)
    return list(paths)


def running_mean(values: Sequence[float], width: int) -> list[float]:
    """Return the mean of each value and those before it, ``width`` at most."""
    windows = (values[max(0, end - width) : end] for end in range(1, len(values) + 1))
    return [sum(window) / len(window) for window in windows]


def _line(
    axes: Axes, number: int, name: str, steps: Sequence[int], values: Sequence[float], marker: str = ""
) -> None:
    colour = _COLOURS[number % len(_COLOURS)]
    dashes = _DASHES[number // len(_COLOURS) % len(_DASHES)]
    axes.plot(steps, values, color=colour, linestyle=dashes, marker=marker, markersize=3, lw=1.4, label=name)
