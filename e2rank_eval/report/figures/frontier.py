"""Quality against latency: nDCG@10 with its interval over the median CPU or wall-clock time per query."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import FigureKind
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.samples import Ratio, speed_ups
from e2rank_eval.report.drawing import MARKERS, MUTED, PAPER, Drawing, legend_below, new_figure, time_axis
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.names import HEADLINE
from e2rank_eval.report.outputs import files_of
from e2rank_eval.report.tables.latency import CLOCKS, measurements
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from e2rank_eval.report.collect import Results
    from e2rank_eval.store.results import Clock

_INPUTS = files_of("latency", places.LATENCY, places.METRICS, places.CANDIDATES, places.QRELS)


@FIGURES.register(
    "frontier", "latency", _INPUTS, "frontier-{}",
    among=lambda entry: entry.quality, declared=FigureKind(("of",), of="latency"),
)  # fmt: skip
def draw_frontier(results: Results, name: str) -> Drawing:
    """Up is better, left is faster. Filled: documents encoded online; hollow: document vectors stored. Bars
    are the 95 % interval of nDCG@10; the dashed line is the first stage, no reranking. A time that cannot be
    compared with the others is not drawn; the legend says why.
    """
    entry = results.configuration.latency[name]
    data = _qualities_and_times(results, name)
    values = list(results.first_stage(entry.dataset, entry.first_stage).values())
    stage = results.first_stage_label(entry.first_stage)
    title = f"Quality against latency on {entry.dataset} ({len(values)} queries, candidates: {stage})"
    reference = (100 * statistics.fmean(values), stage)
    return _drawing(results, title, data, reference, results.latency(name).clock)


def _entries(configuration: Configuration, name: str) -> list[str]:
    """Return the latency entry of each collection of a comparison.

    Raises
    ------
    InputError
        When a collection has none on the comparison's candidates, or several.
    """
    comparison, found = configuration.comparisons[name], []
    for dataset in comparison.datasets:
        place = (dataset, comparison.first_stage)
        own = [n for n, one in configuration.latency.items() if (one.dataset, one.first_stage) == place]
        if len(own) != 1:
            problem = f"mean-frontier of {name}: {len(own)} latency entries time {'/'.join(place)}"
            hint = "configure one for every collection of the comparison"
            raise InputError(problem, path=configuration.origin or None, hint=hint)
        found += own
    return found


def _mean_inputs(configuration: Configuration, name: str) -> Iterator[str]:
    yield places.COMPARISON.format(comparison=name)
    for entry in _entries(configuration, name):
        yield from _INPUTS(configuration, entry)


@FIGURES.register(
    "mean-frontier", "comparisons", _mean_inputs,
    among=lambda _: False, declared=FigureKind(("of",), of="comparisons"),
)  # fmt: skip
def draw_mean_frontier(results: Results, name: str) -> Drawing:
    """Up is better, left is faster: nDCG@10 and the median time per query, each a mean over the collections.
    Filled: documents encoded online; hollow: document vectors stored. Bars are the 95 % interval of nDCG@10;
    the dashed line is the first stage, no reranking.
    """
    import numpy as np
    import pandas as pd

    configuration, comparison = results.configuration, results.comparison(name)
    entries = _entries(configuration, name)
    timed = pd.concat(_qualities_and_times(results, entry) for entry in entries)
    overall = comparison.overall
    # Collections that share a column share its weight, in the times as in the means of nDCG@10.
    shares = {dataset: 1 / len(of) for of in comparison.columns.values() for dataset in of}
    weights = [shares[configuration.latency[entry].dataset] for entry in entries]
    rows = []
    for (reranker, label, documents), own in timed.groupby(["reranker", "label", "documents"], sort=False):
        if reranker in overall and len(own) == len(entries):
            why = "; ".join(own["withheld"][own["withheld"] != ""].unique())
            mean, (low, high) = overall[reranker].mean, overall[reranker].interval
            quality = (overall[reranker].queries, 100 * mean, 100 * low, 100 * high)
            seconds = np.average(own["p50_seconds"], weights=weights)
            rows.append((reranker, label, documents, seconds, why, *quality))
    data = pd.DataFrame(rows, columns=timed.columns)
    means = [
        statistics.fmean(
            statistics.fmean(results.first_stage(one, comparison.first_stage).values()) for one in of
        )
        for of in comparison.columns.values()
    ]
    stage = results.first_stage_label(comparison.first_stage)
    title = f"Quality against latency, mean of {len(comparison.columns)} collections (candidates: {stage})"
    reference = (100 * statistics.fmean(means), stage)
    clock, *others = {results.latency(entry).clock for entry in entries}
    if others:
        problem = f"mean-frontier of {name}: some entries have CPU times, others wall-clock times"
        raise InputError(problem, hint="time all of them again on one machine: e2rank-eval latency ENTRY")
    return _drawing(results, title, data, reference, clock)


def _drawing(
    results: Results, title: str, data: pd.DataFrame, reference: tuple[float, str], clock: Clock
) -> Drawing:
    """Draw ``data`` over the first stage's quality and label, ``reference``."""
    level, stage = reference
    systems = data["reranker"].unique()
    figure = new_figure(7.2, 4.2 + 0.1 * len(systems), title)
    axes = figure.subplots()
    _set_axes(axes, data, level, clock)
    axes.axhline(level, color=MUTED, lw=0.9, ls=(0, (4, 3)), zorder=1, label=f"{stage}, no reranking")
    for number, reranker in enumerate(systems):
        colour, marker = results.configuration.rerankers[reranker].colour, MARKERS[number % len(MARKERS)]
        rows = data[data["reranker"] == reranker].sort_values("documents")  # online first
        modes = rows[rows["withheld"] == ""]
        withheld = rows[rows["withheld"] != ""]
        why = "; ".join(dict.fromkeys("; ".join(withheld["withheld"]).split("; ")))
        mode = f"{withheld['documents'].iloc[0]}: " if 0 < len(withheld) < len(rows) else ""
        label = f"{rows['label'].iloc[0]}" + (f" ({mode}{why})" if why else "")
        axes.plot(modes["p50_seconds"], modes["ndcg10"], color=colour, lw=1, ls=(0, (1, 2)), zorder=2)
        axes.plot([], [], marker, ls="", ms=7, mew=1.5, mec=colour, mfc=colour, label=label)
        for position, one in enumerate(modes.itertuples()):
            if position == 0:
                axes.vlines(one.p50_seconds, one.low, one.high, color=colour, lw=1.4, alpha=0.55, zorder=2)
            axes.plot(
                one.p50_seconds, one.ndcg10, marker, ls="", ms=7, mew=1.5, mec=colour, zorder=3,
                mfc=colour if one.documents == "online" else PAPER,
            )  # fmt: skip
    if "stored" in set(data["documents"]):
        axes.set_title("filled: documents encoded online   hollow: document vectors stored", loc="right",
                       fontsize=8, color=MUTED)  # fmt: skip
    legend_below(figure, axes)
    return Drawing(title, figure, data)


