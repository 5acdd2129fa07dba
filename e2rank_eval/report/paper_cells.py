"""Every cell of a paper's table judged: ours beside published, test, verdict, what it needs, command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from e2rank_eval.paper.grid import Grid, GridCell, LatencySource, RunSource, Source, TaskSource
from e2rank_eval.paper.mteb_tasks import entry_of
from e2rank_eval.paper.reproduction import command as reproduce_command
from e2rank_eval.paper.structure import Verdict
from e2rank_eval.planning.availability import Availability
from e2rank_eval.report.collect import Results
from e2rank_eval.report.measured import Measured, Measurements
from e2rank_eval.report.paper_tests import Test, paired_tests
from e2rank_eval.store import layout as places


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """One cell of the grid with our value, where there is one, and what can be said of it."""

    grid: GridCell
    ours: Measured | None
    test: Test | None
    verdict: Verdict
    needs: tuple[str, ...]
    commands: tuple[str, ...]

    @property
    def published(self) -> float | None:
        return None if self.grid.published is None else self.grid.published.value

    @property
    def difference(self) -> float | None:
        if self.ours is None or self.published is None:
            return None
        return self.ours.value - self.published

    @property
    def inside(self) -> bool | None:
        """Whether our 95 % interval holds the published value; None without one of the two."""
        if self.ours is None or self.ours.interval is None or self.published is None:
            return None
        low, high = self.ours.interval
        return low <= self.published <= high


def judged_cells(results: Results, grid: Grid) -> list[JudgedCell]:
    """Every cell of ``grid`` in print order, from whatever results are stored."""
    measurements = Measurements(results)
    ours = {(cell.system, cell.column): measurements.cell(cell) for cell in grid.cells}
    needed = _Needs(results, measurements)
    tests = paired_tests(grid, ours, seed=results.whole.seed)
    return [_judged(grid, cell, ours, tests, needed) for cell in grid.cells]


def _judged(
    grid: Grid,
    cell: GridCell,
    ours: dict[tuple[str, str], Measured | None],
    tests: dict[tuple[str, str], Test],
    needed: _Needs,
) -> JudgedCell:
    # What stands in for the paper's systems and collections reproduces none of its values.
    printed = None if grid.stand_ins else cell.published
    shown = replace(cell, published=printed)
    key = (cell.system, cell.column)
    found = ours[key]
    judged = grid.meaning.tolerance.verdict(
        found.value if found else None,
        printed.value if printed else None,
        found.interval if found else None,
    )
    return JudgedCell(
        shown, found, tests.get(key), judged, () if found else needed.of(cell), needed.commands(cell)
    )


class _Needs:
    """What is missing for cells without a value, and the commands that make each one."""

    def __init__(self, results: Results, measurements: Measurements) -> None:
        self._results = results
        self._measurements = measurements
        self._availability = Availability(results.whole)

    def of(self, cell: GridCell) -> tuple[str, ...]:
        """The cell's own reason, else what this machine lacks, else that nobody ran it yet."""
        if not cell.sources:
            return (cell.needs,)
        missing = self._measurements.missing(cell)
        lacks = [reason for source in missing for reason in self._availability.lacks(source)]
        return tuple(dict.fromkeys(lacks)) or ("not run yet: its command makes it",)

    def commands(self, cell: GridCell) -> tuple[str, ...]:
        """What a reader copies to make the cell, one line for each of its parts."""
        return tuple(dict.fromkeys(self._command(source) for source in cell.sources))

    def _command(self, source: Source) -> str:
        if isinstance(source, TaskSource):
            return self._task_command(source)
        if isinstance(source, RunSource) and source.published_run is not None:
            own = source.dataset and self._results.path(places.METRICS, source.key).exists()
            if not own:
                return reproduce_command(source.published_run)
        pattern = places.LATENCY if isinstance(source, LatencySource) else places.METRICS
        return self._snakemake(self._results.path(pattern, source.key))

    def _task_command(self, source: TaskSource) -> str:
        entry = entry_of(self._results.whole, source.model, source.task, source.benchmark)
        layout = self._results.layout
        if entry is not None:
            return self._snakemake(layout.path(places.MTEB_RECORD, entry=entry, system=source.model))
        config = str(layout.path(places.CONFIG))
        return shlex.join(
            ["e2rank-eval", "mteb", source.model, "--benchmark", source.benchmark, "--config", config]
        )

    def _snakemake(self, target: Path) -> str:
        config = str(self._results.layout.path(places.CONFIG))
        return shlex.join(["snakemake", str(target), "--configfile", config])


def tally(cells: Sequence[JudgedCell]) -> str:
    """``2 reproduced, 1 near``: how many cells have each verdict, in the order of verdicts."""
    order: tuple[Verdict, ...] = ("reproduced", "near", "differs", "not run", "not published")
    counts = {name: sum(cell.verdict == name for cell in cells) for name in order}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)
