"""Where a gain in nDCG@10 comes from: by position, by difficulty, by relevant documents, by system."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import FigureKind, PaperFigure, RunKey
from e2rank_eval.errors import InputError
from e2rank_eval.report.drawing import (
    MARKERS,
    MUTED,
    PALETTE,
    Drawing,
    interval_ends,
    legend_below,
    new_figure,
    panel_title,
)
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.names import HEADLINE
from e2rank_eval.report.outputs import files_of
from e2rank_eval.rerankers.families.e2rank import E2RankSettings
from e2rank_eval.rerankers.families.feedback import FeedbackSettings
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from e2rank_eval.report.collect import Results

_CUT = 10
"""The cutoff of nDCG@10."""

_RELEVANT = {"none": 0, "1": 1, "2 to 4": 4, "5 to 9": 9, "10 or more": math.inf}
"""Group of queries -> the most relevant documents that their prompts contain."""


def query_gains(results: Results, key: RunKey, size: int) -> pd.DataFrame:
    """Return a row for every judged query of a run, by id.

    ``quality`` is nDCG@10 x 100, a sum over documents; ``first`` is the part of it that the first ``size``
    candidates contribute, and ``relevant`` the number of these candidates with grade 1 or more.

    Raises
    ------
    InputError
        When a file is missing, or the run ranks a document that is not a candidate.
    """
    import pandas as pd

    orders, rankings = results.candidates(key[0], key[1]), results.rankings(key)
    quality = results.metrics(key).per_query[HEADLINE]
    rows = {}
    for query, judged in sorted(results.qrels(key[0]).items()):
        candidates = orders[query].document_ids if query in orders else []
        ranking = rankings.get(query, [])
        if set(ranking) - set(candidates):
            raise InputError(
                f"query {query!r} ranks a document that is not a candidate of {key[1]}",
                path=results.path(places.RUN, key), hint="rerank again",
            )  # fmt: skip
        first = set(candidates[:size])
        best = sorted(judged.values(), reverse=True)
        own = _gain([judged.get(document, 0) if document in first else 0 for document in ranking])
        rows[query] = {
            "quality": 100 * quality[query],
            "first": 100 * own / ideal if (ideal := _gain(best)) else 0.0,
            "relevant": sum(judged.get(document, 0) > 0 for document in first),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _gain(grades: list[int]) -> float:
    """Return the discounted cumulative gain of the first ten of a ranking's grades."""
    return sum(max(grade, 0) / math.log2(rank + 1) for rank, grade in enumerate(grades[:_CUT], start=1))


Split = Callable[["pd.DataFrame", "pd.DataFrame", int], "dict[str, pd.Series[float]]"]
"""Returns changes of nDCG@10 x 100 by group from two runs (ours, theirs) and the prompt's size."""


def by_position(ours: pd.DataFrame, theirs: pd.DataFrame, size: int) -> dict[str, pd.Series[float]]:
    """Split the change of each query into the parts of the first ``size`` candidates and of the others."""
    first = ours["first"] - theirs["first"]
    return {f"first {size}": first, "below": ours["quality"] - theirs["quality"] - first}


def by_difficulty(ours: pd.DataFrame, theirs: pd.DataFrame, _size: int) -> dict[str, pd.Series[float]]:
    """Return the changes by thirds of the queries, in the order of nDCG@10 in ``theirs``, then of ids."""
    import numpy as np

    changes = ours["quality"] - theirs["quality"]
    ordered = theirs.sort_values("quality", kind="stable").index
    names = ("hardest third", "middle third", "easiest third")
    return {name: changes[third] for name, third in zip(names, np.array_split(ordered, 3), strict=True)}


def by_relevant(ours: pd.DataFrame, theirs: pd.DataFrame, _size: int) -> dict[str, pd.Series[float]]:
    """Return the changes by the number of relevant documents (grade 1 or more) in the prompt."""
    import pandas as pd

    groups = pd.cut(ours["relevant"], [-1, *_RELEVANT.values()], labels=list(_RELEVANT))
    return {name: (ours["quality"] - theirs["quality"])[groups == name] for name in _RELEVANT}


def all_queries(ours: pd.DataFrame, theirs: pd.DataFrame, _size: int) -> dict[str, pd.Series[float]]:
    """Return the changes of all queries as one group."""
    return {"all queries": ours["quality"] - theirs["quality"]}


