"""How cost grows with depth: median time per query by candidates and by prompt documents."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from e2rank_eval.report.drawing import MARKERS, PAPER, Drawing, new_figure, panel_title, time_axis
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.latencies import latencies, latency_files, measured_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from e2rank_eval.report.collect import Results
    from e2rank_eval.store.results import CostPoint

_LABELS = {"candidates": "candidates (log scale)", "prompt_documents": "documents in the prompt"}


@FIGURES.register(
    "growth", "latency", "growth-{}", latency_files, among=lambda entry: entry.sweep and entry.sweep.depths
)
def draw_growth(results: Results, name: str) -> Drawing:
    """Median time per query by depth. Filled: documents encoded online; hollow: document vectors stored."""
    stored = latencies(results, name)
    points = {key: [point for point in one.sweep if point.axis in _LABELS] for key, one in stored.items()}
    panels = [axis for axis in _LABELS if any(p.axis == axis for own in points.values() for p in own)]
    title = f"Time per query by depth on {results.configuration.latency[name].dataset}"
    figure = new_figure(7.2, 0.6 + 3.6 * len(panels), title)
    grid = figure.subplots(max(1, len(panels)), 1, squeeze=False)
    rows: list[tuple[str | float | int, ...]] = []
    for axes, axis in zip(grid.flat, panels, strict=False):
        for number, (key, own) in enumerate(points.items()):
            shade = results.configuration.rerankers[key[2]].colour
            for mode in stored[key].modes:
                curve = [point for point in own if (point.axis, point.mode) == (axis, mode)]
                medians = [statistics.median(point.seconds) for point in curve]
                rows += [
                    (axis, point.value, key[2], mode, len(point.seconds), median)
                    for point, median in zip(curve, medians, strict=True)
                ]
                if curve:
                    axes.plot(
                        [point.value for point in curve], medians, marker=MARKERS[number % len(MARKERS)],
                        ls="-" if mode == "online" else (0, (4, 2)), color=shade,
                        mfc=shade if mode == "online" else PAPER, ms=5, lw=1.4,
                        label=measured_name(results, key, mode),
                    )  # fmt: skip
        _set_axes(axes, axis, [point for own in points.values() for point in own if point.axis == axis])
    columns = ("axis", "value", "reranker", "documents", "samples", "p50_seconds")
    return Drawing(f"growth-{name}", title, figure, columns, tuple(rows))


def _set_axes(axes: Axes, axis: str, points: list[CostPoint]) -> None:
    medians = [statistics.median(point.seconds) for point in points]
    low, high = min(medians) / 1.6, max(medians) * 1.6
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    time_axis(axes.yaxis, low, high)
    if axis == "candidates":
        axes.set_xscale("log")
        axes.minorticks_off()
    values = sorted({point.value for point in points})
    axes.set_xticks(values, [str(value) for value in values])
    axes.set_xlabel(_LABELS[axis])
    axes.set_ylabel("median time per query (log scale)")
    panel_title(axes, f"by {axis.replace('_', ' ')}")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
