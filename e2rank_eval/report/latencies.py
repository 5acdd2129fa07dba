"""What tables, figures and pages of latency share: the timed runs of an entry, and how they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration
from e2rank_eval.report.names import UNTRAINED, UNTRAINED_NOTE, full_name, is_untrained, label
from e2rank_eval.report.outputs import RunKey, run_files
from e2rank_eval.report.table import Cell
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    from e2rank_eval.report.collect import Results
    from e2rank_eval.store.results import Latency, Mode

MODE_LABELS = {"online": "encoded online", "stored": "stored"}
"""How a reader meets the modes: what happens to document vectors while the clock runs."""


def latency_files(configuration: Configuration, name: str) -> Iterable[str]:
    """Return the stored times of latency entry ``name``, as paths below the results folder."""
    entry = configuration.latency[name]
    return run_files(places.LATENCY, [entry.dataset], entry.first_stage, entry.rerankers)


def latencies(results: Results, name: str) -> dict[RunKey, Latency]:
    """Return the times of latency entry ``name`` by run, in the configuration's order."""
    entry = results.configuration.latency[name]
    keys = [(entry.dataset, entry.first_stage, reranker) for reranker in entry.rerankers]
    return {key: results.latency(key) for key in keys}


def measurements(results: Results, name: str) -> Iterator[tuple[RunKey, str, Mode]]:
    """Yield (run, mode, times) of a latency entry, in the configuration's order."""
    for key, latency in latencies(results, name).items():
        for mode_name, mode in latency.modes.items():
            yield key, mode_name, mode


def measured_name(results: Results, key: RunKey, mode: str) -> str:
    """Return the system's name, with its mode where it has documents to encode."""
    name = full_name(results.configuration, key[2])
    shown = mode_label(results, key, mode)
    return f"{name} ({shown})" if shown else name


def mode_label(results: Results, key: RunKey, mode: str) -> str | None:
    """Return the mode's label; None where the system encodes no documents by themselves."""
    modes = results.latency(key).modes
    encodes = "stored" in modes or any("documents" in one.seconds for one in modes.values())
    return MODE_LABELS[mode] if encodes else None


def system_cell(results: Results, reranker: str) -> Cell:
    """Return the system's name as a cell, tagged where its model is untrained."""
    tags = (UNTRAINED,) if is_untrained(results.configuration, reranker) else ()
    return Cell(label(results.configuration, reranker), tags=tags)


def conditions(latencies: Iterable[Latency]) -> list[str]:
    """Return notes on device and threads, and on whatever limits what the times may be used for."""
    devices: dict[str, None] = {}
    labels: dict[str, None] = {}
    for one in latencies:
        devices[f"{one.device}, {one.threads} threads"] = None
        labels |= dict.fromkeys(one.labels)
    found = [f"Measured on {'; '.join(devices)}."] if devices else []
    return found + ([f"Conditions: {'; '.join(labels)}."] if labels else [])


def latency_notes(results: Results, name: str) -> list[str]:
    """Return the notes that every table of times of latency entry ``name`` carries."""
    notes = conditions(latencies(results, name).values())
    measured = list(measurements(results, name))
    if any(None in mode.percentiles["total"].values() for _, _, mode in measured):
        notes.append("p90 is given from 20 samples on, p99 from 100.")
    unsettled = [measured_name(results, key, mode) for key, mode, one in measured if not one.warm_up_agreed]
    if unsettled:
        notes.append(f"Warm-up runs did not agree within 10 % for {', '.join(unsettled)}.")
    if any(is_untrained(results.configuration, key[2]) for key, _, _ in measured):
        notes.append(UNTRAINED_NOTE)
    return notes