def prompt_size(configuration: Configuration, figure: PaperFigure) -> int:
    """Return the most prompt or feedback documents of the figure's systems; 20 where no system has any."""
    sizes = []
    for reranker in figure.systems:
        settings = configuration.rerankers[reranker]
        if isinstance(settings, E2RankSettings) and settings.prompt != "query-only":
            sizes.append(settings.prompt_documents)
        elif isinstance(settings, FeedbackSettings):
            sizes.append(settings.documents)
    return max(sizes, default=20)


_INPUTS = files_of("figures", places.CANDIDATES, places.QRELS, places.RUN, places.METRICS)


def _changes(results: Results, figure: PaperFigure, split: Split, size: int) -> pd.DataFrame:
    """Return the mean change of each group of queries, with its bootstrap 95 % interval over them."""
    import pandas as pd

    from e2rank_eval.evaluation.significance import bootstrap_interval, mean

    stage, against, rows = str(figure.first_stage), str(figure.against), []
    for dataset in figure.datasets:
        theirs = query_gains(results, (dataset, stage, against), size)
        for reranker in figure.rerankers:
            ours = query_gains(results, (dataset, stage, reranker), size)
            for group, changes in split(ours, theirs, size).items():
                if values := changes.tolist():
                    interval = bootstrap_interval([values], seed=results.configuration.seed)
                    rows.append((dataset, reranker, against, group, len(values), mean([values]), *interval))
    columns = ["dataset", "reranker", "against", "group", "queries", "change", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def draw_gains(results: Results, name: str, split: Split, remark: str) -> Drawing:
    """Mean change of nDCG@10 × 100 with its 95 % interval. The paper has no such analysis."""
    one = results.configuration.figures[name]
    size = prompt_size(results.configuration, one)
    data = _changes(results, one, split, size)
    figure = new_figure(8.6, 1.5 + 2.7 * len(one.datasets), one.title)
    grid = figure.subplots(len(one.datasets), 1, squeeze=False)[:, 0]
    against = results.label(str(one.against))
    names = {reranker: results.full_name(reranker) for reranker in one.rerankers}
    groups = list(data["group"].unique())
    for axes, dataset in zip(grid, one.datasets, strict=True):
        _draw(axes, data[data["dataset"] == dataset], names, groups)
        panel_title(axes, dataset, f"against {against}; {remark.format(size=size)}")
        axes.set_ylabel(f"change of {HEADLINE} × 100")
    if len(groups) > 1:
        legend_below(figure, grid[0])
    return Drawing(one.title, figure, data)


def _draw(axes: Axes, found: pd.DataFrame, names: dict[str, str], groups: list[str]) -> None:
    """Draw groups along the axis, systems side by side; with one group the systems are the axis."""
    alone = len(groups) == 1
    for index, (reranker, name) in enumerate(names.items()):
        own = found[found["reranker"] == reranker]
        offset = 0.6 * ((index + 0.5) / len(names) - 0.5)
        where = [index if alone else groups.index(group) + offset for group in own["group"]]
        ends = interval_ends(own["change"], own["low"], own["high"])
        axes.errorbar(where, own["change"], yerr=ends, fmt=MARKERS[index % len(MARKERS)],
                      color=PALETTE[index % len(PALETTE)], ms=5, lw=1.3, label=name)  # fmt: skip
    axes.axhline(0, color=MUTED, lw=0.8)
    if alone:
        axes.set_xticks(range(len(names)), list(names.values()), rotation=15, ha="right")
    else:
        counts = dict(zip(found["group"], found["queries"], strict=True))
        axes.set_xticks(range(len(groups)), [f"{group}\nn = {counts.get(group, 0)}" for group in groups])


for _kind, _split, _remark in (
    ("position", by_position, "parts of the first {size} candidates and of the rest, which add up"),
    ("difficulty", by_difficulty,
     "thirds by its nDCG@10; hard queries also gain by chance (regression to the mean)"),
    ("relevant", by_relevant, "queries by relevant documents (grade 1 or more) among the first {size}"),
    ("sensitivity", all_queries, "all queries"),
):  # fmt: skip
    _declared = FigureKind(("datasets", "first_stage", "rerankers", "against"))
    _drawn = partial(draw_gains, split=_split, remark=_remark)
    FIGURES.register(_kind, "figures", _INPUTS, declared=_declared)(_drawn)
