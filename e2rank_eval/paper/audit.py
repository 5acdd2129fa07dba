"""Inconsistencies within the paper: averages that differ from their parts, and tables that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import combinations
from typing import Literal

from e2rank_eval.paper.published import PublishedCell, Quantity, Row, Tables, structure

Kind = Literal["average", "average-rounding", "cross-table"]

KINDS: dict[Kind, str] = {
    "average": "Averages that no rounding explains",
    "average-rounding": "Averages that differ from those of the printed values, within what rounding allows",
    "cross-table": "One quantity, printed with different values",
}
"""Heading of each kind, in the order of presentation."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One inconsistency; ``printed`` and ``recomputed`` are as shown, ``wording`` is a sentence about it."""

    kind: Kind
    tables: tuple[str, ...]
    system: str
    column: str
    printed: str
    recomputed: str
    wording: str


def audit(cells: Sequence[PublishedCell] | None = None) -> list[Disagreement]:
    """Return all inconsistencies of the published numbers, by kind in the order of ``KINDS``."""
    tables = Tables(cells)
    findings = [*_averages(tables), *_contradictions(tables)]
    return sorted(findings, key=lambda finding: list(KINDS).index(finding.kind))


def findings_markdown(findings: Sequence[Disagreement]) -> str:
    """Return the findings as Markdown: a heading per kind, an item per finding."""
    lines = []
    for kind, heading in KINDS.items():
        if found := [finding for finding in findings if finding.kind == kind]:
            lines += [f"### {heading}", "", *(f"- {finding.wording}" for finding in found), ""]
    return "\n".join(lines)


def _averages(tables: Tables) -> Iterator[Disagreement]:
    """Compare averages with their parts in the same row.

    Values v_i are printed to within h_i, so that their mean is known to within H = sum(w_i h_i) / sum(w_i).
    A printed average, itself to within h, that is farther than H + h from the mean of the v_i cannot be
    explained by rounding (kind ``average``). Between h and H + h, the printed values do not give the average,
    but unrounded values could (``average-rounding``).
    """
    for row in tables.rows.values():
        for column, name in structure().tables[row.table].averages.items():
            weights = structure().parts[name]
            mean = tables.mean(row, column) if {column, *weights} <= row.cells.keys() else None
            if mean is None:
                continue
            printed, text = row.number(column), row.cells[column].printed
            distance = abs(printed.value - mean.value)
            if distance <= printed.half:
                continue
            recomputed = _shown(mean.value, row.places + 1)
            how = " (weighted by numbers of tasks)" if len(set(weights.values())) > 1 else ""
            kind: Kind = "average" if distance > printed.half + mean.half else "average-rounding"
            if kind == "average":
                apart, bound = (_shown(one, row.places + 1) for one in (distance, printed.half + mean.half))
                ending = (
                    f"but its {len(weights)} values average {recomputed}{how}; the difference of {apart} is "
                    f"more than the {bound} that rounding could explain."
                )
            else:
                ending = (
                    f"while its {len(weights)} values as printed average {recomputed}{how}; the unrounded "
                    "values could give the printed one."
                )
            wording = f"Table {row.table}, {row.system}: {column} is printed as {text}, {ending}"
            yield Disagreement(kind, (row.table,), row.system, column, text, recomputed, wording)


def _contradictions(tables: Tables) -> Iterator[Disagreement]:
    """Find quantities whose printed values in several tables cannot be roundings of one value."""
    for quantity, places in tables.quantities.items():
        numbers = [row.number(column, row.digits) for row, column in places]
        if not all(one.agrees(other) for one, other in combinations(numbers, 2)):
            yield _contradiction(tables, quantity, places)


def _contradiction(tables: Tables, quantity: Quantity, places: Sequence[tuple[Row, str]]) -> Disagreement:
    texts = [row.cells[column].printed for row, column in places]
    numbers = tuple(row.table for row, _ in places)
    listed = " and ".join(f"{text} in table {table}" for text, table in zip(texts, numbers, strict=True))
    wording = f"{quantity.system}, {quantity.column} ({quantity.setting}): {listed}."
    means = ((row, tables.mean(row, column)) for row, column in places)
    recomputed = next((_shown(mean.value, row.digits) for row, mean in means if mean), "")
    if recomputed:
        wording += f" The values that it averages give {recomputed}."
    row, column = places[0]
    return Disagreement("cross-table", numbers, row.system, column, " / ".join(texts), recomputed, wording)


def _shown(value: Fraction, places: int) -> str:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))
