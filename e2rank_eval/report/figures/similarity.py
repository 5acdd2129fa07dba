"""Mean similarity by rank, listwise against query-only (the paper's figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from e2rank_eval.config.measurements import FigureKind, RunKey
from e2rank_eval.errors import InputError
from e2rank_eval.report.drawing import Drawing, new_figure, panel_title
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.outputs import files_of
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    from e2rank_eval.report.collect import Results


@FIGURES.register("similarity", "figures", files_of("figures", places.STATISTICS), declared=FigureKind())
def draw_similarity(results: Results, name: str) -> Drawing:
    """Mean similarity of query and document by rank. The paper publishes no values of this figure.

    Raises
    ------
    InputError
        When a run has no statistics, or its reranker gives no scores.
    """
    import pandas as pd
    from matplotlib.ticker import MaxNLocator

    one = results.configuration.figures[name]
    figure = new_figure(max(5.0, 3.6 * len(one.datasets)), 3.6, one.title)
    panels = figure.subplots(1, len(one.datasets), squeeze=False)[0]
    rows: list[tuple[str, str, int, int, float]] = []
    for axes, dataset in zip(panels, one.datasets, strict=True):
        for reranker in one.rerankers:
            queries, means = _similarities(results, (dataset, str(one.first_stage), reranker))
            rows += [(dataset, reranker, queries, rank, value) for rank, value in enumerate(means, start=1)]
            colour = results.configuration.rerankers[reranker].colour
            axes.plot(range(1, len(means) + 1), means, color=colour, lw=1.6,
                      label=results.full_name(reranker))  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel("rank")
        panel_title(axes, f"{dataset} ({queries} queries)")
    panels[0].set_ylabel("mean cosine similarity")
    panels[0].legend(frameon=False, fontsize=8)
    columns = ["dataset", "reranker", "queries", "rank", "similarity"]
    return Drawing(one.title, figure, pd.DataFrame(rows, columns=columns))


def _similarities(results: Results, key: RunKey) -> tuple[int, list[float]]:
    """Return the number of queries, and the mean over them of the score at each rank."""
    import numpy as np

    scored = [row["scores"] for row in results.statistics(key).values() if row["scores"]]
    if not scored:
        path, hint = results.path(places.STATISTICS, key), "name rerankers that score every candidate"
        raise InputError("no scores to draw", path=path, hint=hint)
    # Ranks that only some queries have would mix sets of queries along one curve.
    depth = min(len(scores) for scores in scored)
    ordered = np.array([sorted(scores, reverse=True)[:depth] for scores in scored])
    return len(scored), [float(value) for value in ordered.mean(axis=0)]
