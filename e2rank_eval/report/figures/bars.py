"""One column of a table of the paper as bars: our values with their intervals (the paper's figure 1b)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from e2rank_eval.config.measurements import FigureKind
from e2rank_eval.report.drawing import GAIN, MUTED, Drawing, interval_ends, new_figure, panel_title
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.names import HEADLINE
from e2rank_eval.report.tables.paper import result_files

if TYPE_CHECKING:
    from e2rank_eval.report.collect import Results


@FIGURES.register("bars", "figures", result_files, declared=FigureKind(("of", "column"), of="tables"))
def draw_bars(results: Results, name: str) -> Drawing:
    """Our values with their 95 % intervals. The paper publishes no values of this figure."""
    import pandas as pd

    from e2rank_eval.paper.grid import grid
    from e2rank_eval.report.paper_cells import judged_cells

    one = results.configuration.figures[name]
    table = grid(results.configuration, str(one.of))
    only = replace(table, cells=tuple(cell for cell in table.cells if cell.column == one.column))
    cells = [cell for cell in judged_cells(results, only) if cell.grid.system in table.settings.systems]
    title = one.title or f"{one.column}: {table.meaning.title}"
    figure = new_figure(7.2, 1.2 + 0.45 * len(cells), title)
    axes = figure.subplots()
    rows = []
    for place, cell in enumerate(cells):
        if cell.ours is None:
            axes.annotate("not run", (0, place), xytext=(4, 0), textcoords="offset points", va="center",
                          color=MUTED, fontsize=8)  # fmt: skip
            rows.append((cell.grid.system, cell.grid.column, None, None, None, None))
            continue
        value, interval = cell.ours.value, cell.ours.interval
        low, high = interval or (value, value)
        ends = interval_ends([value], [low], [high])
        axes.barh(place, value, xerr=ends, color=GAIN, height=0.6, ecolor=MUTED)
        rows.append(
            (cell.grid.system, cell.grid.column, cell.ours.queries, value, *(interval or (None, None)))
        )
    axes.set_yticks(range(len(cells)), [cell.grid.system for cell in cells])
    axes.invert_yaxis()
    axes.set_xlabel(f"{HEADLINE} × 100, 95 % interval")
    panel_title(axes, "our values; the paper publishes no values of its figure")
    data = pd.DataFrame(rows, columns=["system", "column", "queries", "value", "low", "high"])
    return Drawing(title, figure, data.astype({"queries": "Int64"}))
