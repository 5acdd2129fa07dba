"""Gains and losses: sorted per-query differences from the first baseline, one panel per system."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from e2rank_eval.report.drawing import GAIN, LOSS, MUTED, Drawing, new_figure, panel_title
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.names import HEADLINE
from e2rank_eval.report.outputs import files_of
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from e2rank_eval.report.collect import Results

_MOST_COLUMNS = 4
_EQUAL = 1e-10
"""Points of nDCG@10 x 100 below which a difference is rounding."""


@FIGURES.register(
    "wins", "comparisons", files_of("comparisons", places.METRICS), "wins-{}",
    among=lambda entry: len(entry.rerankers) > 1,
)  # fmt: skip
def draw_wins(results: Results, name: str) -> Drawing:
    """Each bar is one query: its change in nDCG@10 × 100 against the first baseline, greatest gain first.
    Blue bars gain, orange bars lose.
    """
    import pandas as pd

    comparison = results.configuration.comparisons[name]
    baseline = comparison.baselines[0]
    systems = [reranker for reranker in comparison.rerankers if reranker != baseline]
    columns = min(_MOST_COLUMNS, len(systems))
    blocks = -(-len(systems) // columns)
    title = f"Per-query change of {HEADLINE} × 100 against {results.label(baseline)}"
    figure = new_figure(1.2 + 2.1 * columns, 0.6 + 2.1 * blocks * len(comparison.datasets), title)
    grid = figure.subplots(blocks * len(comparison.datasets), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    panels = {
        (dataset, reranker): _differences(results, (dataset, comparison.first_stage), reranker, baseline)
        for dataset in comparison.datasets
        for reranker in systems
    }
    data = pd.concat(panels.values())
    for (dataset, reranker), panel in panels.items():
        values, everywhere = panel["difference"], data["difference"][data["dataset"] == dataset]
        position = systems.index(reranker)
        row = comparison.datasets.index(dataset) * blocks + position // columns
        axes = grid[row, position % columns]
        _draw(axes, list(values), (1.05 * min(-1.0, everywhere.min()), 1.05 * max(1.0, everywhere.max())))
        better, worse = (values > _EQUAL).sum(), (values < -_EQUAL).sum()
        panel_title(axes, fill(results.full_name(reranker), 30),
                    f"{better} better, {len(panel) - better - worse} equal, {worse} worse")  # fmt: skip
        if position % columns == 0:
            axes.set_ylabel(f"{dataset} ({len(panel)} queries)", color=MUTED)
        else:
            axes.tick_params(labelleft=False)
    return Drawing(title, figure, data)


def _differences(results: Results, stage: tuple[str, str], reranker: str, baseline: str) -> pd.DataFrame:
    """Return the change of each query in points of nDCG@10 x 100, greatest gain first."""
    import pandas as pd

    ours, theirs = (results.metrics((*stage, one)).per_query[HEADLINE] for one in (reranker, baseline))
    rows = [
        (stage[0], reranker, baseline, query, 100 * (ours[query] - theirs[query])) for query in sorted(ours)
    ]
    data = pd.DataFrame(rows, columns=["dataset", "reranker", "baseline", "query_id", "difference"])
    return data.sort_values("difference", ascending=False, kind="stable")


def _draw(axes: Axes, values: list[float], limits: tuple[float, float]) -> None:
    axes.set_axis_on()
    colours = [GAIN if value > 0 else LOSS for value in values]
    axes.bar(range(len(values)), values, width=0.85 if len(values) <= 60 else 1.0, color=colours)
    axes.axhline(0, color=MUTED, lw=0.8)
    axes.set_ylim(*limits)
    axes.set_xlim(-1, len(values))
    axes.set_xticks([])
    axes.spines[["bottom", "left"]].set_visible(False)
