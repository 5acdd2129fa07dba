"""Who gains and who loses: per-query differences from the first baseline, sorted, one panel per system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill

from matplotlib.axes import Axes

from e2rank_eval.report.collect import HEADLINE, Results
from e2rank_eval.report.figure_style import GAIN, LOSS, MUTED, Drawing, new_figure, panel_title
from e2rank_eval.report.names import full_name, label

_MOST_COLUMNS = 4
_EQUAL = 1e-12


@dataclass(frozen=True, slots=True)
class _Panel:
    """``differences``: (query id, points of nDCG@10 x 100), greatest gain first."""

    dataset: str
    reranker: str
    name: str
    differences: tuple[tuple[str, float], ...]

    def counts(self) -> tuple[int, int, int]:
        values = [value for _, value in self.differences]
        gains, losses = sum(v > 100 * _EQUAL for v in values), sum(v < -100 * _EQUAL for v in values)
        return gains, len(values) - gains - losses, losses


def draw_wins(results: Results, name: str) -> Drawing:
    """The figure of comparison ``name``."""
    comparison = results.comparison(name)
    baseline = comparison.baselines[0]
    systems = [reranker for reranker in comparison.rerankers if reranker != baseline]
    panels = [
        _panel(results, (dataset, comparison.first_stage), reranker, baseline)
        for dataset in comparison.datasets
        for reranker in systems
    ]
    columns = min(_MOST_COLUMNS, len(systems))
    blocks = -(-len(systems) // columns)
    rows = blocks * len(comparison.datasets)
    title = f"Per-query change of {HEADLINE} × 100 against {label(results.configuration, baseline)}"
    figure = new_figure(1.2 + 2.1 * columns, 0.6 + 2.1 * rows, title)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for index, dataset in enumerate(comparison.datasets):
        ours = [panel for panel in panels if panel.dataset == dataset]
        values = [value for panel in ours for _, value in panel.differences]
        limits = (1.05 * min(-1.0, *values), 1.05 * max(1.0, *values))
        for position, panel in enumerate(ours):
            axes = grid[index * blocks + position // columns, position % columns]
            _draw(axes, panel, limits)
            if position % columns == 0:
                axes.set_ylabel(f"{dataset} ({len(panel.differences)} queries)", color=MUTED)
            else:
                axes.tick_params(labelleft=False)
    return Drawing(
        id=f"wins-{name}",
        title=title,
        description=_describe(panels),
        figure=figure,
        columns=("dataset", "reranker", "baseline", "query_id", "difference"),
        rows=tuple(
            (panel.dataset, panel.reranker, baseline, query, value)
            for panel in panels
            for query, value in panel.differences
        ),
    )


def _panel(results: Results, where: tuple[str, str], reranker: str, baseline: str) -> _Panel:
    ours = results.metrics((*where, reranker)).per_query[HEADLINE]
    theirs = results.metrics((*where, baseline)).per_query[HEADLINE]
    differences = [(query, 100 * (value - theirs[query])) for query, value in ours.items()]
    differences.sort(key=lambda pair: (-pair[1], pair[0]))
    return _Panel(where[0], reranker, full_name(results.configuration, reranker), tuple(differences))


def _draw(axes: Axes, panel: _Panel, limits: tuple[float, float]) -> None:
    axes.set_axis_on()
    values = [value for _, value in panel.differences]
    colours = [GAIN if value > 0 else LOSS for value in values]
    axes.bar(range(len(values)), values, width=0.85 if len(values) <= 60 else 1.0, color=colours)
    axes.axhline(0, color=MUTED, lw=0.8)
    axes.set_ylim(*limits)
    axes.set_xlim(-1, len(values))
    axes.set_xticks([])
    axes.spines[["bottom", "left"]].set_visible(False)
    gains, equal, losses = panel.counts()
    panel_title(axes, fill(panel.name, 30), f"{gains} better, {equal} equal, {losses} worse")


def _describe(panels: Sequence[_Panel]) -> str:
    parts = []
    for panel in panels:
        gains, equal, losses = panel.counts()
        parts.append(f"{panel.name} on {panel.dataset}: {gains} better, {equal} equal, {losses} worse")
    return f"Queries by change against the baseline. {'; '.join(parts)}."
