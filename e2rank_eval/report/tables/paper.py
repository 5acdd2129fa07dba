"""Tables of the paper: in the paper's layout with our values below the published ones, and cell by cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration
from e2rank_eval.paper.grid import Grid, grid, sources
from e2rank_eval.report.paper_cells import JudgedCell, judged_cells, result_file, tally
from e2rank_eval.report.table import Cell, Column, Mark, Table
from e2rank_eval.report.tables import TABLES
from e2rank_eval.report.tables.comparison import SIGNIFICANT, significant

if TYPE_CHECKING:
    from e2rank_eval.report.collect import Results

_SECONDS = "seconds per query"
"""The unit of latency tables; all others are x 100."""


def result_files(configuration: Configuration, name: str) -> Iterator[str]:
    """Yield the stored results of a table of the paper, or of a figure of one of its columns."""
    for source in sources(configuration, name):
        if file := result_file(configuration, source):
            yield file


@TABLES.register("paper", "tables", result_files)
def paper_table(results: Results, name: str) -> Table:
    """A table of the paper: our values below the published ones, with differences and verdicts."""
    found = grid(results.configuration, name)
    cells = judged_cells(results, found)
    rows, groups = [], []
    for system in found.systems:
        own = [cell for cell in cells if cell.grid.system == system]
        for row in _rows(system, own):
            rows.append(row)
            groups.append(system)
    columns = [Column("system"), Column("value")]
    columns += [Column(column, "score", _queries(cells, column)) for column in found.columns]
    columns.append(Column("verdicts"))
    return Table.of(name, _title(found), columns, rows, _notes(results, found, cells), groups)


@TABLES.register("paper-cells", "tables", result_files, "{}-cells")
def cells_table(results: Results, name: str) -> Table:
    """Every cell of a table of the paper, with its test, its verdict and the command that makes it."""
    found = grid(results.configuration, name)
    cells = judged_cells(results, found)
    columns = (
        "system", "column", ("ours", "score"), ("published", "score"), ("difference", "difference"),
        ("queries", "count"), "interval holds published", ("against baseline", "difference"),
        ("detectable", "score"), ("p after Holm", "p"), "verdict", "command",
    )  # fmt: skip
    rows = map(_full_row, cells)
    groups = [cell.grid.system for cell in cells]
    title = f"{_title(found)}: every cell"
    return Table.of(f"{name}-cells", title, columns, rows, _notes(results, found, cells), groups)


def _title(found: Grid) -> str:
    where = _SECONDS if found.unit == _SECONDS else "× 100"
    return f"Table {found.settings.table} of the paper: {found.meaning.title} ({where})"


def _rows(system: str, cells: Sequence[JudgedCell]) -> list[tuple[Cell, ...]]:
    name, runs = Cell(system), any(cell.grid.sources for cell in cells)
    verdicts = Cell(tally([cell for cell in cells if cell.published is not None or not cell.ours]))
    published = (Cell(cell.published) for cell in cells)
    rows = [(name, Cell("published"), *published, Cell("") if runs else verdicts)]
    if runs:
        rows.append((name, Cell("ours"), *(_ours(cell) for cell in cells), verdicts))
    if any(cell.ours for cell in cells):
        rows.append((name, Cell("difference"), *(Cell(cell.difference) for cell in cells), Cell("")))
    return rows


def _ours(cell: JudgedCell) -> Cell:
    if cell.ours is None:
        return Cell(None)
    marks: tuple[Mark, ...] = ()
    if cell.test is not None and significant(cell.test.p_holm):
        marks = (Mark("a", cell.test.difference > 0),)
    return Cell(cell.ours.value, cell.ours.interval, marks)


def _full_row(cell: JudgedCell) -> tuple[Cell | str | float | None, ...]:
    ours, test = cell.ours, cell.test
    return (
        cell.grid.system, cell.grid.column,
        Cell(ours.value, ours.interval) if ours else None,
        cell.published, cell.difference,
        ours.queries if ours else None,
        {True: "yes", False: "no", None: None}[cell.inside],
        *((test.difference, test.detectable, test.p_holm) if test else (None, None, None)),
        cell.verdict, "; ".join(cell.commands),
    )  # fmt: skip


def _queries(cells: Sequence[JudgedCell], column: str) -> int | None:
    """Return the number of queries of our values in a column; None where the values differ in it."""
    counts = {cell.ours.queries for cell in cells if cell.grid.column == column and cell.ours}
    return counts.pop() if len(counts) == 1 else None


def _notes(results: Results, found: Grid, cells: Sequence[JudgedCell]) -> tuple[str, ...]:
    tolerance = found.meaning.tolerance
    notes = [
        f"Verdicts: reproduced: at most {tolerance.reproduced:g} from the published value; near: at most "
        f"{tolerance.near:g}; differs: more; not run: no value of ours. {tally(cells)}."
    ]
    if any(cell.ours and cell.ours.interval for cell in cells):
        notes.append("In brackets the bootstrap 95 % interval of our mean over queries (n).")
    tests = [cell.test for cell in cells if cell.test is not None]
    if tests:
        notes.append(
            f"↑ or ↓ a: significantly above or below {found.settings.baseline}; paired two-sided "
            f"randomisation test over queries, Holm's correction over {_tests(tests[0].hypotheses)}, "
            f"p < {SIGNIFICANT}."
        )
    if any(cell.grid.sources and cell.ours is None for cell in cells):
        command = f"snakemake {found.id} --configfile {results.configuration.origin}"
        notes.append(f'–: not stored; "{command}" computes the values that datasets and systems select.')
    if alone := [system for system in found.systems if not _is_run(cells, system)]:
        notes.append(f"Published values only: {', '.join(alone)}.")
    return (*notes, *((found.settings.note,) if found.settings.note else ()))


def _is_run(cells: Sequence[JudgedCell], system: str) -> bool:
    return any(cell.grid.sources for cell in cells if cell.grid.system == system)


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"
