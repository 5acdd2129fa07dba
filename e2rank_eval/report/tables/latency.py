"""Tables of one latency entry: times in full, where the time goes by phase, and what a query costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration
from e2rank_eval.models.references import Catalogue
from e2rank_eval.report.names import (
    UNTRAINED_NOTE,
    RunKey,
    first_stage_label,
    full_name,
    is_untrained,
    run_page,
    system_cell,
)
from e2rank_eval.report.outputs import run_files
from e2rank_eval.report.table import Cell, Column, Kind, Table
from e2rank_eval.report.tables import TABLES
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    from e2rank_eval.report.collect import Results
    from e2rank_eval.store.results import Latency, Mode

MODE_LABELS = {"online": "encoded online", "stored": "stored"}
"""How a reader meets the modes: what happens to document vectors while the clock runs."""

_SYSTEM: tuple[Column, ...] = (Column("system"), Column("document vectors"), Column("samples", "count"))

_TIMES: tuple[tuple[str, Kind], ...] = (
    ("p50 ms", "milliseconds"), ("p90 ms", "milliseconds"), ("p99 ms", "milliseconds"),
    ("mean ms", "milliseconds"), ("queries/s", "rate"), ("speed-up", "ratio"), ("candidates", "count"),
    ("prompt tokens", "count"), ("document tokens", "count"), ("output tokens", "count"),
    ("peak MB", "megabytes"),
)  # fmt: skip

_COSTS: tuple[tuple[str, Kind], ...] = (
    ("GFLOP per query", "number"), ("GFLOP/s", "number"), ("% of peak", "number"), ("tokenising %", "number"),
    ("queries/s", "rate"), ("best batch", "count"), ("queries/s in it", "rate"),
    ("price of 1,000 queries", "text"),
)  # fmt: skip

_COST_NOTES = (
    "GFLOP: an estimate from the model's configuration, 2 per weight and token and 4 per unit of attention "
    "width, token and position (arXiv 2204.02311, appendix B), sequences of one query at their mean length. "
    "Peak: the rate of a square matrix product, measured in the same process before the queries.",
    "Tokenising: its share of the total, where the suite itself calls the tokenizer.",
)
_PRICE = "Price: by the prices per million tokens that the model's entry states, no discount for cached ones."


def latency_files(configuration: Configuration, name: str) -> Iterable[str]:
    """Return the stored times of latency entry ``name``, as paths below the results folder."""
    entry = configuration.latency[name]
    return run_files(places.LATENCY, [entry.dataset], entry.first_stage, entry.rerankers)


@TABLES.register("latency", "latency", "latency-{}", latency_files)
def latency_table(results: Results, name: str) -> Table:
    """Milliseconds per query, one query at a time, alone on the machine, after a warm-up. E2Rank and its kin
    appear twice: with the documents encoded online, and with stored document vectors.
    """
    measured = list(measurements(results, name))
    slowest_key, slowest_mode, slowest = max(measured, key=lambda one: one[2].median)
    rows = []
    for key, mode_name, mode in measured:
        low, high = mode.interval
        rows.append(
            (
                *_system(results, key, mode_name, mode),
                *(_milliseconds(mode.percentiles["total"][p], key) for p in ("p50", "p90", "p99")),
                Cell(1000 * mode.mean, (1000 * low, 1000 * high), link=run_page(key)),
                mode.queries_per_second, slowest.median / mode.median, mode.candidates,
                mode.prompt_tokens, mode.document_tokens, mode.output_tokens,
                _scaled(mode.peak_memory_bytes, 1e-6),
            )
        )  # fmt: skip
    notes = [
        "One query at a time. In brackets the bootstrap 95 % interval of the mean. Tokens: means per query.",
        f"Speed-up: of the median, over {measured_name(results, slowest_key, slowest_mode)}.",
        *_notes(results, name),
    ]
    return Table.of(f"latency-{name}", _title(results, name), (*_SYSTEM, *_TIMES), rows, notes)


@TABLES.register("latency-phases", "latency", "latency-{}-phases", latency_files)
def phases_table(results: Results, name: str) -> Table:
    """Median milliseconds per query by phase: encoding documents, embedding the prompt, scoring."""
    measured = list(measurements(results, name))
    phases = list(dict.fromkeys(p for _, _, mode in measured for p in mode.percentiles if p != "total"))
    rows = [
        (
            *_system(results, key, mode_name, mode),
            *(_milliseconds(mode.percentiles.get(p, {}).get("p50"), key) for p in (*phases, "total")),
            1000 * results.latency(key).load_seconds,
        )
        for key, mode_name, mode in measured
    ]
    headings = [*(f"{phase} p50 ms" for phase in (*phases, "total")), "model load ms"]
    columns = (*_SYSTEM, *(Column(heading, "milliseconds") for heading in headings))
    notes = (
        "Medians of phases need not add up to that of the total. Loading the model is in no other column.",
        *_notes(results, name),
    )
    return Table.of(f"latency-{name}-phases", f"{_title(results, name)}, by phase", columns, rows, notes)


@TABLES.register("latency-cost", "latency", "latency-{}-cost", latency_files)
def cost_table(results: Results, name: str) -> Table:
    """What a query costs: estimated floating-point operations and their share of the device's measured rate,
    the tokenizer's share of the time, queries per second one at a time and in the best batch, and the price
    where a server charges one.
    """
    rows, catalogue = [], Catalogue.of(results.configuration)
    for key, mode_name, mode in measurements(results, name):
        price = None
        if prices := catalogue.prices(getattr(results.configuration.rerankers[key[2]], "model", None)):
            amount = 1000 * prices.of(mode.prompt_tokens, mode.output_tokens)
            price = f"{amount:.4g} {prices.currency}"
        batches = [p for p in results.latency(key).sweep if (p.axis, p.mode) == ("batch", mode_name)]
        best = max(batches, key=lambda point: point.queries_per_second, default=None)
        in_best = (best.value, best.queries_per_second) if best else (None, None)
        rows.append(
            (
                *_system(results, key, mode_name, mode),
                _scaled(mode.flops, 1e-9), _scaled(mode.flops, 1e-9 / mode.mean),
                _scaled(mode.peak_share, 100), _scaled(mode.tokenising, 100), mode.queries_per_second,
                *in_best, price,
            )
        )  # fmt: skip
    priced = [_PRICE] if any(row[-1] for row in rows) else []
    notes = (*_COST_NOTES, *priced, *conditions(latencies(results, name).values()))
    title = f"{_title(results, name)}: what a query costs"
    return Table.of(f"latency-{name}-cost", title, (*_SYSTEM, *_COSTS), rows, notes)


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
    name, shown = full_name(results.configuration, key[2]), _mode_label(results, key, mode)
    return f"{name} ({shown})" if shown else name


def conditions(latencies: Iterable[Latency]) -> list[str]:
    """Return notes on device and threads, and on whatever limits what the times may be used for."""
    stored = list(latencies)
    devices = dict.fromkeys(f"{one.device}, {one.threads} threads" for one in stored)
    labels = dict.fromkeys(text for one in stored for text in one.labels)
    found = [f"Measured on {'; '.join(devices)}."] if devices else []
    return found + ([f"Conditions: {'; '.join(labels)}."] if labels else [])


def _notes(results: Results, name: str) -> list[str]:
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


def _title(results: Results, name: str) -> str:
    entry = results.configuration.latency[name]
    depth = results.configuration.depth_of(entry.first_stage)
    stage = first_stage_label(results.configuration, entry.first_stage)
    return f"Latency of reranking on {entry.dataset}, candidates: {stage}, {depth} per query"


def _mode_label(results: Results, key: RunKey, mode: str) -> str | None:
    """Return the mode's label; None where the system encodes no documents by themselves."""
    modes = results.latency(key).modes
    encodes = "stored" in modes or any("documents" in one.seconds for one in modes.values())
    return MODE_LABELS[mode] if encodes else None


def _system(results: Results, key: RunKey, mode_name: str, mode: Mode) -> tuple[Cell, str | None, int]:
    shown = system_cell(results.configuration, key[2])
    return shown, _mode_label(results, key, mode_name), mode.samples


def _milliseconds(seconds: float | None, key: RunKey) -> Cell:
    return Cell(_scaled(seconds, 1000), link=run_page(key))


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
