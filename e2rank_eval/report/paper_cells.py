"""The cells of a paper table: our value from stored results, its test, the verdict and the command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2rank_eval.config import Configuration
from e2rank_eval.config.references import file_name
from e2rank_eval.evaluation.comparison import FEWEST_QUERIES
from e2rank_eval.evaluation.significance import (
    bootstrap_interval,
    holm,
    mean,
    minimum_detectable_difference,
    randomisation_p,
)
from e2rank_eval.paper.grid import Grid, GridCell, LatencySource, RunSource, Source, TaskSource, entry_of
from e2rank_eval.paper.published import Verdict
from e2rank_eval.paper.reproduction import command as reproduce_command
from e2rank_eval.report.collect import Results
from e2rank_eval.report.names import HEADLINE
from e2rank_eval.store import layout as places
from e2rank_eval.store.results import Interval, Metrics

Place = tuple[str, str]
"""(system, column)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Our value of a cell in the table's unit; ``strata`` has per-query values for each collection.

    ``interval`` is the bootstrap 95 % interval, or None; ``strata`` is empty where a part of the value has no
    per-query values.
    """

    value: float
    interval: Interval | None = None
    strata: tuple[Mapping[str, float], ...] = ()

    @property
    def queries(self) -> int | None:
        return sum(map(len, self.strata)) or None


@dataclass(frozen=True, slots=True)
class Test:
    """A paired test against the baseline; ``p_holm`` is corrected over the table's ``hypotheses``.

    ``detectable`` is the minimum detectable difference on one collection.
    """

    __test__ = False

    difference: float
    detectable: float | None
    p_holm: float | None
    hypotheses: int


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """One cell of the grid with our value (if any), its test, the verdict and the commands that make it."""

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
        """Whether our 95 % interval contains the published value; None where either is missing."""
        if self.ours is None or self.ours.interval is None or self.published is None:
            return None
        low, high = self.ours.interval
        return low <= self.published <= high


def judged_cells(results: Results, grid: Grid) -> list[JudgedCell]:
    """Return every cell of ``grid`` in print order; our value is None where a result is not stored.

    Raises
    ------
    InputError
        When a stored result is malformed.
    """
    ours = {(cell.system, cell.column): _measured(results, cell) for cell in grid.cells}
    tests = paired_tests(grid, ours, seed=results.configuration.seed)
    judged = []
    for cell in grid.cells:
        place = (cell.system, cell.column)
        found, printed = ours[place], cell.published
        verdict = grid.meaning.tolerance.verdict(
            found.value if found else None, printed.value if printed else None
        )
        commands = tuple(dict.fromkeys(_command(results, source) for source in cell.sources))
        judged.append(JudgedCell(cell, found, tests.get(place), verdict, commands))
    return judged


def tally(cells: Sequence[JudgedCell]) -> str:
    """Return the number of cells with each verdict, as in ``2 reproduced, 1 near``."""
    order: tuple[Verdict, ...] = ("reproduced", "near", "differs", "not run", "not published")
    counts = {name: sum(cell.verdict == name for cell in cells) for name in order}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def paired_tests(grid: Grid, ours: Mapping[Place, Measured | None], *, seed: int) -> dict[Place, Test]:
    """Return a paired randomisation test for every cell with values on the same queries as the baseline's.

    A hypothesis is a pair of results, those of a cell and those of the baseline. It counts once in Holm's
    correction, also where several cells show it. A cell with the same results as the baseline is not tested.
    """
    sources = {(cell.system, cell.column): frozenset(cell.sources) for cell in grid.cells}
    asked, samples = {}, {}
    for place, own in sources.items():
        against = (str(grid.settings.baseline), place[1])
        if own and own != sources.get(against, own):
            differences = _differences(ours[place], ours[against])
            if sum(map(len, differences)) >= FEWEST_QUERIES:
                asked[place] = (own, sources[against])
                samples[asked[place]] = differences
    raw = [randomisation_p(one, seed=seed) for one in samples.values()]
    corrected = dict(zip(samples, holm(raw), strict=True))
    tests = {
        hypothesis: Test(
            mean(one),
            minimum_detectable_difference(one[0]) if len(one) == 1 else None,
            corrected[hypothesis],
            len(samples),
        )
        for hypothesis, one in samples.items()
    }
    return {place: tests[hypothesis] for place, hypothesis in asked.items()}


def _differences(one: Measured | None, other: Measured | None) -> list[list[float]]:
    """Return per-query differences by collection; empty where the queries differ."""
    if one is None or other is None or [s.keys() for s in one.strata] != [s.keys() for s in other.strata]:
        return []
    pairs = zip(one.strata, other.strata, strict=True)
    return [[a[query] - b[query] for query in sorted(a)] for a, b in pairs]


def _measured(results: Results, cell: GridCell) -> Measured | None:
    """Return the mean over the cell's sources; None where one of them has no result yet."""
    parts = [part for source in cell.sources if (part := _part(results, source)) is not None]
    if not parts or len(parts) < len(cell.sources):
        return None
    if len(parts) == 1:
        return parts[0]
    value = sum(part.value for part in parts) / len(parts)
    strata = tuple(values for part in parts for values in part.strata)
    if len(strata) < len(parts):
        return Measured(value)
    ordered = [[values[query] for query in sorted(values)] for values in strata]
    low, high = bootstrap_interval(ordered, seed=results.configuration.seed)
    return Measured(value, (low, high), strata)


