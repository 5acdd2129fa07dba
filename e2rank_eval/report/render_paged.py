"""A table of any length as embedded data, which a script sorts, filters and shows a page at a time."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from e2rank_eval.report.embedded import embed
from e2rank_eval.report.render_html import address
from e2rank_eval.report.table import Cell, Column, Table, decimals

PAGED_SCRIPTS = ("embedded.js", "paged.js")
"""What a page with such a table runs."""


def to_paged(table: Table, *, root: str) -> Markup:
    """A container, its data, and a word for readers without a script.

    A hundred thousand rows are a few megabytes of data and fifty rows of page. Only the first
    cell of a row may carry a link; intervals, marks and tags have no place here.
    """
    data = {
        "columns": [_column(column) for column in table.columns],
        "rows": [[_value(cell) for cell in row] for row in table.rows],
        "links": [address(row[0].link, root) if row[0].link else None for row in table.rows],
    }
    notes = Markup("").join(Markup("<li>{}</li>\n").format(note) for note in table.notes)
    return Markup(
        '<div class="table paged" id="table-{id}" data-title="{title}">\n'
        "<noscript><p>This list of {count} rows needs a script; the stored metrics hold the same values."
        "</p></noscript>\n{data}\n"
        '<ul class="notes">\n{notes}</ul>\n</div>\n'
    ).format(
        id=table.id,
        title=table.title,
        count=len(table.rows),
        data=embed(f"{table.id}-data", data),
        notes=notes,
    )


def _column(column: Column) -> dict[str, Any]:
    if column.kind == "text":
        return {"heading": column.heading}
    return {
        "heading": column.heading,
        "decimals": decimals(column.kind),
        "signed": column.kind == "difference",
    }


def _value(cell: Cell) -> str | float | None:
    return round(cell.value, 10) if isinstance(cell.value, float) else cell.value
