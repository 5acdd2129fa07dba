"""Records that terminals and notebooks display as tables."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame


class Shown:
    """A record that is displayed as its table, with the notes below it."""

    def frame(self) -> DataFrame:
        """Return the table: values x 100 with the bounds of their 95 % intervals, and p values."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """Return what a reader of the table must know, one sentence a line."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return "\n".join([self.frame().to_string(**self._format()), *self.notes()])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes())
        return f"{self.frame().to_html(**self._format())}{notes}"

    def _format(self) -> dict[str, Any]:
        p_values = [column for column in self.frame() if str(column).startswith("p ")]
        return {
            "float_format": "{:.2f}".format,
            "formatters": dict.fromkeys(p_values, lambda p: f"{p:.4f}" if p >= 1e-4 else "<0.0001"),
            "na_rep": "–",
        }
