"""The same quantity printed more than once: the tables crossed with each other, the claims likewise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import combinations

from e2rank_eval.paper.findings import Finding
from e2rank_eval.paper.published import Claim
from e2rank_eval.paper.quantities import Quantity, Row, Tables
from e2rank_eval.paper.rounding import shown, weighted_mean


def check_tables(tables: Tables) -> Iterator[Finding]:
    """Quantities that two tables print with values that no common true value rounds to."""
    for quantity, places in tables.quantities.items():
        disagree = any(
            not one.as_printed(a).agrees(other.as_printed(b))
            for (one, a), (other, b) in combinations(places, 2)
        )
        if disagree:
            yield _finding(tables, quantity, places)


def _finding(tables: Tables, quantity: Quantity, places: Sequence[tuple[Row, str]]) -> Finding:
    printed = [f"{row.cells[column].printed} in table {row.table}" for row, column in places]
    wording = f"{quantity.system}, {quantity.column} ({quantity.setting}): {_listed(printed)}."
    recomputed = _recomputed(tables, places)
    if recomputed:
        wording += f" The values that it averages give {recomputed}."
    if all(one.printed(a).agrees(other.printed(b)) for (one, a), (other, b) in combinations(places, 2)):
        rounded = min((row for row, _ in places), key=lambda row: row.places)
        wording += f" Table {rounded.table} may have rounded its row to fewer decimals."
    row, column = places[0]
    return Finding(
        "cross-table", tuple(row.table for row, _ in places), row.system, column,
        " / ".join(row.cells[column].printed for row, column in places), recomputed, wording,
    )  # fmt: skip


def _recomputed(tables: Tables, places: Sequence[tuple[Row, str]]) -> str:
    """The average of the parts, where the quantity is an average whose parts are printed."""
    for row, column in places:
        name = tables.structure.tables[row.table].averages.get(column)
        parts = tables.parts(row, column) if name else None
        if name and parts:
            mean = weighted_mean([source.printed(part) for source, part in parts],
                                 list(tables.structure.parts[name].values()))  # fmt: skip
            return shown(mean.value, row.digits)
    return ""


def check_claims(claims: Sequence[Claim]) -> Iterator[Finding]:
    """Subjects of which the claims give values that cannot all be right.

    Numbers contradict each other when they lie farther apart than their margins together, anything
    else when it differs.
    """
    subjects: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        subjects[claim.subject].append(claim)
    for subject, found in subjects.items():
        if any(_contradict(one, other) for one, other in combinations(found, 2)):
            statements = "; ".join(f"{claim.statement} ({claim.section})" for claim in found)
            notes = "".join(f" {claim.note}." for claim in found if claim.note)
            wording = f"{subject[0].upper()}{subject[1:]}: {statements}.{notes}"
            values = " / ".join(dict.fromkeys(claim.value for claim in found))
            yield Finding("claim", (), "", subject, values, "", wording)


def _contradict(one: Claim, other: Claim) -> bool:
    if one.margin is None or other.margin is None:
        return one.value != other.value
    return abs(Decimal(one.value) - Decimal(other.value)) > one.margin + other.margin


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
