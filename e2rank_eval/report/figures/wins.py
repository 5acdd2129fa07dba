"""Who gains and who loses: per-query differences from the first baseline, sorted, one panel per system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration
from e2rank_eval.report.drawing import GAIN, LOSS, MUTED, Drawing, new_figure, panel_title
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.names import HEADLINE, full_name, label
from e2rank_eval.report.outputs import run_files
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from e2rank_eval.report.collect import Results

_MOST_COLUMNS = 4
_EQUAL = 1e-10
"""Points of nDCG@10 x 100 below which a difference is rounding."""


def _inputs(configuration: Configuration, name: str) -> Iterator[str]:
    one = configuration.comparisons[name]
    yield from run_files(places.METRICS, one.datasets, one.first_stage, one.rerankers)


@FIGURES.register("wins", "comparisons", "wins-{}", _inputs, among=lambda entry: len(entry.rerankers) > 1)
def draw_wins(results: Results, name: str) -> Drawing:
    """Each bar is one query: its change in nDCG@10 × 100 against the first baseline, greatest gain first.
    Blue bars gain, orange bars lose.
    """
    comparison = results.configuration.comparisons[name]
    baseline = comparison.baselines[0]
    systems = [reranker for reranker in comparison.rerankers if reranker != baseline]
    columns = min(_MOST_COLUMNS, len(systems))
    blocks = -(-len(systems) // columns)
    title = f"Per-query change of {HEADLINE} × 100 against {label(results.configuration, baseline)}"
    rows = blocks * len(comparison.datasets)
    figure = new_figure(1.2 + 2.1 * columns, 0.6 + 2.1 * rows, title)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    data: list[tuple[str | float | int, ...]] = []
    for index, dataset in enumerate(comparison.datasets):
        stage = (dataset, comparison.first_stage)
        panels = [_differences(results, stage, reranker, baseline) for reranker in systems]
        values = [value for panel in panels for _, value in panel]
        limits = (1.05 * min(-1.0, *values), 1.05 * max(1.0, *values))
        for position, (reranker, panel) in enumerate(zip(systems, panels, strict=True)):
            data += [(dataset, reranker, baseline, query, value) for query, value in panel]
            axes = grid[index * blocks + position // columns, position % columns]
            _draw(axes, [value for _, value in panel], limits)
            counts = sum(v > _EQUAL for _, v in panel), sum(v < -_EQUAL for _, v in panel)
            equal = len(panel) - sum(counts)
            panel_title(axes, fill(full_name(results.configuration, reranker), 30),
                        f"{counts[0]} better, {equal} equal, {counts[1]} worse")  # fmt: skip
            if position % columns == 0:
                axes.set_ylabel(f"{dataset} ({len(panel)} queries)", color=MUTED)
            else:
                axes.tick_params(labelleft=False)
    names = ("dataset", "reranker", "baseline", "query_id", "difference")
    return Drawing(f"wins-{name}", title, figure, names, tuple(data))


def _differences(
    results: Results, stage: tuple[str, str], reranker: str, baseline: str
) -> list[tuple[str, float]]:
    """Return (query id, points of nDCG@10 x 100), greatest gain first."""
    ours = results.metrics((*stage, reranker)).per_query[HEADLINE]
    theirs = results.metrics((*stage, baseline)).per_query[HEADLINE]
    differences = [(query, 100 * (value - theirs[query])) for query, value in ours.items()]
    return sorted(differences, key=lambda pair: (-pair[1], pair[0]))


def _draw(axes: Axes, values: Sequence[float], limits: tuple[float, float]) -> None:
    axes.set_axis_on()
    colours = [GAIN if value > 0 else LOSS for value in values]
    axes.bar(range(len(values)), values, width=0.85 if len(values) <= 60 else 1.0, color=colours)
    axes.axhline(0, color=MUTED, lw=0.8)
    axes.set_ylim(*limits)
    axes.set_xlim(-1, len(values))
    axes.set_xticks([])
    axes.spines[["bottom", "left"]].set_visible(False)
