"""Tables as CSV, Markdown and LaTeX; HTML, the form with links, is in render_html."""

from __future__ import annotations

import csv
import io
import re

from e2rank_eval.report.table import (
    MISSING,
    Cell,
    Column,
    Table,
    heading_of,
    number,
    text_of,
)


def to_csv(table: Table) -> str:
    """One line per row; a column with intervals is followed by its low and high ends, marks by theirs.

    Numbers carry the decimals of every other form but no thousands separators; a missing one is empty.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    extras = [_extras(table, position) for position in range(len(table.columns))]
    header: list[str] = []
    for column, (intervals, marks) in zip(table.columns, extras, strict=True):
        header.append(heading_of(column))
        header += [f"{column.heading} {end}" for end in ("low", "high")] if intervals else []
        header += [f"{column.heading} significance"] if marks else []
    writer.writerow(header)
    for row in table.rows:
        fields: list[str] = []
        for cell, column, (intervals, marks) in zip(row, table.columns, extras, strict=True):
            fields.append(_csv_value(cell, column))
            if intervals:
                ends = cell.interval or ()
                fields += [number(end, column.kind).replace(",", "") for end in ends] or ["", ""]
            if marks:
                fields.append(_marks(cell))
        writer.writerow(fields)
    return buffer.getvalue()


def _extras(table: Table, position: int) -> tuple[bool, bool]:
    cells = [row[position] for row in table.rows]
    return any(cell.interval for cell in cells), any(cell.marks for cell in cells)


def _csv_value(cell: Cell, column: Column) -> str:
    if cell.value is None:
        return ""
    if isinstance(cell.value, str):
        return ", ".join((cell.value, *cell.tags))
    return text_of(cell, column.kind).replace(",", "")


def _marks(cell: Cell) -> str:
    return " ".join(f"{'↑' if mark.above else '↓'}{mark.letter}" for mark in cell.marks)


def _interval(cell: Cell, column: Column) -> str:
    if cell.interval is None:
        return ""
    low, high = (number(end, column.kind) for end in cell.interval)
    return f"[{low}, {high}]"


def to_markdown(table: Table) -> str:
    """A pipe table with its title above and its notes below; best bold, second best in italics."""
    lines = [f"**{_markdown(table.title)}**", ""]
    lines.append(_pipes(_markdown(heading_of(column)) for column in table.columns))
    lines.append(_pipes(":--" if column.kind == "text" else "--:" for column in table.columns))
    for row in table.rows:
        pairs = zip(row, table.columns, strict=True)
        lines.append(_pipes(_markdown_cell(cell, column) for cell, column in pairs))
    notes = [_markdown(note.replace("underlined", "in italics")) for note in table.notes]
    return "\n".join([*lines, "", *(f"{note}  " for note in notes)]).rstrip() + "\n"


def _pipes(cells: object) -> str:
    return "| " + " | ".join(cells) + " |"  # type: ignore[arg-type]


def _markdown(text: str) -> str:
    escaped = re.sub(r"([\\`*_\[\]|])", r"\\\1", text)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", escaped.replace("&", "&amp;")).replace("\n", " ")


def _markdown_cell(cell: Cell, column: Column) -> str:
    value = _markdown(text_of(cell, column.kind))
    value = {"best": f"**{value}**", "second": f"*{value}*", None: value}[cell.rank]
    tags = "".join(f", {_markdown(tag)}" for tag in cell.tags)
    letter = f" <sup>{cell.letter}</sup>" if cell.letter else ""
    marks = f" <sup>{_marks(cell)}</sup>" if cell.marks else ""
    interval = _interval(cell, column)
    return value + tags + letter + marks + (f" <sub>{interval}</sub>" if interval else "")


def to_latex(table: Table) -> str:
    """A table float for booktabs: best bold, second underlined, intervals small, marks raised.

    The caption is the title and all notes, so that the number of queries, the test and its
    correction go wherever the table goes. A table wider than its column is scaled down to it.
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
        _latex_row(_latex_heading(column) for column in table.columns),
        "\\midrule",
    ]
    for index, row in enumerate(table.rows):
        if index and table.groups and table.groups[index] != table.groups[index - 1]:
            lines.append("\\addlinespace")
        lines.append(_latex_row(_latex_cell(c, k) for c, k in zip(row, table.columns, strict=True)))
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}}", "\\end{table}"]) + "\n"


def _latex_row(cells: object) -> str:
    return " & ".join(cells) + " \\\\"  # type: ignore[arg-type]


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"$<$", ">": r"$>$",
    "[": "{[}", "]": "{]}",
    "×": r"$\times$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", MISSING: "--",
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _latex_heading(column: Column) -> str:
    if column.queries is None:
        return _latex(column.heading)
    return f"{_latex(column.heading)} ($n={column.queries}$)"


def _latex_cell(cell: Cell, column: Column) -> str:
    value = _latex(text_of(cell, column.kind))
    if column.kind != "text":
        value = value.replace("-", "$-$") if cell.value is not None else value
    value = {"best": rf"\textbf{{{value}}}", "second": rf"\underline{{{value}}}", None: value}[cell.rank]
    value += "".join(rf" \emph{{({_latex(tag)})}}" for tag in cell.tags)
    raised = [rf"\{'uparrow' if mark.above else 'downarrow'} {mark.letter}" for mark in cell.marks]
    raised += [cell.letter] if cell.letter else []
    marks = f"$^{{{' '.join(raised)}}}$" if raised else ""
    interval = _interval(cell, column)
    return value + marks + (rf" {{\scriptsize {interval}}}" if interval else "")
