"""Tables as CSV, Markdown and LaTeX; :mod:`e2rank_eval.report.html` makes HTML."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

from e2rank_eval.report.table import MISSING, Cell, Column, Table, interval_of, number, text_of


def to_csv(table: Table) -> str:
    """Return a table as CSV; columns for interval ends and significance follow the column that has them.

    Numbers have the same decimals as in other formats, but no thousands separators; missing ones are empty.
    """
    columns = [_csv_column(table, position) for position in range(len(table.columns))]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(
        [field for fields in row for field in fields] for row in zip(*columns, strict=True)
    )
    return buffer.getvalue()


def _csv_column(table: Table, position: int) -> list[list[str]]:
    """Return the fields of a column by row, heading first; with interval ends and marks if a cell has any."""
    column, cells = table.columns[position], [row[position] for row in table.rows]
    fields = [[column.title], *([_csv_value(cell, column)] for cell in cells)]
    if any(cell.interval for cell in cells):
        ends = [[number(end, column.kind).replace(",", "") for end in cell.interval or ()] for cell in cells]
        extra = [[f"{column.heading} {end}" for end in ("low", "high")], *(one or ["", ""] for one in ends)]
        fields = [one + more for one, more in zip(fields, extra, strict=True)]
    if any(cell.marks for cell in cells):
        marks = [f"{column.heading} significance", *map(_marks, cells)]
        fields = [[*one, more] for one, more in zip(fields, marks, strict=True)]
    return fields


def _csv_value(cell: Cell, column: Column) -> str:
    if cell.value is None:
        return ""
    if isinstance(cell.value, str):
        return ", ".join((cell.value, *cell.tags))
    return text_of(cell, column.kind).replace(",", "")


def _marks(cell: Cell) -> str:
    return " ".join(map(str, cell.marks))


def to_markdown(table: Table) -> str:
    """Return a pipe table with its title above and its notes below; best bold, second best in italics."""
    lines = [f"**{_markdown(table.title)}**", ""]
    lines.append(_pipes(_markdown(column.title) for column in table.columns))
    lines.append(_pipes(":--" if column.kind == "text" else "--:" for column in table.columns))
    for row in table.rows:
        lines.append(_pipes(map(_markdown_cell, row, table.columns)))
    notes = [_markdown(note.replace("underlined", "in italics")) for note in table.notes]
    return "\n".join([*lines, "", *(f"{note}  " for note in notes)]).rstrip() + "\n"


def _pipes(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown(text: str) -> str:
    escaped = re.sub(r"([\\`*_\[\]|])", r"\\\1", text)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", escaped.replace("&", "&amp;")).replace("\n", " ")


def _markdown_cell(cell: Cell, column: Column) -> str:
    value = _markdown(text_of(cell, column.kind))
    value = {"best": f"**{value}**", "second": f"*{value}*", None: value}[cell.rank]
    value += "".join(f", {_markdown(tag)}" for tag in cell.tags)
    for raised in (cell.letter, _marks(cell)):
        value += f" <sup>{raised}</sup>" if raised else ""
    interval = interval_of(cell, column.kind)
    return value + (f" <sub>{interval}</sub>" if interval else "")


def to_latex(table: Table) -> str:
    """Return a table float for booktabs: best bold, second underlined, intervals small, marks raised.

    The caption contains the title and all notes, so that the test and its correction stay with the table. A
    table wider than the text column is scaled down to it.
    """
    alignment = "".join("l" if column.kind == "text" else "r" for column in table.columns)
    lines = [
        "% needs \\usepackage{booktabs,graphicx}",
        "\\begin{table}[t]",
        "\\centering",
        "\\small",
        f"\\caption{{{_latex(table.title)}. {' '.join(_latex(note) for note in table.notes)}}}",
        f"\\label{{tab:{table.id}}}",
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        "\\toprule",
        _latex_row(map(_latex_heading, table.columns)),
        "\\midrule",
    ]
    for index, row in enumerate(table.rows):
        if table.starts_group(index):
            lines.append("\\addlinespace")
        lines.append(_latex_row(map(_latex_cell, row, table.columns)))
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}}", "\\end{table}"]) + "\n"


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + " \\\\"


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
        "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"$<$", ">": r"$>$",
        "[": "{[}", "]": "{]}",
        "×": r"$\times$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", MISSING: "--",
    }
)  # fmt: skip


def _latex(text: str) -> str:
    return text.translate(_LATEX)


def _latex_heading(column: Column) -> str:
    return _latex(column.heading) + ("" if column.queries is None else f" ($n={column.queries}$)")


def _latex_cell(cell: Cell, column: Column) -> str:
    value = _latex(text_of(cell, column.kind))
    if column.kind != "text" and cell.value is not None:
        value = value.replace("-", "$-$")
    value = {"best": rf"\textbf{{{value}}}", "second": rf"\underline{{{value}}}", None: value}[cell.rank]
    value += "".join(rf" \emph{{({_latex(tag)})}}" for tag in cell.tags)
    raised = [rf"\{'uparrow' if mark.above else 'downarrow'} {mark.letter}" for mark in cell.marks]
    raised += [cell.letter] if cell.letter else []
    marks = f"$^{{{' '.join(raised)}}}$" if raised else ""
    interval = interval_of(cell, column.kind)
    return value + marks + (rf" {{\scriptsize {interval}}}" if interval else "")