def _qualities_and_times(results: Results, name: str) -> pd.DataFrame:
    """Return a row for each system and mode, in the configuration's order; quality is x 100.

    ``withheld`` is the reason why a time is not comparable with the others; empty where it is comparable.
    """
    import pandas as pd

    latency = results.latency(name)
    rows = []
    ratios = speed_ups(latency, seed=results.configuration.seed)
    for (key, timing), ratio in zip(measurements(results, name), ratios, strict=True):
        queries, quality, low, high = results.headline(key)
        label = results.full_name(key[2])
        seconds = statistics.median(latency.seconds(timing))
        withheld = "" if isinstance(ratio, Ratio) else ratio
        rows.append((key[2], label, timing.mode, seconds, withheld, queries, quality, low, high))
    quality_columns = ["queries", "ndcg10", "low", "high"]
    columns = ["reranker", "label", "documents", "p50_seconds", "withheld", *quality_columns]
    return pd.DataFrame(rows, columns=columns)


def _set_axes(axes: Axes, data: pd.DataFrame, reference: float, clock: Clock) -> None:
    low, high = data["p50_seconds"].min() / 1.6, data["p50_seconds"].max() * 1.6
    middle = math.sqrt(low * high)
    low, high = min(low, middle / 4), max(high, middle * 4)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    time_axis(axes.xaxis, low, high)
    least, most = min(reference, data["low"].min()), max(reference, data["high"].max())
    margin = max(1.0, 0.08 * (most - least))
    axes.set_ylim(least - margin, most + margin)
    axes.set_xlabel(f"median {CLOCKS[clock]} per query (log scale), faster to the left")
    axes.set_ylabel(f"{HEADLINE} × 100, 95 % interval")
