"""How cost grows with depth: time per query by candidates and by prompt documents, with the fitted growth."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration
from e2rank_eval.report.drawing import MARKERS, PAPER, Drawing, colour, new_figure, panel_title, time_axis
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.latencies import latency_files, measured_name
from e2rank_eval.report.outputs import Output

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from e2rank_eval.report.collect import Results
    from e2rank_eval.store.results import CostPoint

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
    points: tuple[CostPoint, ...]
    growth: Growth | None

    @property
    def fit(self) -> str:
        """What the legend says of the growth."""
        one = self.growth
        if one is None:
            return "too few points to fit"
        if self.axis == "candidates":
            return f"∝ n^{one.slope:.2f} [{one.low:.2f}, {one.high:.2f}]"
        return f"{1000 * one.slope:.1f} ms a document [{1000 * one.low:.1f}, {1000 * one.high:.1f}]"


def fit_growth(axis: str, values: Sequence[float], seconds: Sequence[float]) -> Growth | None:
    """Fit least squares over all samples: of logarithms along ``candidates``, else a straight line.

    The interval is Student's, from the samples' spread about the line. None below three different values:
    a line through two points says nothing of its own fit.
    """
    import numpy as np
    from scipy import stats

    if len(set(values)) < 3:
        return None
    x, y = np.array(values, dtype=float), np.array(seconds, dtype=float)
    if axis == "candidates":
        x, y = np.log(x), np.log(y)
    line = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, len(x) - 2)) * float(line.stderr)
    return Growth(float(line.slope), float(line.slope) - half, float(line.slope) + half)


def _ids(configuration: Configuration) -> dict[str, str]:
    swept = (name for name, one in configuration.latency.items() if one.sweep and one.sweep.depths)
    return {f"growth-{name}": name for name in swept}


def draw_growth(results: Results, name: str) -> Drawing:
    """Draw latency entry ``name``: a panel per swept depth, a curve per system and mode."""
    curves = list(_curves(results, name))
    panels = list(dict.fromkeys(curve.axis for curve in curves))
    title = f"Time per query by depth on {results.configuration.latency[name].dataset}"
    most = max((sum(curve.axis == axis for curve in curves) for axis in panels), default=1)
    figure = new_figure(7.2, 0.6 + len(panels) * (2.9 + 0.17 * most), title)
    grid = figure.subplots(max(1, len(panels)), 1, squeeze=False)
    for axes, axis in zip(grid.flat, panels, strict=False):
        _draw(results, axes, axis, [curve for curve in curves if curve.axis == axis])
    return Drawing(
        id=f"growth-{name}",
        title=title,
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


def _curves(results: Results, name: str) -> Iterator[_Curve]:
    """Yield what was measured, by depth, then by system and mode."""
    entry = results.configuration.latency[name]
    assert entry.sweep is not None
    for axis in entry.sweep.depths:
        for reranker in entry.rerankers:
            key = (entry.dataset, entry.first_stage, reranker)
            points = [point for point in results.latency(key).sweep if point.axis == axis]
            for mode in dict.fromkeys(point.mode for point in points):
                own = tuple(point for point in points if point.mode == mode)
                values = [point.value for point in own for _ in point.seconds]
                growth = fit_growth(axis, values, [seconds for point in own for seconds in point.seconds])
                yield _Curve(axis, reranker, mode, measured_name(results, key, mode), own, growth)


def _draw(results: Results, axes: Axes, axis: str, curves: Sequence[_Curve]) -> None:
    order = list(dict.fromkeys(curve.reranker for curve in curves))
    medians = [statistics.median(point.seconds) for curve in curves for point in curve.points]
    values = sorted({point.value for curve in curves for point in curve.points})
    low, high = min(medians) / 1.6, max(medians) * 1.6
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    time_axis(axes.yaxis, low, high)
    if axis == "candidates":
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.set_xticks(values, [str(value) for value in values])
    for curve in curves:
        shade = colour(results.configuration.rerankers[curve.reranker])
        axes.plot(
            [point.value for point in curve.points],
            [statistics.median(point.seconds) for point in curve.points],
            marker=MARKERS[order.index(curve.reranker) % len(MARKERS)],
            ls="-" if curve.mode == "online" else (0, (4, 2)),
            color=shade,
            mfc=shade if curve.mode == "online" else PAPER,
            ms=5,
            lw=1.4,
            label=f"{curve.name}: {curve.fit}",
        )
    axes.set_xlabel(_AXIS_LABELS[axis])
    axes.set_ylabel("median time per query (log scale)")
    panel_title(axes, f"by {axis.replace('_', ' ')}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=8, frameon=False)


FIGURES.add(
    "growth",
    Output(
        "latency",
        _ids,
        latency_files,
        draw_growth,
        "Median time per query by depth. Filled: documents encoded online; hollow: vectors stored. Along "
        "candidates (n) a power is fitted, along prompt documents a straight line; in brackets the 95 % "
        "interval.",
    ),
)
