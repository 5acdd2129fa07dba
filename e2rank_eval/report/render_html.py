"""A table as an accessible HTML fragment, every text escaped, every number linked to what made it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from e2rank_eval.report.addresses import comparison_page, run_page
from e2rank_eval.report.table import Cell, Column, Link, Table, number, text_of

NO_ROWS = "Nothing of this was run here."


def address(link: Link, root: str) -> str:
    """``root`` leads from the page at hand to the site's root, with a final slash."""
    page = link.page
    if link.run:
        page = run_page(link.run)
    elif link.comparison:
        page = comparison_page(link.comparison)
    return f"{root}{page}" + (f"#{link.part}" if link.part else "")


def to_html(table: Table, *, root: str = "../site/", caption: str | None = None) -> Markup:
    """``<div class="table" id=...>`` with a captioned table whose numbers carry their values for sorting.

    Sorting itself is the page's matter; ``data-value`` holds what a cell is sorted by. ``caption``
    stands for the title where a heading above the table says the rest.
    """
    head = Markup("").join(_heading(column) for column in table.columns)
    marks = [_most_marks(table, position) for position in range(len(table.columns))]
    body = Markup("").join(_row(table, index, root, marks) for index in range(len(table.rows)))
    said = table.notes if table.rows else (NO_ROWS, *table.notes)
    notes = Markup("").join(Markup("<li>{}</li>\n").format(note) for note in said)
    if said:
        notes = Markup('<ul class="notes">\n{}</ul>\n').format(notes)
    return Markup(
        '<div class="table" id="table-{id}">\n<div class="scroll" tabindex="0" role="region"'
        ' aria-label="{title}">\n<table data-table="{id}">\n<caption>{caption}</caption>\n'
        "<thead>\n<tr>{head}</tr>\n</thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n"
        "{notes}</div>\n"
    ).format(
        id=table.id, title=table.title, caption=caption or table.title, head=head, body=body, notes=notes
    )


def _heading(column: Column) -> Markup:
    queries = Markup("")
    if column.queries is not None:
        queries = Markup(' <span class="n">n = {}</span>').format(column.queries)
    kind = "text" if column.kind == "text" else "number"
    return Markup('<th scope="col" class="{}"><span class="heading">{}</span>{}</th>').format(
        kind, column.heading, queries
    )


def _row(table: Table, index: int, root: str, marks: Sequence[int]) -> Markup:
    starts = bool(table.groups) and index > 0 and table.groups[index] != table.groups[index - 1]
    cells = Markup("").join(
        _cell(cell, column, root, heading=position == 0, marks=marks[position])
        for position, (cell, column) in enumerate(zip(table.rows[index], table.columns, strict=True))
    )
    return Markup("<tr{}>{}</tr>\n").format(Markup(' class="group"') if starts else "", cells)


def _typeset(text: str, column: Column) -> str:
    """Numbers get a minus sign where the other forms keep the hyphen that programs read."""
    return text if column.kind == "text" else text.replace("-", "−")


def _most_marks(table: Table, position: int) -> int:
    return max((len(row[position].marks) for row in table.rows), default=0)


def _cell(cell: Cell, column: Column, root: str, *, heading: bool, marks: int) -> Markup:
    """``marks``: the most that a cell of the column has; all keep room for them, so that digits align."""
    text: Markup | str = escape(_typeset(text_of(cell, column.kind), column))
    if cell.rank == "best":
        text = Markup("<strong>{}</strong>").format(text)
    elif cell.rank == "second":
        text = Markup('<span class="second">{}</span>').format(text)
    if cell.link is not None and cell.value is not None:
        text = Markup('<a href="{}">{}</a>').format(address(cell.link, root), text)
    parts = [Markup("{}").format(text)]
    parts += [Markup(' <span class="tag">{}</span>').format(tag) for tag in cell.tags]
    if cell.letter:
        parts.append(Markup('<sup class="letter" title="baseline {0}">{0}</sup>').format(cell.letter))
    if marks:
        shown = Markup("").join(_mark(mark.letter, mark.above) for mark in cell.marks)
        parts.append(Markup('<span class="marks" style="--marks: {}">{}</span>').format(marks, shown))
    if cell.interval is not None:
        low, high = (_typeset(number(end, column.kind), column) for end in cell.interval)
        parts.append(Markup(' <span class="interval">[{}, {}]</span>').format(low, high))
    value = "" if cell.value is None else cell.value if isinstance(cell.value, str) else repr(cell.value)
    name = Markup('th scope="row"') if heading else Markup("td")
    end = "th" if heading else "td"
    kind = "text" if column.kind == "text" else "number"
    return Markup('<{} class="{}" data-value="{}"{}>{}</{}>').format(
        name, kind, value, _heat(cell), Markup("").join(parts), end
    )


def _heat(cell: Cell) -> Markup:
    if cell.heat is None:
        return Markup("")
    tint = "loss" if cell.heat < 0 else "gain"
    return Markup(' style="--heat: {:.3f}; --tint: var(--{})"').format(abs(cell.heat), tint)


def _mark(letter: str, above: bool) -> Markup:
    words = f"significantly {'above' if above else 'below'} baseline {letter}"
    return Markup(
        '<sup class="mark" title="{0}"><span aria-hidden="true">{1}{2}</span>'
        '<span class="unseen"> {0}</span></sup>'
    ).format(words, "↑" if above else "↓", letter)
