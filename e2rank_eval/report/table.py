"""A table before it takes a form: columns with kinds, cells with intervals, marks, flags and links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from e2rank_eval.report.collect import RunKey

Kind = Literal[
    "text", "score", "difference", "milliseconds", "rate", "count", "megabytes", "ratio", "p", "number"
]

_DECIMALS: dict[Kind, int] = {
    "score": 2, "difference": 2, "milliseconds": 1, "rate": 2, "count": 0, "megabytes": 0, "ratio": 1,
    "p": 4, "number": 2,
}  # fmt: skip

MISSING = "–"


@dataclass(frozen=True, slots=True)
class Mark:
    """A significant difference from the baseline ``letter``, ``above`` or below it."""

    letter: str
    above: bool


@dataclass(frozen=True, slots=True)
class Link:
    """Where a number comes from: a run, a comparison by name, or another page by its place below the root.

    ``part`` is the fragment within that page, already percent-encoded.
    """

    run: RunKey | None = None
    comparison: str | None = None
    page: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """``value`` in the unit of its column's kind; None is a value that could not be had.

    ``tags`` are words that must stand wherever the name does (untrained); ``letter`` marks a baseline.
    ``heat``, from -1 to 1, tints the cell in HTML: how high it lies, or how far below (negative) or above.
    """

    value: str | float | None
    interval: tuple[float, float] | None = None
    marks: tuple[Mark, ...] = ()
    rank: Literal["best", "second"] | None = None
    link: Link | None = None
    tags: tuple[str, ...] = ()
    letter: str = ""
    heat: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """``queries``: how many the column's means are taken over, printed in the heading.

    ``ranked``: whether its highest value is the best, and shown as that.
    """

    heading: str
    kind: Kind
    queries: int | None = None
    ranked: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """``rows[i][j]`` belongs to ``columns[j]``; the first cell of a row is its heading.

    ``groups[i]``, where given, names what row i is compared within (a collection): best values are
    found, and rules drawn, by group.
    """

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.id!r}: a row's cells do not match the columns")
        if self.groups and len(self.groups) != len(self.rows):
            raise ValueError(f"table {self.id!r}: not one group for every row")


def number(value: float, kind: Kind) -> str:
    """A number as every form of a table prints it.

    >>> number(43.216, "score"), number(0.5, "difference"), number(1234.5, "count"), number(3e-5, "p")
    ('43.22', '+0.50', '1,234', '< 0.0001')
    """
    if kind == "p" and value < 0.0001:
        return "< 0.0001"
    rounded = round(value, _DECIMALS[kind]) + 0.0  # no minus before a zero
    return f"{rounded:{'+' if kind == 'difference' else ''},.{_DECIMALS[kind]}f}"


def decimals(kind: Kind) -> int:
    """How many digits a number of this kind shows after its point; 0 for texts."""
    return _DECIMALS.get(kind, 0)


def text_of(cell: Cell, kind: Kind) -> str:
    """The cell's value alone, without interval, marks and tags."""
    if cell.value is None:
        return MISSING
    return cell.value if isinstance(cell.value, str) else number(cell.value, kind)


def heading_of(column: Column) -> str:
    """``lee (n = 50)``: a mean's column says how many queries it is over."""
    return column.heading if column.queries is None else f"{column.heading} (n = {column.queries})"


def ranked(table: Table) -> Table:
    """Flag the best and second best of every ranked column within its group, by the value as printed."""
    rows = [list(row) for row in table.rows]
    groups = table.groups or ("",) * len(rows)
    for group in dict.fromkeys(groups):
        members = [index for index, name in enumerate(groups) if name == group]
        for position, column in enumerate(table.columns):
            if column.ranked:
                _rank(rows, members, position)
    return replace(table, rows=tuple(tuple(row) for row in rows))


def _rank(rows: list[list[Cell]], members: Sequence[int], position: int) -> None:
    printed = {
        index: round(float(value), 2)
        for index in members
        if (value := rows[index][position].value) is not None
    }
    levels = sorted(set(printed.values()), reverse=True)
    if len(levels) < 2:
        return
    for index, value in printed.items():
        rank: Literal["best", "second"] | None = (
            "best" if value == levels[0] else "second" if value == levels[1] else None
        )
        rows[index][position] = replace(rows[index][position], rank=rank)
