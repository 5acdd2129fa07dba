"""Quality against latency: nDCG@10 with its interval over the median seconds per query."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration
from e2rank_eval.report.drawing import MUTED, PAPER, Drawing, new_figure, time_axis
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.latencies import latency_files, measurements
from e2rank_eval.report.names import HEADLINE, first_stage_label, full_name
from e2rank_eval.report.outputs import first_stage_files, run_files
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

    from e2rank_eval.report.collect import Results


@dataclass(frozen=True, slots=True)
class _System:
    """``modes[mode]`` is the median in seconds; quality is x 100."""

    reranker: str
    name: str
    colour: str
    quality: float
    interval: tuple[float, float]
    queries: int
    modes: dict[str, float]

    @property
    def online(self) -> float:
        return self.modes.get("online", min(self.modes.values()))


def _inputs(configuration: Configuration, name: str) -> Iterator[str]:
    entry = configuration.latency[name]
    yield from latency_files(configuration, name)
    yield from run_files(places.METRICS, [entry.dataset], entry.first_stage, entry.rerankers)
    yield from first_stage_files([entry.dataset], entry.first_stage)


@FIGURES.register("frontier", "latency", "frontier-{}", _inputs)
def draw_frontier(results: Results, name: str) -> Drawing:
    """Up is better, left is faster. Filled: documents encoded online; hollow: document vectors stored. Bars
    are the 95 % interval of nDCG@10; the dashed line is the first stage, no reranking.
    """
    from e2rank_eval.report.label_placement import Label, place_labels

    entry = results.configuration.latency[name]
    systems = _systems(results, name)
    values = list(results.first_stage(entry.dataset, entry.first_stage).values())
    reference = 100 * math.fsum(values) / len(values)
    stage = first_stage_label(results.configuration, entry.first_stage)
    title = f"Quality against latency on {entry.dataset} ({len(values)} queries, candidates: {stage})"
    figure = new_figure(7.2, 4.4, title)
    axes = figure.subplots()
    _set_axes(axes, systems, reference)
    axes.axhline(reference, color=MUTED, lw=0.9, ls=(0, (4, 3)), zorder=1)
    for system in systems:
        _draw(axes, system)
    if any("stored" in system.modes for system in systems):
        key = "● documents encoded online   ○ document vectors stored"
        axes.annotate(key, (1, 1), xytext=(0, 4), xycoords="axes fraction", textcoords="offset points",
                      ha="right", va="bottom", fontsize=8, color=MUTED)  # fmt: skip
    figure.draw_without_rendering()
    labels = [Label(system.name, system.online, system.quality) for system in systems]
    labels.append(Label(f"{stage}, no reranking", axes.get_xlim()[0], reference))
    place_labels(axes, labels, _obstacles(axes, systems, reference))
    figure.set_layout_engine("none")
    return Drawing(
        id=f"frontier-{name}",
        title=title,
        figure=figure,
        columns=("reranker", "label", "documents", "p50_seconds", "queries", "ndcg10", "low", "high"),
        rows=tuple(
            (s.reranker, s.name, mode, seconds, s.queries, s.quality, *s.interval)
            for s in systems
            for mode, seconds in s.modes.items()
        ),
    )


def _systems(results: Results, name: str) -> list[_System]:
    medians: dict[tuple[str, str, str], dict[str, float]] = {}
    for key, mode_name, mode in measurements(results, name):
        medians.setdefault(key, {})[mode_name] = mode.median
    found = []
    for key, modes in medians.items():
        metrics = results.metrics(key)
        low, high = metrics.interval[HEADLINE]
        found.append(
            _System(
                reranker=key[2],
                name=full_name(results.configuration, key[2]),
                colour=results.configuration.rerankers[key[2]].colour,
                quality=100 * metrics.mean[HEADLINE],
                interval=(100 * low, 100 * high),
                queries=metrics.queries.qrels,
                modes=modes,
            )
        )
    return found


def _set_axes(axes: Axes, systems: Sequence[_System], reference: float) -> None:
    times = [seconds for system in systems for seconds in system.modes.values()]
    low, high = min(times) / 1.6, max(times) * 1.6
    middle = math.sqrt(low * high)
    low, high = min(low, middle / 4), max(high, middle * 4)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    time_axis(axes.xaxis, low, high)
    ends = [reference, *(end for system in systems for end in system.interval)]
    margin = max(1.0, 0.08 * (max(ends) - min(ends)))
    axes.set_ylim(min(ends) - margin, max(ends) + margin)
    axes.set_xlabel("median time per query (log scale), faster to the left")
    axes.set_ylabel(f"{HEADLINE} × 100, 95 % interval")


def _draw(axes: Axes, system: _System) -> None:
    ends = sorted(system.modes.values())
    if len(ends) > 1:
        axes.plot(ends, [system.quality] * len(ends), color=system.colour, lw=1, ls=(0, (1, 2)), zorder=2)
    axes.vlines(system.online, *system.interval, color=system.colour, lw=1.4, alpha=0.55, zorder=2)
    for mode, seconds in system.modes.items():
        face = system.colour if mode == "online" else PAPER
        axes.plot([seconds], [system.quality], "o", ms=7, mec=system.colour, mfc=face, mew=1.5, zorder=3)


def _obstacles(axes: Axes, systems: Sequence[_System], reference: float) -> list[Bbox]:
    """Return boxes, in display coordinates, of what no label may cover: marks, intervals, the reference."""
    from matplotlib.transforms import Bbox

    def box(x0: float, y0: float, x1: float, y1: float, pad: float) -> Bbox:
        return Bbox(axes.transData.transform([(x0, y0), (x1, y1)])).padded(pad)

    left, right = axes.get_xlim()
    found = [box(left, reference, right, reference, 1)]
    for system in systems:
        times = sorted(system.modes.values())
        found.append(box(times[0], system.quality, times[-1], system.quality, 1))
        found.append(box(system.online, system.interval[0], system.online, system.interval[1], 2))
        found += [box(seconds, system.quality, seconds, system.quality, 6) for seconds in times]
    return found
