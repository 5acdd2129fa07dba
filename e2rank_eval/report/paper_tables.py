"""A table of the paper: its own shape with our values under the published ones, and every cell in full."""

from __future__ import annotations

from collections.abc import Sequence

from e2rank_eval.paper.grid import Grid, grid
from e2rank_eval.report.collect import Results
from e2rank_eval.report.paper_cells import JudgedCell, judged_cells, tally
from e2rank_eval.report.quality_tables import SIGNIFICANT
from e2rank_eval.report.table import Cell, Column, Kind, Mark, Table
from e2rank_eval.store import layout as places

_SECONDS = "seconds per query"
"""The unit of tables of latency; every other is x 100."""


def paper_table(results: Results, name: str) -> Table:
    """Return the table as printed: each system's published row; where it is run, ours and the difference."""
    found = grid(results.configuration, name)
    cells = judged_cells(results, found)
    rows, groups = [], []
    for system in found.systems:
        own = [cell for cell in cells if cell.grid.system == system]
        for row in _rows(system, own):
            rows.append(row)
            groups.append(system)
    columns = [Column("system", "text"), Column("value", "text")]
    columns += [Column(column, "score", _queries(cells, column)) for column in found.columns]
    columns.append(Column("verdicts", "text"))
    return Table(
        name, _title(found), tuple(columns), tuple(rows), _notes(results, found, cells), tuple(groups)
    )


def cells_table(results: Results, name: str) -> Table:
    """Return every cell of the table as a row, with its test, its verdict and the command that makes it."""
    found = grid(results.configuration, name)
    cells = judged_cells(results, found)
    kinds: list[tuple[str, Kind]] = [
        ("system", "text"), ("column", "text"), ("ours", "score"), ("published", "score"),
        ("difference", "difference"), ("queries", "count"), ("interval holds published", "text"),
        ("against baseline", "difference"), ("detectable", "score"),
        ("p after Holm", "p"), ("verdict", "text"), ("command", "text"),
    ]  # fmt: skip
    rows = tuple(_full_row(cell) for cell in cells)
    return Table(
        f"{name}-cells",
        f"{_title(found)}: every cell",
        tuple(Column(heading, kind) for heading, kind in kinds),
        rows,
        _notes(results, found, cells),
        tuple(cell.grid.system for cell in cells),
    )


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
        rows.append((name, Cell("difference"), *(Cell(cell.difference) for cell in cells), Cell("")))
    return rows


def _ours(cell: JudgedCell) -> Cell:
    if cell.ours is None:
        return Cell(None)
    marks: tuple[Mark, ...] = ()
    if cell.test is not None and cell.test.p_holm is not None and cell.test.p_holm < SIGNIFICANT:
        marks = (Mark("a", cell.test.difference > 0),)
    return Cell(cell.ours.value, cell.ours.interval, marks)


def _full_row(cell: JudgedCell) -> tuple[Cell, ...]:
    ours = cell.ours
    inside = {True: "yes", False: "no", None: None}[cell.inside]
    return (
        Cell(cell.grid.system),
        Cell(cell.grid.column),
        Cell(ours.value, ours.interval) if ours else Cell(None),
        Cell(cell.published),
        Cell(cell.difference),
        Cell(ours.queries if ours else None),
        Cell(inside),
        Cell(cell.test.difference if cell.test else None),
        Cell(cell.test.detectable if cell.test else None),
        Cell(cell.test.p_holm if cell.test else None),
        Cell(cell.verdict),
        Cell("; ".join(cell.commands)),
    )


def _queries(cells: Sequence[JudgedCell], column: str) -> int | None:
    """How many queries our values of a column are over, where all are over as many."""
    counts = {cell.ours.queries for cell in cells if cell.grid.column == column and cell.ours}
    return counts.pop() if len(counts) == 1 else None


def _notes(results: Results, found: Grid, cells: Sequence[JudgedCell]) -> tuple[str, ...]:
    tolerance = found.meaning.tolerance
    notes = [
        f"Verdicts: reproduced within {tolerance.reproduced:g} and our interval, near within "
        f"{tolerance.near:g}, differs beyond; not run: the published value alone. {tally(cells)}."
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
        config = results.layout.path(places.CONFIG)
        notes.append(f"–: not stored yet; `snakemake {found.id} --configfile {config}` makes it.")
    if alone := [system for system in found.systems if not _is_run(cells, system)]:
        notes.append(f"Published values only: {', '.join(alone)}.")
    return (*notes, *((found.settings.note,) if found.settings.note else ()))


def _is_run(cells: Sequence[JudgedCell], system: str) -> bool:
    return any(cell.grid.sources for cell in cells if cell.grid.system == system)


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"
