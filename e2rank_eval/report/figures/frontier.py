"""Quality against latency: nDCG@10 with its interval over the median CPU or wall-clock time per query."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration
from e2rank_eval.config.paper import FIGURE_KINDS, FigureKind
from e2rank_eval.evaluation.samples import Ratio, speed_ups
from e2rank_eval.report.drawing import MARKERS, MUTED, PAPER, Drawing, legend_below, new_figure, time_axis
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.names import HEADLINE, first_stage_label, full_name
from e2rank_eval.report.outputs import first_stage_files, run_files
from e2rank_eval.report.tables.latency import CLOCKS, latency_files, measurements
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from e2rank_eval.report.collect import Results
    from e2rank_eval.store.results import Clock

FIGURE_KINDS.add("frontier", FigureKind(needs=("of",), of="latency"))


def _inputs(configuration: Configuration, name: str) -> Iterator[str]:
    entry = configuration.latency[name]
    yield from latency_files(configuration, name)
    yield from run_files(places.METRICS, [entry.dataset], entry.first_stage, entry.rerankers)
    yield from first_stage_files([entry.dataset], entry.first_stage)


@FIGURES.register("frontier", "latency", "frontier-{}", _inputs)
def draw_frontier(results: Results, name: str) -> Drawing:
    """Up is better, left is faster. Filled: documents encoded online; hollow: document vectors stored. Bars
    are the 95 % interval of nDCG@10; the dashed line is the first stage, no reranking. A time that cannot be
    compared with the others is not drawn; the legend says why.
    """
    configuration = results.configuration
    entry = configuration.latency[name]
    data = _qualities_and_times(results, name)
    values = list(results.first_stage(entry.dataset, entry.first_stage).values())
    reference = 100 * statistics.fmean(values)
    stage = first_stage_label(configuration, entry.first_stage)
    title = f"Quality against latency on {entry.dataset} ({len(values)} queries, candidates: {stage})"
    systems = data["reranker"].unique()
    figure = new_figure(7.2, 4.2 + 0.1 * len(systems), title)
    axes = figure.subplots()
    _set_axes(axes, data, reference, results.latency(name).clock)
    axes.axhline(reference, color=MUTED, lw=0.9, ls=(0, (4, 3)), zorder=1, label=f"{stage}, no reranking")
    for number, reranker in enumerate(systems):
        colour, marker = configuration.rerankers[reranker].colour, MARKERS[number % len(MARKERS)]
        rows = data[data["reranker"] == reranker].sort_values("documents")  # online first
        modes = rows[rows["withheld"] == ""]
        why = "; ".join(rows.loc[rows["withheld"] != "", "withheld"].unique())
        label = f"{rows['label'].iloc[0]}" + (f" ({why})" if why else "")
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
    return Drawing(f"frontier-{name}", title, figure, data)


def _qualities_and_times(results: Results, name: str) -> pd.DataFrame:
    """Return a row for each system and mode, in the configuration's order; quality is x 100.

    ``withheld`` says why a time cannot be compared with the others', and is empty where it can.
    """
    import pandas as pd

    latency = results.latency(name)
    rows = []
    ratios = speed_ups(latency, seed=results.configuration.seed)
    for (key, timing), ratio in zip(measurements(results, name), ratios, strict=True):
        queries, quality, low, high = results.headline(key)
        label = full_name(results.configuration, key[2])
        seconds, withheld = (
            statistics.median(latency.seconds(timing)),
            "" if isinstance(ratio, Ratio) else ratio,
        )
        rows.append((key[2], label, timing.mode, seconds, withheld, queries, quality, low, high))
    columns = [
        "reranker",
        "label",
        "documents",
        "p50_seconds",
        "withheld",
        "queries",
        "ndcg10",
        "low",
        "high",
    ]
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
