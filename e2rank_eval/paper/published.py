"""The paper's tables as data: every printed number, its meaning, and the tolerance of a reproduction."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Literal

import yaml
from pydantic import Field, model_validator

from e2rank_eval.config.systems import Strict
from e2rank_eval.registry import look_up

Verdict = Literal["reproduced", "near", "differs", "not run", "not published"]


@dataclass(frozen=True, slots=True)
class PublishedCell:
    """One printed number; ``printed`` has the digits as printed, which show how it was rounded."""

    table: str
    kind: str
    system: str
    column: str
    unit: str
    printed: str

    @property
    def value(self) -> float:
        """The number in the table's unit (effectiveness times 100, or seconds)."""
        return float(self.printed)


@cache
def cells() -> tuple[PublishedCell, ...]:
    """Return every cell of ``tables.csv``, in print order."""
    text = (resources.files("e2rank_eval.paper") / "tables.csv").read_text(encoding="utf-8")
    return tuple(PublishedCell(*row) for row in csv.reader(text.splitlines()[1:]))


def table(identifier: str) -> tuple[PublishedCell, ...]:
    """Return the cells of one table, in print order.

    Raises
    ------
    InputError
        When no such table is in the data.
    """
    look_up(dict.fromkeys(cell.table for cell in cells()), identifier, "published table")
    return tuple(cell for cell in cells() if cell.table == identifier)


def values(identifier: str) -> dict[str, dict[str, float]]:
    """Return the printed values of one table by system and column; raises as :func:`table` does."""
    found: dict[str, dict[str, float]] = {}
    for cell in table(identifier):
        found.setdefault(cell.system, {})[cell.column] = cell.value
    return found


class Tolerance(Strict):
    """Distances between our value and the published one, in the table's unit."""

    reproduced: float = Field(gt=0)
    near: float = Field(gt=0)

    def verdict(self, ours: float | None, published: float | None) -> Verdict:
        """Compare two values in one unit by their distance.

        >>> Tolerance(reproduced=0.1, near=1.0).verdict(72.9, 72.95)
        'reproduced'
        """
        if ours is None:
            return "not run"
        if published is None:
            return "not published"
        # Published values are decimal: a distance of exactly the tolerance must not fail by binary rounding.
        distance = round(abs(ours - published), 9)
        if distance <= self.reproduced:
            return "reproduced"
        return "near" if distance <= self.near else "differs"


class Meaning(Strict):
    """The setting or names of a column or row, where they differ from its table's or from other tables'."""

    setting: str | None = None
    column: str | None = Field(None, description="name of this column in other tables")
    system: str | None = Field(None, description="name of this row in other tables")
    systems: dict[str, str] = Field({}, description="in this column: row -> its name in other tables")


class TableStructure(Strict):
    """The meaning of one table: its setting, exceptions from it, and its averages."""

    title: str
    setting: str = Field(description="collections and first stage")
    columns: dict[str, Meaning] = Field({}, description="columns that differ from the setting")
    systems: dict[str, Meaning] = Field({}, description="rows that differ from the setting")
    averages: dict[str, str] = Field({}, description="column -> name of its parts")
    tolerance: Tolerance


class Structure(Strict):
    """Every table by its number, and the parts of every average by name."""

    parts: dict[str, dict[str, int]] = Field(description="name -> weight of each column in the average")
    tables: dict[str, TableStructure]

    @model_validator(mode="after")
    def _parts_are_known(self) -> Structure:
        for identifier, one in self.tables.items():
            if unknown := set(one.averages.values()) - self.parts.keys():
                raise ValueError(f"table {identifier} names unknown parts {', '.join(sorted(unknown))}")
        return self


@cache
def structure() -> Structure:
    """Return the structure of the paper's tables, from ``tables.yaml``."""
    packaged = resources.files("e2rank_eval.paper") / "tables.yaml"
    return Structure.model_validate(yaml.safe_load(packaged.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a cell measures; cells of one quantity must agree in all tables."""

    setting: str
    system: str
    column: str


@dataclass(frozen=True, slots=True)
class Rounded:
    """A rounded number; the true number is in [value - half, value + half]."""

    value: Fraction
    half: Fraction

    def agrees(self, other: Rounded) -> bool:
        """Return whether one true value can round to both."""
        return abs(self.value - other.value) <= self.half + other.half


@dataclass(frozen=True, slots=True)
class Row:
    """One system of one table, with cells by column.

    ``digits`` is the number of printed decimals, ``places`` that of decimals without trailing zeros: a row
    copied from a source with fewer decimals may be padded with zeros.
    """

    table: str
    system: str
    cells: Mapping[str, PublishedCell]
    places: int
    digits: int

    def number(self, column: str, decimals: int | None = None) -> Rounded:
        """Return the column's value as a number rounded to ``decimals`` places, by default ``places``."""
        half = Fraction(1, 2 * 10 ** (self.places if decimals is None else decimals))
        return Rounded(Fraction(self.cells[column].printed), half)


class Tables:
    """Published cells by row and by quantity; all of them by default."""

    def __init__(self, given: Sequence[PublishedCell] | None = None) -> None:
        by_row: dict[tuple[str, str], dict[str, PublishedCell]] = defaultdict(dict)
        for cell in cells() if given is None else given:
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
        """Return what a cell measures, in the names that all tables share."""
        meaning = structure().tables[row.table]
        of_column = meaning.columns.get(column, Meaning())
        of_system = meaning.systems.get(row.system, Meaning())
        return Quantity(
            of_column.setting or of_system.setting or meaning.setting,
            of_column.systems.get(row.system) or of_system.system or row.system,
            of_column.column or column,
        )

    def parts(self, row: Row, column: str) -> list[tuple[Row, str]] | None:
        """Return the cells of which a column is the average: in its row, or else in other tables.

        None where the column is not an average or no table prints all of its parts.
        """
        name = structure().tables[row.table].averages.get(column)
        if name is None:
            return None
        weights = structure().parts[name]
        if weights.keys() <= row.cells.keys():
            return [(row, part) for part in weights]
        average = self.quantity(row, column)
        found = [self.quantities.get(Quantity(average.setting, average.system, part)) for part in weights]
        return [places[0] for places in found if places] if all(found) else None

    def mean(self, row: Row, column: str) -> Rounded | None:
        """Return the average of a column's parts, with its rounding error; None without parts."""
        parts = self.parts(row, column)
        if parts is None:
            return None
        weights = structure().parts[structure().tables[row.table].averages[column]].values()
        pairs = [(source.number(part), weight) for (source, part), weight in zip(parts, weights, strict=True)]
        return Rounded(
            sum((one.value * weight for one, weight in pairs), Fraction()) / sum(weights),
            sum((one.half * weight for one, weight in pairs), Fraction()) / sum(weights),
        )