def _part(results: Results, source: Source) -> Measured | None:
    """Return one source's value; None where it is not stored."""
    if isinstance(source, RunSource):
        if source.run and results.path(places.METRICS, source.run).exists():
            return _quality(results.metrics(source.run))
        public = str(source.published_run)
        stored = results.layout.path(places.PUBLISHED_RUN, run=public).exists()
        return _quality(results.published_run(public)) if stored else None
    file = result_file(results.configuration, source)
    if file is None or not (results.layout.root / file).exists():
        return None
    if isinstance(source, TaskSource):
        record = results.mteb(str(entry_of(results.configuration, source)), source.model)
        score = next((one.score for one in record.tasks if one.task == source.task), None)
        return None if score is None else Measured(score)
    return _seconds(results, source)


def _seconds(results: Results, source: LatencySource) -> Measured:
    """Return mean wall-clock seconds per query, documents encoded online where that was timed."""
    timings = results.latency(str(results.configuration.timed_by(*source.run))).timings
    timing = next(one for one in timings if one.reranker == source.run[2])
    total, documents = timing.wall["total"], timing.wall.get("documents", (0.0,))
    if source.phase == "total":
        return Measured(mean([total]), bootstrap_interval([total], seed=results.configuration.seed))
    return Measured(mean([documents]) if source.phase == "documents" else mean([total]) - mean([documents]))


def _quality(metrics: Metrics) -> Measured:
    low, high = metrics.interval[HEADLINE]
    values = {query: 100 * value for query, value in metrics.per_query[HEADLINE].items()}
    return Measured(100 * metrics.mean[HEADLINE], (100 * low, 100 * high), (values,))


def result_file(configuration: Configuration, source: Source) -> str | None:
    """Return the path of a source's result below the results folder; None where no job makes it."""
    if isinstance(source, TaskSource):
        entry = entry_of(configuration, source)
        return places.MTEB_RECORD.format(entry=entry, system=file_name(source.model)) if entry else None
    if isinstance(source, LatencySource):
        return places.LATENCY.format(latency=configuration.timed_by(*source.run))
    if source.run is None:
        return places.PUBLISHED_RUN.format(run=source.published_run)
    dataset, first_stage, reranker = source.run
    return places.METRICS.format(dataset=dataset, first_stage=first_stage, reranker=reranker)


def _command(results: Results, source: Source) -> str:
    """Return the command that makes the result of a source."""
    config = results.configuration.origin
    if isinstance(source, RunSource) and source.run is None:
        return reproduce_command(str(source.published_run))
    file = result_file(results.configuration, source)
    if file is None and isinstance(source, TaskSource):
        arguments = [source.model, "--benchmark", source.benchmark, "--config", config]
        return shlex.join(["e2rank-eval", "mteb", *arguments])
    return shlex.join(["snakemake", f"{results.layout.root}/{file}", "--configfile", config])
