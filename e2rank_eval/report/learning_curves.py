"""Learning curves of training runs: loss, and nDCG@10 on development lists, by update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from e2rank_eval.errors import InputError
from e2rank_eval.report.figure_style import MUTED, Drawing, forms, new_figure, panel_title, style
from e2rank_eval.store.files import read_jsonl, write_bytes
from e2rank_eval.training.checkpoints import LOG

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", MUTED)
_DASHES = ("-", "--", ":", "-.")
_SMOOTHED = 20
"""Updates in the running mean of the loss: of few training lists each, single ones hide the trend."""

_NOT_CURVES = {"step", "group", "gradient_norm", "learning_rate", "residual"}


@dataclass(frozen=True, slots=True)
class Curves:
    """What one run's log says: values by measure, at the updates after which they were taken."""

    name: str
    training: Mapping[str, tuple[tuple[int, float], ...]]
    development: Mapping[str, tuple[tuple[int, float], ...]]


def read_curves(folder: Path) -> Curves:
    """The curves of the run in ``folder``, from its ``log.jsonl``.

    Raises
    ------
    InputError
        When there is no log, or it holds no update.
    """
    path = folder / LOG
    if not path.is_file():
        raise InputError("no log of a training run", path=path, hint="name folders that `train` wrote")
    groups: dict[str, dict[str, list[tuple[int, float]]]] = {"train": {}, "development": {}}
    for number, row in read_jsonl(path):
        group = groups.get(str(row.get("group")))
        if group is None or not isinstance(row.get("step"), int):
            raise InputError("no line of a training log", path=path, line=number)
        for measure in sorted(row.keys() - _NOT_CURVES):
            group.setdefault(measure, []).append((row["step"], float(row[measure])))
    if not groups["train"]:
        raise InputError("the log holds no update", path=path, hint="train for at least one")
    training, development = (
        {measure: tuple(points) for measure, points in groups[group].items()} for group in groups
    )
    return Curves(folder.resolve().name, training, development)


def draw_curves(runs: Sequence[Curves]) -> Drawing:
    """One panel of the loss (a running mean), and one of nDCG@10 where a run was watched."""
    watched = [run for run in runs if "score" in run.development]
    figure = new_figure(7.2, 3.3 if not watched else 5.6, "Learning curves")
    panels = figure.subplots(2 if watched else 1, 1, squeeze=False, sharex=True)[:, 0]
    panel_title(panels[0], "training loss", f"running mean of {_SMOOTHED} updates")
    for number, run in enumerate(runs):
        steps, losses = zip(*run.training["loss"], strict=True)
        _line(panels[0], number, run.name, steps, running_mean(losses, _SMOOTHED))
        if "score" in run.development:
            steps, scores = zip(*run.development["score"], strict=True)
            _line(panels[1], number, run.name, steps, [100 * one for one in scores], marker="o")
    if watched:
        panel_title(panels[1], "development nDCG@10 × 100")
    panels[-1].set_xlabel("update")
    panels[0].legend(frameon=False, fontsize=8, loc="upper right")
    columns = ("run", "group", "measure", "update", "value")
    return Drawing("learning-curves", "Learning curves", _in_words(runs), figure, columns, tuple(_rows(runs)))


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
    paths = [output.with_name(f"{output.name}.{suffix}") for suffix in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        write_bytes(path, content)
    return paths


def running_mean(values: Sequence[float], width: int) -> list[float]:
    """The mean of each value and those before it, ``width`` at most."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    return [float(one) for one in (sums[ends] - sums[starts]) / (ends - starts)]


def _line(
    axes: Axes, number: int, name: str, steps: Sequence[int], values: Sequence[float], marker: str = ""
) -> None:
    colour = _COLOURS[number % len(_COLOURS)]
    dashes = _DASHES[number // len(_COLOURS) % len(_DASHES)]
    axes.plot(steps, values, color=colour, linestyle=dashes, marker=marker, markersize=3, lw=1.4, label=name)


def _rows(runs: Sequence[Curves]) -> list[tuple[str | float | int, ...]]:
    return [
        (run.name, group, measure, step, value)
        for run in runs
        for group, curves in (("train", run.training), ("development", run.development))
        for measure, points in curves.items()
        for step, value in points
    ]


def _in_words(runs: Sequence[Curves]) -> str:
    said = []
    for run in runs:
        losses = [loss for _, loss in run.training["loss"]]
        smooth = running_mean(losses, _SMOOTHED)
        text = f"{run.name}: loss {smooth[0]:.3g} at first, {smooth[-1]:.3g} at last"
        if "score" in run.development:
            step, best = max(run.development["score"], key=lambda point: point[1])
            text += f"; best nDCG@10 {100 * best:.1f} after {step} updates"
        said.append(text)
    return "; ".join(said)
