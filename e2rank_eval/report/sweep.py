"""Quality by number of prompt documents, one panel per collection (the paper's figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from e2rank_eval.report.collect import HEADLINE, Results
from e2rank_eval.report.figure_style import GAIN, INK, Drawing, new_figure, panel_title
from e2rank_eval.report.names import UNTRAINED, is_untrained
from e2rank_eval.store.results import Interval

_MOST_COLUMNS = 3
_MOST_VALUES = 8
"""Beyond so many points, values printed at each would run into one another."""


@dataclass(frozen=True, slots=True)
class _Point:
    dataset: str
    documents: int
    reranker: str
    queries: int
    quality: float
    interval: Interval


def draw_sweep(results: Results, name: str) -> Drawing:
    """The figure of sweep ``name``; 0 prompt documents is the plain query."""
    sweep = results.configuration.sweeps[name]
    points = [
        _point(results, (dataset, sweep.first_stage, reranker), documents)
        for dataset in sweep.datasets
        for documents, reranker in sorted(sweep.points.items())
    ]
    untrained = any(is_untrained(results.configuration, reranker) for reranker in sweep.points.values())
    remark = f"listwise prompt on an {UNTRAINED} backbone" if untrained else ""
    columns = min(_MOST_COLUMNS, len(sweep.datasets))
    rows = -(-len(sweep.datasets) // columns)
    figure = new_figure(max(5.0, 3.4 * columns), 0.6 + 2.9 * rows, sweep.title)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in list(grid.flat)[len(sweep.datasets) :]:
        axes.set_axis_off()
    for axes, dataset in zip(grid.flat, sweep.datasets, strict=False):
        _draw(axes, [point for point in points if point.dataset == dataset], remark)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"{HEADLINE} × 100, 95 % interval")
    return Drawing(
        id=f"sweep-{name}",
        title=sweep.title,
        description=_describe(points),
        figure=figure,
        columns=("dataset", "prompt_documents", "reranker", "queries", "ndcg10", "low", "high"),
        rows=tuple((p.dataset, p.documents, p.reranker, p.queries, p.quality, *p.interval) for p in points),
    )


def _point(results: Results, key: tuple[str, str, str], documents: int) -> _Point:
    metrics = results.metrics(key)
    low, high = metrics.interval[HEADLINE]
    quality = 100 * metrics.mean[HEADLINE]
    return _Point(key[0], documents, key[2], metrics.queries.qrels, quality, (100 * low, 100 * high))


def _draw(axes: Axes, points: Sequence[_Point], remark: str) -> None:
    numbers = [point.documents for point in points]
    # The square root keeps 0, 1 and 3 apart without pushing 100 out of sight.
    axes.set_xscale(
        "function", functions=(lambda x: np.sign(x) * np.sqrt(np.abs(x)), lambda x: x * np.abs(x))
    )
    axes.vlines(numbers, *zip(*(p.interval for p in points), strict=True), color=GAIN, lw=1.4, alpha=0.45)
    axes.plot(numbers, [p.quality for p in points], "-o", color=GAIN, ms=5, lw=1.6)
    if len(points) <= _MOST_VALUES:
        for point in points:
            axes.annotate(f"{point.quality:.1f}", (point.documents, point.interval[1]), xytext=(0, 3),
                          textcoords="offset points", ha="center", fontsize=8, color=INK)  # fmt: skip
    low, high = min(p.interval[0] for p in points), max(p.interval[1] for p in points)
    axes.set_ylim(low - 0.06 * (high - low), high + 0.12 * (high - low))
    axes.set_xlim(-0.005 * max(numbers), 1.14 * max(numbers))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.minorticks_off()
    axes.set_xlabel("documents in the prompt")
    panel_title(axes, f"{points[0].dataset} ({points[0].queries} queries)", remark)


def _describe(points: Sequence[_Point]) -> str:
    parts = []
    for dataset in dict.fromkeys(point.dataset for point in points):
        values = ", ".join(f"{p.documents}: {p.quality:.1f}" for p in points if p.dataset == dataset)
        parts.append(f"{dataset}: {values}")
    return f"{HEADLINE} × 100 by number of documents in the prompt. {'; '.join(parts)}."
