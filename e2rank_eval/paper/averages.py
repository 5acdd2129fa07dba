"""Every printed average and sum, recomputed from its parts with the exact bound that rounding sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from e2rank_eval.paper.findings import Finding
from e2rank_eval.paper.quantities import Row, Tables
from e2rank_eval.paper.rounding import one_digit_changes, shown, weighted_mean

Parts = list[tuple[Row, str]]


def check_averages(tables: Tables) -> Iterator[Finding]:
    """Averages that their parts do not give.

    Values v_i, each printed to within h_i, average to within H = sum(w_i h_i) / sum(w_i); a printed
    average, itself within h, farther than H + h from the mean of the v_i is wrong however everything
    was rounded (kind ``average``). Between h and H + h it is no rounding of the printed values'
    mean, but unrounded values could give it (``average-rounding``).
    """
    for row in tables.rows.values():
        for column, name in tables.structure.tables[row.table].averages.items():
            parts = tables.parts(row, column) if column in row.cells else None
            if parts is not None:
                weights = list(tables.structure.parts[name].values())
                yield from _check_average(tables, row, column, parts, weights)


def _check_average(
    tables: Tables, row: Row, column: str, parts: Parts, weights: Sequence[int]
) -> Iterator[Finding]:
    printed = row.printed(column)
    mean = weighted_mean([source.printed(part) for source, part in parts], weights)
    distance = abs(printed.value - mean.value)
    if distance <= printed.half:
        return
    text, recomputed = row.cells[column].printed, shown(mean.value, row.places + 1)
    own = parts[0][0] is row
    others = () if own else tuple(dict.fromkeys(source.table for source, _ in parts))
    where = f"Table {row.table}, {row.system}"
    of = f"its {len(parts)} values" if own else f"the {len(parts)} values in table {' and '.join(others)}"
    how = (
        "" if len(set(weights)) == 1 else f" (weighted by numbers of tasks; unweighted {_unweighted(parts)})"
    )
    if distance > printed.half + mean.half:
        bound = shown(printed.half + mean.half, row.places + 1)
        wording = (
            f"{where}: {column} is printed as {text}, but {of} average {recomputed}{how}; the difference of "
            f"{shown(distance, row.places + 1)} is more than the {bound} that rounding could explain."
        )
        if own:
            wording += _fixed(row, column, parts, weights)
        yield Finding("average", (row.table, *others), row.system, column, text, recomputed, wording)
    elif own:
        wording = (
            f"{where}: {column} is printed as {text}, while {of} as printed average {recomputed}{how}; the "
            f"unrounded values could give the printed one.{_sharper(tables, row, column)}"
        )
        yield Finding("average-rounding", (row.table,), row.system, column, text, recomputed, wording)


def _unweighted(parts: Parts) -> str:
    """The plain mean, so that a reader sees that the other way to average does not explain the number."""
    values = [source.printed(part) for source, part in parts]
    return shown(weighted_mean(values, [1] * len(values)).value, 2)


def _sharper(tables: Tables, row: Row, column: str) -> str:
    """What another table that prints the same average to more decimals says of it."""
    for other, name in tables.quantities[tables.quantity(row, column)]:
        if other.places > row.places and other.printed(name).agrees(row.printed(column)):
            return f" Table {other.table} has it as {other.cells[name].printed}, which rounds to it."
    return ""


def _fixed(row: Row, column: str, parts: Parts, weights: Sequence[int]) -> str:
    """The one single-digit change that would make the average right, where there is just one."""
    printed, total = row.printed(column), sum(weights)
    mean = weighted_mean([source.printed(part) for source, part in parts], weights)
    fixes = []
    for name, share in [
        *((part, Fraction(weight, total)) for (_, part), weight in zip(parts, weights, strict=True)),
        (column, Fraction(-1)),
    ]:
        text = row.cells[name].printed
        for changed in one_digit_changes(text):
            distance = mean.value - printed.value + share * (Fraction(changed) - Fraction(text))
            if abs(distance) <= mean.half + printed.half:
                fixes.append(f"{name} as {changed} instead of {text}")
    return f" Only one change of a single digit fixes it: {fixes[0]}." if len(fixes) == 1 else ""


def check_sums(tables: Tables) -> Iterator[Finding]:
    """Totals that differ from the sum of their parts by more than rounding can."""
    for row in tables.rows.values():
        for column, names in tables.structure.tables[row.table].sums.items():
            if not all(name in row.cells for name in [column, *names]):
                continue
            parts, total = [row.printed(name) for name in names], row.printed(column)
            value = sum((part.value for part in parts), Fraction())
            if abs(total.value - value) > total.half + sum(part.half for part in parts):
                text, recomputed = row.cells[column].printed, shown(value, row.places)
                wording = (
                    f"Table {row.table}, {row.system}: {column} is printed as {text}, "
                    f"but {' and '.join(names)} add up to {recomputed}."
                )
                yield Finding("sum", (row.table,), row.system, column, text, recomputed, wording)
