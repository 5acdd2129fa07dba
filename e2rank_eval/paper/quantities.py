"""Printed cells as quantities: what a number measures, whichever table prints it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2rank_eval.errors import InputError
from e2rank_eval.paper.published import Cell
from e2rank_eval.paper.rounding import Printed, decimals, row_decimals
from e2rank_eval.paper.structure import ColumnMeaning, Structure, SystemMeaning, TableStructure


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured value: equal quantities in two tables must agree."""

    setting: str
    system: str
    column: str


@dataclass(frozen=True, slots=True)
class Row:
    """One system of one table, by column.

    ``places`` are the decimals that its numbers need, ``digits`` those that are printed: a row taken
    over from a source with fewer decimals may be filled up with zeros.
    """

    table: str
    system: str
    cells: Mapping[str, Cell]
    places: int
    digits: int

    def printed(self, column: str) -> Printed:
        """The column's number with what rounding to the decimals that the row needs leaves open."""
        return Printed.of(self.cells[column].printed, self.places)

    def as_printed(self, column: str) -> Printed:
        """The column's number with what rounding to the printed decimals leaves open."""
        return Printed.of(self.cells[column].printed, self.digits)


class Tables:
    """The published cells by row and by quantity.

    Raises
    ------
    InputError
        When a table of the data is not described in the structure.
    """

    def __init__(self, cells: Sequence[Cell], structure: Structure) -> None:
        self.structure = structure
        by_row: dict[tuple[str, str], dict[str, Cell]] = defaultdict(dict)
        for cell in cells:
            if cell.table not in structure.tables:
                raise InputError(
                    f"table {cell.table!r} is not described in tables.yaml", line=cell.line,
                    path="tables.csv", hint="describe it there",
                )  # fmt: skip
            by_row[cell.table, cell.system][cell.column] = cell
        self.rows = {
            key: Row(
                *key,
                found,
                row_decimals(cell.printed for cell in found.values()),
                max(decimals(cell.printed) for cell in found.values()),
            )
            for key, found in by_row.items()
        }
        self.quantities: dict[Quantity, list[tuple[Row, str]]] = defaultdict(list)
        for row in self.rows.values():
            for column in row.cells:
                self.quantities[self.quantity(row, column)].append((row, column))

    def of_table(self, table: str) -> list[Row]:
        return [row for row in self.rows.values() if row.table == table]

    def quantity(self, row: Row, column: str) -> Quantity:
        """What a cell measures, by the names that all tables share."""
        meaning = self.structure.tables[row.table]
        of_column = meaning.columns.get(column, ColumnMeaning())
        of_system = meaning.systems.get(row.system, SystemMeaning())
        system = of_column.systems.get(row.system) or of_system.system or row.system
        return Quantity(_setting(meaning, of_column, of_system), system, of_column.column or column)

    def parts(self, row: Row, column: str) -> list[tuple[Row, str]] | None:
        """The cells that an average is of: in its own row, else those of the same quantities elsewhere.

        None where no table prints all of them.
        """
        weights = self.structure.parts[self.structure.tables[row.table].averages[column]]
        if all(part in row.cells for part in weights):
            return [(row, part) for part in weights]
        average = self.quantity(row, column)
        found = [self.quantities.get(Quantity(average.setting, average.system, part)) for part in weights]
        return [cells[0] for cells in found if cells] if all(found) else None


def _setting(table: TableStructure, column: ColumnMeaning, system: SystemMeaning) -> str:
    return column.setting or system.setting or table.setting
