"""Every cell of a paper's table judged: ours beside published, test, verdict, the command for it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2rank_eval.config.references import file_name
from e2rank_eval.paper.grid import Grid, GridCell, LatencySource, RunSource, Source, TaskSource, entry_of
from e2rank_eval.paper.reproduction import command as reproduce_command
from e2rank_eval.paper.structure import Verdict
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
        """Return whether our 95 % interval holds the published value; None without one of the two."""
        if self.ours is None or self.ours.interval is None or self.published is None:
            return None
        low, high = self.ours.interval
        return low <= self.published <= high


def judged_cells(results: Results, grid: Grid) -> list[JudgedCell]:
    """Return every cell of ``grid`` in print order, from whatever results are stored."""
    measurements = Measurements(results)
    ours = {(cell.system, cell.column): measurements.cell(cell) for cell in grid.cells}
    tests = paired_tests(grid, ours, seed=results.configuration.seed)
    return [_judged(results, grid, cell, ours, tests) for cell in grid.cells]


def _judged(
    results: Results,
    grid: Grid,
    cell: GridCell,
    ours: Mapping[tuple[str, str], Measured | None],
    tests: Mapping[tuple[str, str], Test],
) -> JudgedCell:
    key = (cell.system, cell.column)
    found, printed = ours[key], cell.published
    judged = grid.meaning.tolerance.verdict(
        found.value if found else None,
        printed.value if printed else None,
        found.interval if found else None,
    )
    commands = tuple(dict.fromkeys(_command(results, source) for source in cell.sources))
    return JudgedCell(cell, found, tests.get(key), judged, commands)


def _command(results: Results, source: Source) -> str:
    """What a reader copies to make a result."""
    layout = results.layout
    config = results.configuration.origin
    if isinstance(source, TaskSource):
        entry = entry_of(results.configuration, source)
        if entry is None:
            arguments = [source.model, "--benchmark", source.benchmark, "--config", config]
            return shlex.join(["e2rank-eval", "mteb", *arguments])
        target = layout.path(places.MTEB_RECORD, entry=entry, system=file_name(source.model))
    elif isinstance(source, RunSource) and not source.dataset:
        return reproduce_command(str(source.published_run))
    else:
        pattern = places.LATENCY if isinstance(source, LatencySource) else places.METRICS
        target = results.path(pattern, source.key)
    return shlex.join(["snakemake", str(target), "--configfile", config])


def tally(cells: Sequence[JudgedCell]) -> str:
    """``2 reproduced, 1 near``: how many cells have each verdict, in the order of verdicts."""
    order: tuple[Verdict, ...] = ("reproduced", "near", "differs", "not run", "not published")
    counts = {name: sum(cell.verdict == name for cell in cells) for name in order}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)
