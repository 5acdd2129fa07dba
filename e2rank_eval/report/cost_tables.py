"""The table of what a query costs: operations, the device's share, the tokeniser's, batches, price."""

from __future__ import annotations

from e2rank_eval.config import Configuration
from e2rank_eval.models.registry import Prices, prices_of
from e2rank_eval.report.collect import Results
from e2rank_eval.report.latency_tables import (
    MODE_LABELS,
    conditions,
    has_documents,
    measurements,
    system_cell,
    title,
)
from e2rank_eval.report.table import Cell, Column, Kind, Table
from e2rank_eval.store.results import Latency, Mode

_COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("system", "text"), ("document vectors", "text"), ("samples", "count"), ("GFLOP per query", "number"),
    ("GFLOP/s", "number"), ("% of peak", "number"), ("tokenising %", "number"),
    ("queries/s", "rate"), ("best batch", "count"), ("queries/s in it", "rate"),
    ("price of 1,000 queries", "text"),
)  # fmt: skip

_ESTIMATE = (
    "GFLOP: an estimate from the model's configuration, 2 per weight and token and 4 per unit of attention "
    "width, token and position (arXiv 2204.02311, appendix B), sequences of one query at their mean length. "
    "Peak: the rate of a square matrix product, measured in the same process before the queries."
)
_TOKENISING = "Tokenising: its share of the total, where the suite itself calls the tokenizer."
_PRICE = "Price: by the prices per million tokens that the model's entry states, no discount for cached ones."


def cost_table(results: Results, name: str) -> Table:
    """Systems and modes of latency entry ``name``; what could not be told or was not swept is left open."""
    rows, priced = [], False
    for key, mode_name, mode in measurements(results, name):
        latency = results.latency(key)
        prices = _prices(results.configuration, key[2])
        priced = priced or prices is not None
        size, rate = _best_batch(latency, mode_name)
        rows.append(
            (
                system_cell(results, key[2]),
                Cell(MODE_LABELS[mode_name] if has_documents(results, key) else None),
                Cell(mode.samples),
                Cell(_scaled(mode.flops, 1e-9)),
                Cell(_scaled(mode.flops, 1e-9 / mode.mean)),
                Cell(_scaled(mode.peak_share, 100)),
                Cell(_scaled(mode.tokenising, 100)),
                Cell(mode.queries_per_second),
                Cell(size),
                Cell(rate),
                Cell(_price(prices, mode)),
            )
        )
    entry = results.configuration.latency[name]
    latencies = [results.latency((entry.dataset, entry.first_stage, r)) for r in entry.rerankers]
    notes = (_ESTIMATE, _TOKENISING, *([_PRICE] if priced else []), *conditions(latencies))
    columns = tuple(Column(heading, kind) for heading, kind in _COLUMNS)
    return Table(
        f"latency-{name}-cost", f"{title(results, name)}: what a query costs", columns, tuple(rows), notes
    )


def _prices(configuration: Configuration, reranker: str) -> Prices | None:
    return prices_of(getattr(configuration.rerankers[reranker], "model", None))


def _price(prices: Prices | None, mode: Mode) -> str | None:
    if prices is None:
        return None
    return f"{1000 * prices.of(mode.prompt_tokens, mode.output_tokens):.4g} {prices.currency}"


def _best_batch(latency: Latency, mode: str) -> tuple[int | None, float | None]:
    """The number of queries ranked together at which most are answered per second, and how many."""
    points = [point for point in latency.sweep if point.axis == "batch" and point.mode == mode]
    if not points:
        return None, None
    best = max(points, key=lambda point: point.queries_per_second)
    return best.value, best.queries_per_second


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
