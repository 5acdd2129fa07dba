"""One column of a table of the paper as bars: our values with their intervals (the paper's figure 1b)."""

from __future__ import annotations

from dataclasses import replace

from e2rank_eval.config import FigureArtefact
from e2rank_eval.paper.grid import grid
from e2rank_eval.report.collect import HEADLINE, Results
from e2rank_eval.report.figure_style import GAIN, MUTED, Drawing, new_figure, panel_title
from e2rank_eval.report.paper_cells import JudgedCell, judged_cells


def draw_bars(results: Results, name: str) -> Drawing:
    """The figure of artefact ``name``; systems that have not run stand with no bar, and say so."""
    artefact = results.configuration.artefacts[name]
    assert isinstance(artefact, FigureArtefact)
    table = grid(results.configuration, str(artefact.of))
    only = replace(table, cells=tuple(cell for cell in table.cells if cell.column == artefact.column))
    configured = [cell for cell in judged_cells(results, only) if cell.grid.system in table.settings.systems]
    title = artefact.title or f"{artefact.column}: {table.meaning.title}"
    figure = new_figure(7.2, 1.2 + 0.45 * len(configured), title)
    axes = figure.subplots()
    for place, cell in enumerate(configured):
        if cell.ours is None:
            axes.annotate("not run", (0, place), xytext=(4, 0), textcoords="offset points", va="center",
                          color=MUTED, fontsize=8)  # fmt: skip
            continue
        low, high = cell.ours.interval or (cell.ours.value, cell.ours.value)
        ends = [[cell.ours.value - low], [high - cell.ours.value]]
        axes.barh(place, cell.ours.value, xerr=ends, color=GAIN, height=0.6, ecolor=MUTED)
    axes.set_yticks(range(len(configured)), [cell.grid.system for cell in configured])
    axes.invert_yaxis()
    axes.set_xlabel(f"{HEADLINE} × 100, 95 % interval")
    panel_title(axes, "our values; the paper publishes no values of its figure")
    return Drawing(
        id=name,
        title=title,
        description=_describe(configured),
        figure=figure,
        columns=("system", "column", "queries", "value", "low", "high"),
        rows=tuple(_row(cell) for cell in configured),
    )


def _row(cell: JudgedCell) -> tuple[str | float | int, ...]:
    if cell.ours is None:
        return cell.grid.system, cell.grid.column, "", "", "", ""
    low, high = cell.ours.interval or ("", "")
    return cell.grid.system, cell.grid.column, cell.ours.queries or "", cell.ours.value, low, high


def _describe(cells: list[JudgedCell]) -> str:
    parts = [f"{cell.grid.system}: {f'{cell.ours.value:.1f}' if cell.ours else 'not run'}" for cell in cells]
    return f"Our values. {'; '.join(parts)}."
