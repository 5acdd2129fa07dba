"""Mean similarity by rank, listwise against query-only (the paper's figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from e2rank_eval.config import FigureArtefact
from e2rank_eval.errors import InputError
from e2rank_eval.report.collect import Results, RunKey
from e2rank_eval.report.figure_style import Drawing, colour, new_figure, panel_title
from e2rank_eval.report.names import full_name
from e2rank_eval.store import layout as places


@dataclass(frozen=True, slots=True)
class _Curve:
    """``similarities[r]`` is the mean over queries of the score at rank r + 1."""

    dataset: str
    reranker: str
    name: str
    colour: str
    queries: int
    similarities: tuple[float, ...]


def draw_similarity(results: Results, name: str) -> Drawing:
    """The figure of artefact ``name``.

    Raises
    ------
    InputError
        When a run has no statistics, or its reranker gives no scores.
    """
    artefact = results.configuration.artefacts[name]
    assert isinstance(artefact, FigureArtefact)
    curves = [
        _curve(results, (dataset, str(artefact.first_stage), reranker))
        for dataset in artefact.datasets
        for reranker in artefact.rerankers
    ]
    figure = new_figure(max(5.0, 3.6 * len(artefact.datasets)), 3.6, artefact.title)
    grid = figure.subplots(1, len(artefact.datasets), squeeze=False)
    for axes, dataset in zip(grid[0], artefact.datasets, strict=True):
        own = [curve for curve in curves if curve.dataset == dataset]
        for curve in own:
            ranks = range(1, len(curve.similarities) + 1)
            axes.plot(ranks, curve.similarities, color=curve.colour, lw=1.6, label=curve.name)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel("rank")
        panel_title(axes, f"{dataset} ({own[0].queries} queries)")
    grid[0, 0].set_ylabel("mean cosine similarity")
    grid[0, 0].legend(frameon=False, fontsize=8)
    return Drawing(
        id=name,
        title=artefact.title,
        description=_describe(curves),
        figure=figure,
        columns=("dataset", "reranker", "queries", "rank", "similarity"),
        rows=tuple(
            (curve.dataset, curve.reranker, curve.queries, rank, value)
            for curve in curves
            for rank, value in enumerate(curve.similarities, start=1)
        ),
    )


def _curve(results: Results, key: RunKey) -> _Curve:
    scored = [row["scores"] for row in results.statistics(key).values() if row["scores"]]
    if not scored:
        raise InputError(
            "no scores to draw", path=results.path(places.STATISTICS, key),
            hint="name rerankers that score every candidate",
        )  # fmt: skip
    # Ranks that only some queries have would mix collections of queries along one curve.
    depth = min(len(scores) for scores in scored)
    ordered = np.array([sorted(scores, reverse=True)[:depth] for scores in scored])
    settings = results.configuration.rerankers[key[2]]
    means = tuple(float(value) for value in ordered.mean(axis=0))
    name = full_name(results.configuration, key[2])
    return _Curve(key[0], key[2], name, colour(settings), len(scored), means)


def _describe(curves: Sequence[_Curve]) -> str:
    parts = [
        f"{curve.name} on {curve.dataset}: {curve.similarities[0]:.3f} at rank 1, "
        f"{curve.similarities[-1]:.3f} at rank {len(curve.similarities)}"
        for curve in curves
    ]
    return f"Mean similarity of query and document by rank. {'; '.join(parts)}."
