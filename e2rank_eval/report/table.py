"""Tables independent of an output format: typed columns, and cells with intervals, marks, tags and links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

Kind = Literal["text", "score", "difference", "milliseconds", "rate", "count", "ratio", "p", "number"]

_DECIMALS: dict[Kind, int] = {
    "score": 2, "difference": 2, "milliseconds": 1, "rate": 2, "count": 0, "ratio": 1, "p": 4,
    "number": 2,
}  # fmt: skip

MISSING = "–"


@dataclass(frozen=True, slots=True)
class Mark:
    """A significant difference from the baseline ``letter``, ``above`` or below it."""

    letter: str
    above: bool

    def __str__(self) -> str:
        return f"{'↑' if self.above else '↓'}{self.letter}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; ``value`` is in the unit of its column's kind, and None where it is not known.

    ``tags`` are words shown after the value (untrained); ``letter`` marks a baseline. ``link`` is a page
    below the site's root, with or without a fragment.
    """

    value: str | float | None
    interval: tuple[float, float] | None = None
    marks: tuple[Mark, ...] = ()
    rank: Literal["best", "second"] | None = None
    link: str = ""
    tags: tuple[str, ...] = ()
    letter: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``queries`` is the number of queries of its means, which the heading shows.

    ``ranked``: whether higher values are better, so that the best and second best are marked.
    """

    heading: str
    kind: Kind = "text"
    queries: int | None = None
    ranked: bool = False

    @property
    def title(self) -> str:
        """The heading with the number of queries, as in ``lee (n = 50)``."""
        return self.heading if self.queries is None else f"{self.heading} (n = {self.queries})"

    @property
    def decimals(self) -> int:
        """The number of decimals; 0 for texts."""
        return _DECIMALS.get(self.kind, 0)


Heading = Column | tuple[str, str] | str
"""A column, its heading and kind, or the heading of a column of texts."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table; ``rows[i][j]`` belongs to ``columns[j]``, and the first cell of a row is its heading.

    ``groups[i]``, where given, is the group of row i, such as its collection: best values are marked within
    a group, and rules separate groups.
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

    @classmethod
    def of(
        cls,
        identifier: str,
        title: str,
        columns: Iterable[Heading],
        rows: Iterable[Sequence[Cell | str | float | None]],
        notes: Iterable[str] = (),
        groups: Iterable[str] = (),
    ) -> Table:
        """Return a table; plain headings become text columns, and plain values become cells."""
        return cls(
            identifier,
            title,
            tuple(map(_column, columns)),
            tuple(tuple(one if isinstance(one, Cell) else Cell(one) for one in row) for row in rows),
            tuple(notes),
            tuple(groups),
        )

    def starts_group(self, index: int) -> bool:
        """Return whether row ``index`` is the first of a group other than the first group."""
        return bool(self.groups) and index > 0 and self.groups[index] != self.groups[index - 1]


def _column(heading: Heading) -> Column:
    if isinstance(heading, Column):
        return heading
    return Column(heading) if isinstance(heading, str) else Column(heading[0], cast(Kind, heading[1]))


def percent(mean: float, interval: tuple[float, float] | None = None, *, link: str = "") -> Cell:
    """Return a cell of a measure from 0 to 1, which tables print x 100."""
    low_high = None if interval is None else (100 * interval[0], 100 * interval[1])
    return Cell(100 * mean, low_high, link=link)


def number(value: float, kind: Kind) -> str:
    """Return a number as all formats print it.

    >>> number(43.216, "score"), number(0.5, "difference"), number(1234.5, "count"), number(3e-5, "p")
    ('43.22', '+0.50', '1,234', '< 0.0001')
    """
    if kind == "p" and value < 0.0001:
        return "< 0.0001"
    rounded = round(value, _DECIMALS[kind]) + 0.0  # no minus before a zero
    return f"{rounded:{'+' if kind == 'difference' else ''},.{_DECIMALS[kind]}f}"


def text_of(cell: Cell, kind: Kind) -> str:
    """Return the cell's value alone, without interval, marks and tags."""
    if cell.value is None:
        return MISSING
    return cell.value if isinstance(cell.value, str) else number(cell.value, kind)


def interval_of(cell: Cell, kind: Kind) -> str:
    """Return the cell's interval as ``[low, high]``; empty where it has none."""
    return f"[{', '.join(number(end, kind) for end in cell.interval)}]" if cell.interval else ""


def ranked(table: Table) -> Table:
    """Flag the best and second best of every ranked column within its group, by the value as printed."""
    rows = [list(row) for row in table.rows]
    groups = table.groups or ("",) * len(rows)
    for group in dict.fromkeys(groups):
        members = [row for row, name in zip(rows, groups, strict=True) if name == group]
        for position, column in enumerate(table.columns):
            if column.ranked:
                _rank(members, position)
    return replace(table, rows=tuple(map(tuple, rows)))


def _rank(rows: Sequence[list[Cell]], position: int) -> None:
    printed = [(row, round(float(value), 2)) for row in rows if (value := row[position].value) is not None]
    levels = sorted({value for _, value in printed}, reverse=True)
    if len(levels) > 1:
        for row, value in printed:
            if value in levels[:2]:
                row[position] = replace(row[position], rank="best" if value == levels[0] else "second")
