"""Quality against latency: nDCG@10 with its interval over the median seconds per query."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import Bbox

from e2rank_eval.report.collect import HEADLINE, Results
from e2rank_eval.report.figure_style import MUTED, PAPER, Drawing, colour, new_figure
from e2rank_eval.report.label_placement import Label, place_labels
from e2rank_eval.report.latency_tables import measurements
from e2rank_eval.report.names import first_stage_label, full_name
from e2rank_eval.store.results import Interval


@dataclass(frozen=True, slots=True)
class _System:
    """``modes[mode]`` is the median in seconds; quality is x 100."""

    reranker: str
    name: str
    colour: str
    quality: float
    interval: Interval
    queries: int
    modes: dict[str, float]

    @property
    def online(self) -> float:
        return self.modes.get("online", min(self.modes.values()))


def draw_frontier(results: Results, name: str) -> Drawing:
    """The figure of latency entry ``name``; filled: documents encoded online, hollow: vectors stored."""
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
    left = axes.get_xlim()[0]
    placed = _obstacles(axes, systems, reference)
    place_labels(axes, [*labels, Label(f"{stage} as it is", left, reference)], placed)
    figure.set_layout_engine("none")
    return Drawing(
        id=f"frontier-{name}",
        title=title,
        description=_describe(systems, reference, stage),
        figure=figure,
        columns=("reranker", "label", "documents", "p50_seconds", "queries", "ndcg10", "low", "high"),
        rows=tuple(
            (s.reranker, s.name, mode, seconds, s.queries, s.quality, *s.interval)
            for s in systems
            for mode, seconds in s.modes.items()
        ),
    )


def _systems(results: Results, name: str) -> list[_System]:
    modes: dict[tuple[str, str, str], dict[str, float]] = {}
    for key, mode_name, mode in measurements(results, name):
        modes.setdefault(key, {})[mode_name] = mode.median
    found = []
    for key, medians in modes.items():
        metrics = results.metrics(key)
        low, high = metrics.interval[HEADLINE]
        found.append(
            _System(
                reranker=key[2],
                name=full_name(results.configuration, key[2]),
                colour=colour(results.configuration.rerankers[key[2]]),
                quality=100 * metrics.mean[HEADLINE],
                interval=(100 * low, 100 * high),
                queries=metrics.queries.qrels,
                modes=medians,
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
    axes.xaxis.set_major_locator(FixedLocator(time_ticks(low, high)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: time_text(seconds)))
    ends = [reference, *(end for system in systems for end in system.interval)]
    margin = max(1.0, 0.08 * (max(ends) - min(ends)))
    axes.set_ylim(min(ends) - margin, max(ends) + margin)
    axes.set_xlabel("median time per query (log scale), faster to the left")
    axes.set_ylabel(f"{HEADLINE} × 100, 95 % interval")


def time_ticks(low: float, high: float) -> list[float]:
    """Round times between ``low`` and ``high`` seconds: 1, 2, 5 of each decade, or 1 where these are many.

    >>> time_ticks(0.4, 12)
    [0.5, 1.0, 2.0, 5.0, 10.0]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{step}e{decade}") for decade in decades for step in (1, 2, 5)]
    within = [tick for tick in ticks if low <= tick <= high]
    return within if len(within) <= 9 else [tick for tick in within if f"{tick:e}".startswith("1")]


def time_text(seconds: float) -> str:
    """
    >>> time_text(0.02), time_text(1.0), time_text(0.0005)
    ('20 ms', '1 s', '0.5 ms')
    """
    return f"{seconds:g} s" if seconds >= 1 else f"{1000 * seconds:g} ms"


def mark_id(reranker: str, mode: str) -> str:
    """The id of a system's mark in the SVG, so that a page can make it live."""
    return f"mark-{reranker}-{mode}"


def _draw(axes: Axes, system: _System) -> None:
    ends = sorted(system.modes.values())
    if len(ends) > 1:
        axes.plot(ends, [system.quality] * len(ends), color=system.colour, lw=1, ls=(0, (1, 2)), zorder=2)
    axes.vlines(system.online, *system.interval, color=system.colour, lw=1.4, alpha=0.55, zorder=2)
    for mode, seconds in system.modes.items():
        face = system.colour if mode == "online" else PAPER
        axes.plot([seconds], [system.quality], "o", ms=7, mec=system.colour, mfc=face, mew=1.5, zorder=3,
                  gid=mark_id(system.reranker, mode))  # fmt: skip


def _obstacles(axes: Axes, systems: Sequence[_System], reference: float) -> list[Bbox]:
    """Boxes, in display coordinates, of markers, intervals, the lines between modes and the reference."""

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


def _describe(systems: Sequence[_System], reference: float, stage: str) -> str:
    parts = [
        f"{s.name}: {s.quality:.1f} at "
        + " and ".join(f"{time_text(float(f'{t:.3g}'))} ({m})" for m, t in s.modes.items())
        for s in systems
    ]
    return (
        f"{HEADLINE} × 100 and median time per query. {'; '.join(parts)}. {stage} as it is: {reference:.1f}."
    )
