"""How cost grows with depth: median time per query by candidates and by prompt documents."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from e2rank_eval.report.drawing import MARKERS, PAPER, Drawing, new_figure, panel_title, time_axis
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.tables.latency import latencies, latency_files, measured_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from e2rank_eval.report.collect import Results

_LABELS = {"candidates": "candidates (log scale)", "prompt_documents": "documents in the prompt"}


@FIGURES.register(
    "growth", "latency", "growth-{}", latency_files, among=lambda entry: entry.sweep and entry.sweep.depths
)
def draw_growth(results: Results, name: str) -> Drawing:
    """Median time per query by depth. Filled: documents encoded online; hollow: document vectors stored."""
    import pandas as pd

    stored = latencies(results, name)
    rows = [
        (axis, one.value, key[2], mode, len(one.seconds), statistics.median(one.seconds))
        for axis in _LABELS
        for key, latency in stored.items()
        for mode in latency.modes
        for one in latency.sweep
        if (one.axis, one.mode) == (axis, mode)
    ]
    columns = ["axis", "value", "reranker", "documents", "samples", "p50_seconds"]
    data = pd.DataFrame(rows, columns=columns)
    panels = [axis for axis in _LABELS if axis in set(data["axis"])]
    title = f"Time per query by depth on {results.configuration.latency[name].dataset}"
    figure = new_figure(7.2, 0.6 + 3.6 * len(panels), title)
    grid = figure.subplots(max(1, len(panels)), 1, squeeze=False)
    for axes, axis in zip(grid.flat, panels, strict=False):
        shown = data[data["axis"] == axis]
        for number, (key, latency) in enumerate(stored.items()):
            colour = results.configuration.rerankers[key[2]].colour
            for mode in latency.modes:
                curve = shown[(shown["reranker"] == key[2]) & (shown["documents"] == mode)]
                if len(curve):
                    axes.plot(
                        curve["value"], curve["p50_seconds"], marker=MARKERS[number % len(MARKERS)],
                        ls="-" if mode == "online" else (0, (4, 2)), color=colour,
                        mfc=colour if mode == "online" else PAPER, ms=5, lw=1.4,
                        label=measured_name(results, key, mode),
                    )  # fmt: skip
        _set_axes(axes, axis, shown)
    return Drawing(f"growth-{name}", title, figure, data)


def _set_axes(axes: Axes, axis: str, shown: pd.DataFrame) -> None:
    low, high = shown["p50_seconds"].min() / 1.6, shown["p50_seconds"].max() * 1.6
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    time_axis(axes.yaxis, low, high)
    if axis == "candidates":
        axes.set_xscale("log")
        axes.minorticks_off()
    values = sorted(shown["value"].unique())
    axes.set_xticks(values, [str(value) for value in values])
    axes.set_xlabel(_LABELS[axis])
    axes.set_ylabel("median time per query (log scale)")
    panel_title(axes, f"by {axis.replace('_', ' ')}")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
