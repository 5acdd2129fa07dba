"""Quality by number of prompt documents, one panel per collection (the paper's figure 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from e2rank_eval.config.measurements import FigureKind
from e2rank_eval.report.drawing import GAIN, INK, Drawing, new_figure, panel_title
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.names import HEADLINE, UNTRAINED
from e2rank_eval.report.outputs import files_of
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from e2rank_eval.report.collect import Results

_MOST_COLUMNS = 3
_MOST_VALUES = 8
"""Values are printed at up to this number of points; with more points they would overlap."""


@FIGURES.register(
    "sweep", "figures", files_of("figures", places.METRICS),
    declared=FigureKind(("datasets", "first_stage", "points")),
)  # fmt: skip
def draw_sweep(results: Results, name: str) -> Drawing:
    """Mean nDCG@10 × 100 by the number of candidates in the listwise prompt; 0 is the plain query. Bars are
    95 % intervals.
    """
    import pandas as pd

    sweep = results.configuration.figures[name]
    untrained = any(results.is_untrained(reranker) for reranker in sweep.points.values())
    remark = f"listwise prompt on an {UNTRAINED} backbone" if untrained else ""
    rows = [
        (dataset, documents, reranker, *results.headline((dataset, str(sweep.first_stage), reranker)))
        for dataset in sweep.datasets
        for documents, reranker in sorted(sweep.points.items())
    ]
    columns = ["dataset", "prompt_documents", "reranker", "queries", "ndcg10", "low", "high"]
    data = pd.DataFrame(rows, columns=columns)
    across = min(_MOST_COLUMNS, len(sweep.datasets))
    down = -(-len(sweep.datasets) // across)
    figure = new_figure(max(5.0, 3.4 * across), 0.6 + 2.9 * down, sweep.title)
    grid = figure.subplots(down, across, squeeze=False)
    for axes in list(grid.flat)[len(sweep.datasets) :]:
        axes.set_axis_off()
    for axes, (dataset, points) in zip(grid.flat, data.groupby("dataset", sort=False), strict=False):
        _draw(axes, points)
        panel_title(axes, f"{dataset} ({points['queries'].iloc[0]} queries)", remark)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"{HEADLINE} × 100, 95 % interval")
    return Drawing(sweep.title, figure, data)


def _draw(axes: Axes, points: pd.DataFrame) -> None:
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    numbers, values, highs = points["prompt_documents"], points["ndcg10"], points["high"]
    # A square-root scale separates 0, 1 and 3 and still leaves room for 100.
    axes.set_xscale(
        "function", functions=(lambda x: np.sign(x) * np.sqrt(np.abs(x)), lambda x: x * np.abs(x))
    )
    axes.vlines(numbers, points["low"], highs, color=GAIN, lw=1.4, alpha=0.45)
    axes.plot(numbers, values, "-o", color=GAIN, ms=5, lw=1.6)
    if len(points) <= _MOST_VALUES:
        for place, value, high in zip(numbers, values, highs, strict=True):
            axes.annotate(f"{value:.1f}", (place, high), xytext=(0, 3), textcoords="offset points",
                          ha="center", fontsize=8, color=INK)  # fmt: skip
    low, high = points["low"].min(), highs.max()
    axes.set_ylim(low - 0.06 * (high - low), high + 0.12 * (high - low))
    axes.set_xlim(-0.005 * numbers.max(), 1.14 * numbers.max())
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.minorticks_off()
    axes.set_xlabel("documents in the prompt")
