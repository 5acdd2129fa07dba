"""The numbers that the paper prints in its tables, digit by digit."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

from e2rank_eval.errors import InputError


@dataclass(frozen=True, slots=True)
class PublishedCell:
    """One printed number. ``printed`` keeps the digits as printed: they say how it was rounded."""

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
        When no such table is in the data; lists those that are.
    """
    found = tuple(cell for cell in cells() if cell.table == identifier)
    if not found:
        known = dict.fromkeys(cell.table for cell in cells())
        raise InputError(f"no published table {identifier!r}", hint=f"known: {', '.join(known)}")
    return found
