"""Rows of a table whose values fit its columns better in another order than in the printed one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from e2rank_eval.paper.findings import Finding
from e2rank_eval.paper.quantities import Row, Tables

CHANCE = 0.01
"""A row as near to the others as this share of random orders of its values is not in doubt."""
GAIN = 0.5
"""A row is named where another order lies at most this share of the printed distance away."""
FEWEST_SYSTEMS = 6
ORDERS = 50_000
"""Random orders that are drawn where there are more than this many in all."""

Array = NDArray[np.float64]


def check_columns(tables: Tables) -> Iterator[Finding]:
    """Rows whose values look permuted.

    Collections differ in difficulty for every system alike. So a row's distance is the sum over
    columns of |value - median of the other systems in that column|, and a row is named when both
    hold: more than ``CHANCE`` of all orders of its values lie as near as the printed order (a
    randomisation test that the printed order fails), and the best order lies at most ``GAIN`` times
    as far away as the printed one. Rows of one table that are named are taken to share one order:
    the one with the least summed distance to the systems that are not named.
    """
    for table, meaning in tables.structure.tables.items():
        if meaning.profile is None:
            continue
        columns = list(tables.structure.parts[meaning.profile])
        rows = [row for row in tables.of_table(table) if len(row.cells.keys() & set(columns)) > 2]
        if len(rows) < FEWEST_SYSTEMS:
            continue
        named = [row for row in rows if _looks_permuted(row, rows, columns)]
        if named:
            yield from _findings(table, named, [row for row in rows if row not in named], columns)


def _looks_permuted(row: Row, rows: Sequence[Row], columns: Sequence[str]) -> bool:
    own = [column for column in columns if column in row.cells]
    values = _values(row, own)
    medians = _medians([other for other in rows if other is not row], own)
    distance = np.abs(values - medians).sum()
    best = _best(np.abs(values[:, None] - medians[None, :]))
    if np.abs(values - medians[best]).sum() > GAIN * distance:
        return False
    nearer = np.abs(values[_orders(len(values))] - medians).sum(axis=1) <= distance * (1 + 1e-12)
    return float(nearer.mean()) > CHANCE


@cache
def _orders(count: int) -> NDArray[np.int64]:
    """All orders of ``count`` things, or a seeded sample where there are too many."""
    if factorial(count) <= ORDERS:
        return np.array(list(permutations(range(count))))
    return np.random.default_rng(13).permuted(np.tile(np.arange(count), (ORDERS, 1)), axis=1)


def _best(costs: Array) -> NDArray[np.int64]:
    """For each value, the column that it goes to in the assignment of least cost."""
    return np.asarray(linear_sum_assignment(costs)[1], dtype=np.int64)


def _values(row: Row, columns: Sequence[str]) -> Array:
    return np.array([row.cells[column].value for column in columns])


def _medians(rows: Sequence[Row], columns: Sequence[str]) -> Array:
    return np.array([np.median([r.cells[c].value for r in rows if c in r.cells]) for c in columns])


def _findings(
    table: str, named: Sequence[Row], others: Sequence[Row], columns: Sequence[str]
) -> Iterator[Finding]:
    common = [column for column in columns if all(column in row.cells for row in named)]
    medians = _medians(others, common)
    costs = np.sum([np.abs(_values(row, common)[:, None] - medians[None, :]) for row in named], axis=0)
    order = _best(costs)
    for row in named:
        values = _values(row, common)
        before, after = np.abs(values - medians).mean(), np.abs(values - medians[order]).mean()
        moved = {column: common[to] for column, to in zip(common, order, strict=True) if common[to] != column}
        printed = ", ".join(f"{column} {row.cells[column].printed}" for column in moved)
        read = ", ".join(f"{to} {row.cells[column].printed}" for column, to in moved.items())
        shared = f" One order was sought for all {len(named)} such rows." if len(named) > 1 else ""
        wording = (
            f"Table {table}, {row.system}: the values look permuted. As printed ({printed}) they lie "
            f"{before:.1f} points from the medians of the other systems on average; read as {read}, "
            f"{after:.1f} points.{shared}"
        )
        yield Finding("permuted-columns", (table,), row.system, ", ".join(moved), printed, read, wording)
