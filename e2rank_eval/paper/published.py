"""The paper's printed numbers and claims: typed, with the line of the data file that each stands in."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from e2rank_eval.errors import InputError
from e2rank_eval.store.files import read_lines

TABLES = Path(__file__).with_name("tables.csv")
CLAIMS = Path(__file__).with_name("claims.csv")
_TABLE_FIELDS = ("table", "kind", "system", "column", "unit", "value")
_CLAIM_FIELDS = ("subject", "statement", "value", "margin", "section", "note")


@dataclass(frozen=True, slots=True)
class Cell:
    """One printed number. ``printed`` keeps the digits as printed: they say how it was rounded."""

    table: str
    kind: str
    system: str
    column: str
    unit: str
    printed: str
    line: int

    @property
    def value(self) -> float:
        """The number in the table's unit (effectiveness times 100, or seconds)."""
        return float(self.printed)


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement about ``subject`` outside the tables.

    ``margin`` is the half-width of what a rounded wording allows ("about 87k": 500), None where
    ``value`` is no number.
    """

    subject: str
    statement: str
    value: str
    margin: Decimal | None
    section: str
    note: str
    line: int


def read_tables(path: Path = TABLES) -> tuple[Cell, ...]:
    """Every cell of a tables file, in its order.

    Raises
    ------
    InputError
        Naming file and line: a wrong header, a missing field, a value that is no number, a cell
        given twice.
    """
    cells: dict[tuple[str, str, str], Cell] = {}
    for line, row in _rows(path, _TABLE_FIELDS):
        table, kind, system, column, unit, printed = row
        if "" in row:
            name = _TABLE_FIELDS[row.index("")]
            raise InputError(f"no {name}", path=path, line=line, hint="fill it in")
        _number(printed, path, line)
        key = (table, system, column)
        if key in cells:
            raise InputError(
                f"table {table}, {system}, {column} stands in line {cells[key].line} already",
                path=path, line=line, hint="remove one of the two lines",
            )  # fmt: skip
        cells[key] = Cell(table, kind, system, column, unit, printed, line)
    if not cells:
        raise InputError("no cell", path=path, hint="check the file")
    return tuple(cells.values())


def read_claims(path: Path = CLAIMS) -> tuple[Claim, ...]:
    """Every claim of a claims file, in its order; raises as :func:`read_tables` does."""
    claims = []
    for line, row in _rows(path, _CLAIM_FIELDS):
        subject, statement, value, margin, section, note = row
        for name, field in zip(_CLAIM_FIELDS[:3], row, strict=False):
            if not field:
                raise InputError(f"no {name}", path=path, line=line, hint="fill it in")
        if margin:
            _number(value, path, line)
        half_width = _number(margin, path, line) if margin else None
        claims.append(Claim(subject, statement, value, half_width, section, note, line))
    return tuple(claims)


@cache
def cells() -> tuple[Cell, ...]:
    """The paper's cells."""
    return read_tables()


@cache
def claims() -> tuple[Claim, ...]:
    """The paper's claims outside its tables."""
    return read_claims()


def table(identifier: str) -> tuple[Cell, ...]:
    """The cells of one table, in print order.

    Raises
    ------
    InputError
        When no such table is in the data; lists those that are.
    """
    found = tuple(cell for cell in cells() if cell.table == identifier)
    if not found:
        known = dict.fromkeys(cell.table for cell in cells())
        raise InputError(f"no published table {identifier!r}", hint=f"known: {', '.join(known)}")
    return found


def _rows(path: Path, fields: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    for line, text in read_lines(path):
        row = next(csv.reader([text]), [])
        if line == 1:
            if tuple(row) != tuple(fields):
                raise InputError("wrong header", path=path, line=1, hint=f"write {','.join(fields)}")
        elif row:
            if len(row) != len(fields):
                raise InputError(f"{len(row)} fields instead of {len(fields)}", path=path, line=line)
            yield line, row


def _number(text: str, path: Path, line: int) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise InputError(f"{text!r} is no number", path=path, line=line, hint="write digits only")
    return number
