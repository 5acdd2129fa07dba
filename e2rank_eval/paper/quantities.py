"""Printed cells as quantities: what a number measures, whichever table prints it, and how exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from e2rank_eval.paper.published import PublishedCell
from e2rank_eval.paper.structure import ColumnMeaning, Structure, SystemMeaning


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured value: equal quantities in two tables must agree."""

    setting: str
    system: str
    column: str


@dataclass(frozen=True, slots=True)
class Rounded:
    """A rounded number: the true one is at most ``half`` away from ``value``, both ends included."""

    value: Fraction
    half: Fraction

    def agrees(self, other: Rounded) -> bool:
        """Return whether one true value can round to both."""
        return abs(self.value - other.value) <= self.half + other.half


@dataclass(frozen=True, slots=True)
class Row:
    """One system of one table, by column.

    ``digits`` are the decimals that are printed, ``places`` those that one of its numbers needs: a row
    taken from a source with fewer decimals may be padded with zeros.
    """

    table: str
    system: str
    cells: Mapping[str, PublishedCell]
    places: int
    digits: int

    def number(self, column: str, decimals: int | None = None) -> Rounded:
        """Return the column's number as one rounded to ``decimals`` places, by default to ``places``."""
        half = Fraction(1, 2 * 10 ** (self.places if decimals is None else decimals))
        return Rounded(Fraction(self.cells[column].printed), half)


class Tables:
    """The published cells by row and by quantity."""

    def __init__(self, cells: Sequence[PublishedCell], structure: Structure) -> None:
        self.structure = structure
        by_row: dict[tuple[str, str], dict[str, PublishedCell]] = defaultdict(dict)
        for cell in cells:
            by_row[cell.table, cell.system][cell.column] = cell
        self.rows: dict[tuple[str, str], Row] = {}
        self.quantities: dict[Quantity, list[tuple[Row, str]]] = defaultdict(list)
        for key, found in by_row.items():
            decimals = [cell.printed.partition(".")[2] for cell in found.values()]
            places, digits = max(len(one.rstrip("0")) for one in decimals), max(map(len, decimals))
            row = self.rows[key] = Row(*key, found, places, digits)
            for column in found:
                self.quantities[self.quantity(row, column)].append((row, column))

    def quantity(self, row: Row, column: str) -> Quantity:
        """Return what a cell measures, by the names that all tables share."""
        meaning = self.structure.tables[row.table]
        of_column = meaning.columns.get(column, ColumnMeaning())
        of_system = meaning.systems.get(row.system, SystemMeaning())
        return Quantity(
            of_column.setting or of_system.setting or meaning.setting,
            of_column.systems.get(row.system) or of_system.system or row.system,
            of_column.column or column,
        )

    def parts(self, row: Row, column: str) -> list[tuple[Row, str]] | None:
        """Return the cells that an average is of: its own row's, else the same quantities elsewhere.

        None where the column is not an average or no table prints all of its parts.
        """
        name = self.structure.tables[row.table].averages.get(column)
        if name is None:
            return None
        weights = self.structure.parts[name]
        if weights.keys() <= row.cells.keys():
            return [(row, part) for part in weights]
        average = self.quantity(row, column)
        found = [self.quantities.get(Quantity(average.setting, average.system, part)) for part in weights]
        return [cells[0] for cells in found if cells] if all(found) else None

    def mean(self, row: Row, column: str) -> Rounded | None:
        """Return the average of a column's parts, with the farthest that rounding can take it."""
        parts = self.parts(row, column)
        if parts is None:
            return None
        weights = self.structure.parts[self.structure.tables[row.table].averages[column]].values()
        numbers = [source.number(part) for source, part in parts]
        total = sum(weights)
        return Rounded(
            sum((one.value * weight for one, weight in zip(numbers, weights, strict=True)), Fraction())
            / total,
            sum((one.half * weight for one, weight in zip(numbers, weights, strict=True)), Fraction())
            / total,
        )
