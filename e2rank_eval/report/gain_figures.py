"""Draws gains: one panel per collection, one mark with its interval per system and group of queries."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from e2rank_eval.config import FigureArtefact
from e2rank_eval.report.collect import HEADLINE, Results
from e2rank_eval.report.figure_style import MUTED, Drawing, new_figure, panel_title
from e2rank_eval.report.gains import Gain, gains, prompt_size
from e2rank_eval.report.names import full_name, label

_PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#7f8790")
_MARKERS = "osD^vP"

_REMARKS = {
    "position": "documents by first-stage position: first {size} and the rest, which add up",
    "difficulty": "thirds by it; hard queries gain by chance alone too (regression to the mean)",
    "relevant": "queries by relevant documents (grade 1 or more) among the first {size}",
    "sensitivity": "all queries",
}


def draw_gains(results: Results, name: str) -> Drawing:
    """The figure of artefact ``name``: changes of nDCG@10 x 100 against the system that it names."""
    artefact = results.configuration.artefacts[name]
    assert isinstance(artefact, FigureArtefact)
    found = gains(results, artefact)
    names = {reranker: full_name(results.configuration, reranker) for reranker in artefact.rerankers}
    against = label(results.configuration, str(artefact.against))
    size = prompt_size(results.configuration, artefact)
    groups = list(dict.fromkeys(gain.group for gain in found))
    figure = new_figure(8.6, 1.5 + 2.7 * len(artefact.datasets), artefact.title)
    grid = figure.subplots(len(artefact.datasets), 1, squeeze=False)
    remark = f"against {against}; {_REMARKS[artefact.figure].format(size=size)}"
    for axes, dataset in zip(grid[:, 0], artefact.datasets, strict=True):
        own = [gain for gain in found if gain.dataset == dataset]
        _draw(axes, own, artefact.rerankers, groups, names)
        panel_title(axes, dataset, remark)
        axes.set_ylabel(f"change of {HEADLINE} × 100")
    if len(groups) > 1:
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    return Drawing(
        id=name,
        title=artefact.title,
        description=_describe(found, names, against),
        figure=figure,
        columns=("dataset", "reranker", "against", "group", "queries", "change", "low", "high"),
        rows=tuple(
            (g.dataset, g.reranker, str(artefact.against), g.group, g.queries, g.change, *g.interval)
            for g in found
        ),
    )


def _draw(
    axes: Axes, found: Sequence[Gain], rerankers: Sequence[str], groups: Sequence[str], names: dict[str, str]
) -> None:
    """Groups along the axis, systems side by side within each; with one group the systems are the axis."""
    alone = len(groups) == 1
    for index, reranker in enumerate(rerankers):
        own = {gain.group: gain for gain in found if gain.reranker == reranker}
        places = [index if alone else groups.index(group) + _offset(index, len(rerankers)) for group in own]
        values = [gain.change for gain in own.values()]
        ends = [
            [gain.change - gain.interval[0] for gain in own.values()],
            [gain.interval[1] - gain.change for gain in own.values()],
        ]
        colour = _PALETTE[index % len(_PALETTE)]
        axes.errorbar(places, values, yerr=ends, fmt=_MARKERS[index % len(_MARKERS)], color=colour,
                      ms=5, lw=1.3, label=names[reranker])  # fmt: skip
    axes.axhline(0, color=MUTED, lw=0.8)
    if alone:
        axes.set_xticks(range(len(rerankers)), [names[r] for r in rerankers], rotation=15, ha="right")
        return
    counts = {gain.group: gain.queries for gain in found}
    ticks = [f"{group}\nn = {counts.get(group, 0)}" for group in groups]
    axes.set_xticks(range(len(groups)), ticks)


def _offset(index: int, count: int) -> float:
    return 0.6 * ((index + 0.5) / count - 0.5)


def _describe(found: Sequence[Gain], names: dict[str, str], against: str) -> str:
    parts = [
        f"{names[g.reranker]} on {g.dataset}, {g.group} ({g.queries} queries): {g.change:+.1f}" for g in found
    ]
    return f"Mean change of {HEADLINE} × 100 against {against}. {'; '.join(parts)}."
