"""The matrix: every system on every collection, tinted by how high it lies, and what reranking changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from e2rank_eval.report.collect import HEADLINE, Results, RunKey
from e2rank_eval.report.latency_tables import system_cell
from e2rank_eval.report.names import first_stage_label
from e2rank_eval.report.page import Page
from e2rank_eval.report.table import Cell, Column, Kind, Link, Table, ranked

Value = Callable[[RunKey], Cell]


def matrix_page(results: Results) -> Iterator[Page]:
    """One page with two matrices, which its script filters by words and by collection."""
    tables = [score_matrix(results), change_matrix(results)]
    context = {
        "tables": zip(tables, ("Means over all judged queries", "Reranked minus first stage"), strict=True),
        "datasets": _datasets(results),
    }
    yield Page("matrix.html", "matrix.html", context, ("filter.js",))


def score_matrix(results: Results) -> Table:
    """nDCG@10 x 100 by system and collection; a column's lowest value is cold and its highest hot."""

    def value(key: RunKey) -> Cell:
        metrics = results.metrics(key)
        low, high = metrics.interval[HEADLINE]
        return Cell(100 * metrics.mean[HEADLINE], (100 * low, 100 * high), link=Link(run=key))

    table = _matrix(results, "matrix", f"{HEADLINE} × 100", "score", value)
    notes = (
        "In brackets the bootstrap 95 % interval. The tint goes from a column's lowest value to its highest. "
        "Bold: best on the same candidates; underlined: second best.",
    )
    return ranked(replace(_tinted(table, _share_of_range), notes=notes))


def change_matrix(results: Results) -> Table:
    """The change of nDCG@10 x 100 against the candidates as the first stage ordered them."""

    def value(key: RunKey) -> Cell:
        before = results.first_stage(key[0], key[1])
        change = results.metrics(key).mean[HEADLINE] - math.fsum(before.values()) / len(before)
        # What is left of two sums of the same values is no change, and would print as -0.00.
        return Cell(100 * round(change, 12) + 0.0, link=Link(run=key))

    table = _matrix(results, "matrix-change", f"Change of {HEADLINE} × 100 by reranking", "difference", value)
    notes = ("Against the same candidates in the first stage's order. Tests are with the comparisons.",)
    return replace(_tinted(table, _share_of_largest), notes=notes)


def _datasets(results: Results) -> list[str]:
    return list(dict.fromkeys(key[0] for key in results.run_keys()))


def _matrix(results: Results, identifier: str, title: str, kind: Kind, value: Value) -> Table:
    configuration, runs = results.configuration, set(results.run_keys())
    pairs = dict.fromkeys((stage, reranker) for _, stage, reranker in results.run_keys())
    systems = sorted(pairs, key=lambda pair: list(configuration.first_stages).index(pair[0]))
    rows = []
    for stage, reranker in systems:
        keys = [(dataset, stage, reranker) for dataset in _datasets(results)]
        cells = [value(key) if key in runs else Cell(None) for key in keys]
        rows.append((system_cell(results, reranker), Cell(first_stage_label(configuration, stage)), *cells))
    columns = [Column("system", "text"), Column("first stage", "text")]
    for dataset in _datasets(results):
        queries = next(results.metrics(key).queries.qrels for key in results.run_keys() if key[0] == dataset)
        columns.append(Column(dataset, kind, queries, ranked=kind == "score"))
    return Table(identifier, title, tuple(columns), tuple(rows), groups=tuple(stage for stage, _ in systems))


def _tinted(table: Table, share: Callable[[float, list[float]], float]) -> Table:
    """The table with every number's heat, by ``share`` of its column's values."""
    columns = list(zip(*table.rows, strict=True))
    numbers = [[cell.value for cell in column if isinstance(cell.value, float)] for column in columns]
    rows = tuple(
        tuple(
            replace(cell, heat=share(cell.value, of)) if isinstance(cell.value, float) else cell
            for cell, of in zip(row, numbers, strict=True)
        )
        for row in table.rows
    )
    return replace(table, rows=rows)


def _share_of_range(value: float, values: list[float]) -> float:
    low, high = min(values), max(values)
    return (value - low) / (high - low) if high > low else 0.0


def _share_of_largest(value: float, values: list[float]) -> float:
    largest = max(abs(other) for other in values)
    return value / largest if largest else 0.0
