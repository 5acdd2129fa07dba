"""Every cell of a paper's table judged: ours beside published, test, verdict, what it needs, command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from e2rank_eval.evaluation import significance
from e2rank_eval.evaluation.comparison import FEWEST_QUERIES
from e2rank_eval.evaluation.power import smallest_difference
from e2rank_eval.paper.grid import Grid, GridCell, LatencySource, RunSource, Source, TaskSource
from e2rank_eval.paper.reproduction import command as reproduce_command
from e2rank_eval.paper.verdicts import Verdict, verdict
from e2rank_eval.planning.availability import Availability
from e2rank_eval.report.collect import Results
from e2rank_eval.report.measured import Measured, Measurements
from e2rank_eval.store import layout as places


@dataclass(frozen=True, slots=True)
class Test:
    """A paired test against the table's baseline row; ``p_holm`` is corrected over the table's tests.

    ``detectable`` is the smallest difference that it could be expected to find, of one collection.
    """

    __test__ = False

    difference: float
    p: float
    detectable: float | None
    p_holm: float | None = None


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
    tests = _tests(results.configuration.seed, grid, ours)
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
    judged = verdict(
        found.value if found else None,
        printed.value if printed else None,
        grid.meaning.tolerance,
        found.interval if found else None,
    )
    return JudgedCell(
        shown, found, tests.get(key), judged, () if found else needed.of(cell), needed.commands(cell)
    )


def _tests(
    seed: int, grid: Grid, ours: dict[tuple[str, str], Measured | None]
) -> dict[tuple[str, str], Test]:
    """Paired randomisation tests against the baseline's row, wherever both have per-query values."""
    found: dict[tuple[str, str], Test] = {}
    baseline = grid.settings.baseline
    for (system, column), measured in ours.items():
        reference = ours.get((baseline, column)) if baseline and system != baseline else None
        differences = _differences(measured, reference)
        if differences is not None and sum(map(len, differences)) >= FEWEST_QUERIES:
            p = significance.randomisation_p(differences, seed=seed)
            detectable = smallest_difference(differences[0]) if len(differences) == 1 else None
            found[system, column] = Test(significance.mean(differences), p, detectable)
    corrected = significance.holm([test.p for test in found.values()])
    return {key: replace(test, p_holm=p) for (key, test), p in zip(found.items(), corrected, strict=True)}


def _differences(one: Measured | None, other: Measured | None) -> list[list[float]] | None:
    """Per-query differences by collection; None where the two have not the same queries."""
    if one is None or other is None or not one.strata or len(one.strata) != len(other.strata):
        return None
    pairs = list(zip(one.strata, other.strata, strict=True))
    if any(a.keys() != b.keys() for a, b in pairs):
        return None
    return [[a[query] - b[query] for query in sorted(a)] for a, b in pairs]


class _Needs:
    """What is missing for cells without a value, and the commands that make each one."""

    def __init__(self, results: Results, measurements: Measurements) -> None:
        self._results = results
        self._measurements = measurements
        self._availability = Availability(results.configuration)

    def of(self, cell: GridCell) -> tuple[str, ...]:
        """The cell's own reason, else what this machine lacks, else that nobody ran it yet."""
        if not cell.sources:
            return (cell.needs,)
        missing = self._measurements.missing(cell)
        lacks = [reason for source in missing for reason in self._availability.lacks(source)]
        return tuple(dict.fromkeys(lacks)) or ("not run yet: its command makes it",)

    def commands(self, cell: GridCell) -> tuple[str, ...]:
        """What a reader copies to make the cell, one line for each of its parts."""
        return tuple(self._command(source) for source in cell.sources)

    def _command(self, source: Source) -> str:
        layout = self._results.layout
        if isinstance(source, TaskSource):
            results = layout.path(places.MTEB) / "results"
            return f"# {source.task} with {source.model}: a result file of mteb below {results}"
        if isinstance(source, RunSource) and source.published_run is not None:
            own = source.dataset and self._results.path(places.METRICS, source.key).exists()
            if not own:
                return reproduce_command(source.published_run)
        pattern = places.LATENCY if isinstance(source, LatencySource) else places.METRICS
        target = str(self._results.path(pattern, source.key))
        return shlex.join(["snakemake", target, "--configfile", str(layout.path(places.CONFIG))])


def tally(cells: Sequence[JudgedCell]) -> str:
    """``2 reproduced, 1 near``: how many cells have each verdict, in the order of verdicts."""
    order: tuple[Verdict, ...] = ("reproduced", "near", "differs", "not run", "not published")
    counts = {name: sum(cell.verdict == name for cell in cells) for name in order}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)
