"""How cost grows with depth: time per query by candidates and by prompt documents, with the fitted growth."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from scipy import stats

from e2rank_eval.report.collect import Results
from e2rank_eval.report.figure_style import PAPER, Drawing, colour, new_figure, panel_title
from e2rank_eval.report.frontier import time_text, time_ticks
from e2rank_eval.report.latency_tables import measured_name
from e2rank_eval.store.results import CostPoint

_MARKERS = "os^Dv"

_AXIS_LABELS = {
    "candidates": "candidates (log scale)",
    "prompt_documents": "documents in the prompt",
}


@dataclass(frozen=True, slots=True)
class Growth:
    """A fitted slope with its 95 % interval: the exponent of a power, or seconds per document."""

    slope: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Curve:
    axis: str
    reranker: str
    mode: str
    name: str
    colour: str
    points: tuple[CostPoint, ...]
    growth: Growth | None

    @property
    def fit(self) -> str:
        """What the legend and the description say of the growth."""
        if self.growth is None:
            return "too few points to fit"
        one = self.growth
        if self.axis == "candidates":
            return f"∝ n^{one.slope:.2f} [{one.low:.2f}, {one.high:.2f}]"
        return f"{1000 * one.slope:.1f} ms a document [{1000 * one.low:.1f}, {1000 * one.high:.1f}]"


def fit_growth(axis: str, values: Sequence[float], seconds: Sequence[float]) -> Growth | None:
    """Least squares over all samples: of logarithms along ``candidates``, else a straight line.

    The interval is Student's, from the samples' spread about the line. None below three different values:
    a line through two points says nothing of its own fit.
    """
    if len(set(values)) < 3:
        return None
    x, y = np.array(values, dtype=float), np.array(seconds, dtype=float)
    if axis == "candidates":
        x, y = np.log(x), np.log(y)
    line = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, len(x) - 2)) * float(line.stderr)
    return Growth(float(line.slope), float(line.slope) - half, float(line.slope) + half)


def draw_growth(results: Results, name: str) -> Drawing:
    """The figure of latency entry ``name``: a panel per swept depth, a curve per system and mode."""
    entry = results.configuration.latency[name]
    assert entry.sweep is not None
    curves = _curves(results, name)
    axes_names = [axis for axis in entry.sweep.depths if any(curve.axis == axis for curve in curves)]
    title = f"Time per query by depth on {entry.dataset}"
    most = max((sum(curve.axis == axis for curve in curves) for axis in axes_names), default=1)
    figure = new_figure(7.2, 0.6 + len(axes_names) * (2.9 + 0.17 * most), title)
    grid = figure.subplots(max(1, len(axes_names)), 1, squeeze=False)
    for panel, axis in zip(grid.flat, axes_names, strict=False):
        _draw(panel, axis, [curve for curve in curves if curve.axis == axis])
    return Drawing(
        id=f"growth-{name}",
        title=title,
        description=_describe(curves),
        figure=figure,
        columns=(
            "axis", "value", "reranker", "documents", "samples", "p50_seconds", "slope", "low", "high",
        ),
        rows=tuple(_row(curve, point) for curve in curves for point in curve.points),
    )  # fmt: skip


def _row(curve: _Curve, point: CostPoint) -> tuple[str | float | int, ...]:
    fit = (curve.growth.slope, curve.growth.low, curve.growth.high) if curve.growth else ("", "", "")
    median = statistics.median(point.seconds)
    return (curve.axis, point.value, curve.reranker, curve.mode, len(point.seconds), median, *fit)


def _curves(results: Results, name: str) -> list[_Curve]:
    entry = results.configuration.latency[name]
    depths = entry.sweep.depths if entry.sweep else {}
    found = []
    for reranker in entry.rerankers:
        key = (entry.dataset, entry.first_stage, reranker)
        points = results.latency(key).sweep
        for axis in depths:
            for mode in dict.fromkeys(point.mode for point in points):
                own = tuple(point for point in points if (point.axis, point.mode) == (axis, mode))
                if not own:
                    continue
                samples = [(point.value, seconds) for point in own for seconds in point.seconds]
                growth = fit_growth(axis, [value for value, _ in samples], [spent for _, spent in samples])
                shade = colour(results.configuration.rerankers[reranker])
                found.append(
                    _Curve(axis, reranker, mode, measured_name(results, key, mode), shade, own, growth)
                )
    return found


def _draw(axes: Axes, axis: str, curves: Sequence[_Curve]) -> None:
    order = list(dict.fromkeys(curve.reranker for curve in curves))
    medians = [statistics.median(point.seconds) for curve in curves for point in curve.points]
    values = sorted({point.value for curve in curves for point in curve.points})
    axes.set_yscale("log")
    low, high = min(medians) / 1.6, max(medians) * 1.6
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator(time_ticks(low, high)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: time_text(seconds)))
    if axis == "candidates":
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.set_xticks(values, [str(value) for value in values])
    for curve in curves:
        axes.plot(
            [point.value for point in curve.points],
            [statistics.median(point.seconds) for point in curve.points],
            marker=_MARKERS[order.index(curve.reranker) % len(_MARKERS)],
            ls="-" if curve.mode == "online" else (0, (4, 2)),
            color=curve.colour,
            mfc=curve.colour if curve.mode == "online" else PAPER,
            ms=5,
            lw=1.4,
            label=f"{curve.name}: {curve.fit}",
        )
    axes.set_xlabel(_AXIS_LABELS[axis])
    axes.set_ylabel("median time per query (log scale)")
    panel_title(axes, f"by {axis.replace('_', ' ')}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=8, frameon=False)


def _describe(curves: Sequence[_Curve]) -> str:
    parts = [f"{curve.name} by {curve.axis.replace('_', ' ')}: {curve.fit}" for curve in curves]
    return (
        "Median time per query by depth; in brackets the 95 % interval of the fitted growth, n being the "
        f"number of candidates. {'; '.join(parts)}."
    )
