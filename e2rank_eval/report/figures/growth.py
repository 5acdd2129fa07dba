"""How cost grows with depth: median time per query by candidates and by prompt documents."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from e2rank_eval.report.drawing import MARKERS, PAPER, Drawing, new_figure, panel_title, time_axis
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.outputs import files_of
from e2rank_eval.report.tables.latency import CLOCKS, measured_name
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from e2rank_eval.report.collect import Results
    from e2rank_eval.store.results import Clock

_LABELS = {"candidates": "candidates (log scale)", "prompt_documents": "documents in the prompt"}


@FIGURES.register(
    "growth", "latency", files_of("latency", places.LATENCY), "growth-{}",
    among=lambda entry: entry.sweep and entry.sweep.depths,
)  # fmt: skip
def draw_growth(results: Results, name: str) -> Drawing:
    """Median time per query by depth. Filled: documents encoded online; hollow: document vectors stored."""
    import pandas as pd

    latency = results.latency(name)
    rows = [
        (one.axis, one.value, one.reranker, one.mode, len(one.wall), median(one.wall), median(one.cpu))
        for axis in _LABELS
        for timing in latency.timings
        for one in latency.sweep
        if (one.axis, one.reranker, one.mode) == (axis, timing.reranker, timing.mode)
    ]
    columns = ["axis", "value", "reranker", "documents", "samples", "wall", "cpu"]
    data = pd.DataFrame(rows, columns=columns)
    panels = [axis for axis in _LABELS if axis in set(data["axis"])]
    title = f"Time per query by depth on {results.configuration.latency[name].dataset}"
    figure = new_figure(7.2, 0.6 + 3.6 * len(panels), title)
    grid = figure.subplots(max(1, len(panels)), 1, squeeze=False)
    for axes, axis in zip(grid.flat, panels, strict=False):
        shown = data[data["axis"] == axis]
        for number, reranker in enumerate(dict.fromkeys(one.reranker for one in latency.timings)):
            colour = results.configuration.rerankers[reranker].colour
            for timing in (one for one in latency.timings if one.reranker == reranker):
                curve = shown[(shown["reranker"] == reranker) & (shown["documents"] == timing.mode)]
                if len(curve):
                    online = timing.mode == "online"
                    axes.plot(
                        curve["value"], curve[latency.clock], marker=MARKERS[number % len(MARKERS)],
                        ls="-" if online else (0, (4, 2)), color=colour,
                        mfc=colour if online else PAPER, ms=5, lw=1.4,
                        label=measured_name(results, name, timing),
                    )  # fmt: skip
        _set_axes(axes, axis, shown, latency.clock)
    return Drawing(title, figure, data)


def _set_axes(axes: Axes, axis: str, shown: pd.DataFrame, clock: Clock) -> None:
    low, high = shown[clock].min() / 1.6, shown[clock].max() * 1.6
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    time_axis(axes.yaxis, low, high)
    if axis == "candidates":
        axes.set_xscale("log")
        axes.minorticks_off()
    values = sorted(shown["value"].unique())
    axes.set_xticks(values, [str(value) for value in values])
    axes.set_xlabel(_LABELS[axis])
    axes.set_ylabel(f"median {CLOCKS[clock]} per query (log scale)")
    panel_title(axes, f"by {axis.replace('_', ' ')}")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
