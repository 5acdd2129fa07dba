"""Tables of one latency entry: times in full, where the time goes by phase, and what a query costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from e2rank_eval.models.references import Catalogue
from e2rank_eval.report.latencies import (
    conditions,
    latencies,
    latency_files,
    latency_notes,
    measured_name,
    measurements,
    mode_label,
    system_cell,
)
from e2rank_eval.report.names import first_stage_label, run_page
from e2rank_eval.report.outputs import RunKey
from e2rank_eval.report.table import Cell, Column, Kind, Table
from e2rank_eval.report.tables import TABLES

if TYPE_CHECKING:
    from e2rank_eval.report.collect import Results
    from e2rank_eval.store.results import Latency, Mode

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
        mean = Cell(1000 * mode.mean, (1000 * low, 1000 * high), link=run_page(key))
        percentiles = [_milliseconds(mode.percentiles["total"][p], key) for p in ("p50", "p90", "p99")]
        tokens = (mode.prompt_tokens, mode.document_tokens, mode.output_tokens)
        memory = None if mode.peak_memory_bytes is None else mode.peak_memory_bytes / 1e6
        rates = (mode.queries_per_second, slowest.median / mode.median)
        rows.append(
            (
                *_system(results, key, mode_name, mode),
                *percentiles,
                mean,
                *rates,
                mode.candidates,
                *tokens,
                memory,
            )
        )
    notes = [
        "One query at a time. In brackets the bootstrap 95 % interval of the mean. Tokens: means per query.",
        f"Speed-up: of the median, over {measured_name(results, slowest_key, slowest_mode)}.",
        *latency_notes(results, name),
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
        *latency_notes(results, name),
    )
    return Table.of(f"latency-{name}-phases", f"{_title(results, name)}, by phase", columns, rows, notes)


@TABLES.register("latency-cost", "latency", "latency-{}-cost", latency_files)
def cost_table(results: Results, name: str) -> Table:
    """What a query costs: estimated floating-point operations and their share of the device's measured rate,
    the tokenizer's share of the time, queries per second one at a time and in the best batch, and the price
    where a server charges one.
    """
    rows, priced = [], False
    catalogue = Catalogue.of(results.configuration)
    for key, mode_name, mode in measurements(results, name):
        prices = catalogue.prices(getattr(results.configuration.rerankers[key[2]], "model", None))
        priced = priced or prices is not None
        price = None
        if prices is not None:
            amount = 1000 * prices.of(mode.prompt_tokens, mode.output_tokens)
            price = f"{amount:.4g} {prices.currency}"
        rows.append(
            (
                *_system(results, key, mode_name, mode),
                _scaled(mode.flops, 1e-9), _scaled(mode.flops, 1e-9 / mode.mean),
                _scaled(mode.peak_share, 100), _scaled(mode.tokenising, 100), mode.queries_per_second,
                *_best_batch(results.latency(key), mode_name), price,
            )
        )  # fmt: skip
    notes = (*_COST_NOTES, *([_PRICE] if priced else []), *conditions(latencies(results, name).values()))
    title = f"{_title(results, name)}: what a query costs"
    return Table.of(f"latency-{name}-cost", title, (*_SYSTEM, *_COSTS), rows, notes)


def _title(results: Results, name: str) -> str:
    entry = results.configuration.latency[name]
    depth = results.configuration.depth_of(entry.first_stage)
    stage = first_stage_label(results.configuration, entry.first_stage)
    return f"Latency of reranking on {entry.dataset}, candidates: {stage}, {depth} per query"


def _system(results: Results, key: RunKey, mode_name: str, mode: Mode) -> tuple[Cell, str | None, int]:
    return system_cell(results, key[2]), mode_label(results, key, mode_name), mode.samples


def _milliseconds(seconds: float | None, key: RunKey) -> Cell:
    return Cell(_scaled(seconds, 1000), link=run_page(key))


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _best_batch(latency: Latency, mode: str) -> tuple[int | None, float | None]:
    """Return the number of queries ranked together at which most are answered per second, and how many."""
    points = [point for point in latency.sweep if point.axis == "batch" and point.mode == mode]
    best = max(points, key=lambda point: point.queries_per_second, default=None)
    return (best.value, best.queries_per_second) if best else (None, None)
