"""Our value of a table's cell, from whatever results are stored: mean, interval, per-query values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2rank_eval.config.references import file_name
from e2rank_eval.evaluation.significance import bootstrap_interval
from e2rank_eval.paper.grid import GridCell, LatencySource, RunSource, Source, TaskSource, entry_of
from e2rank_eval.report.collect import Results
from e2rank_eval.report.names import HEADLINE
from e2rank_eval.store import layout as places
from e2rank_eval.store.results import Interval, Metrics

_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class SourceValue:
    """One source's value in the table's unit; ``per_query`` is None where none is stored."""

    value: float
    interval: Interval | None = None
    per_query: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Our value of a cell in the table's unit; ``strata`` has per-query values for each collection.

    ``interval`` is the 95 % bootstrap interval over queries, None where there are no per-query values.
    """

    value: float
    interval: Interval | None
    strata: tuple[Mapping[str, float], ...]

    @property
    def queries(self) -> int | None:
        return sum(map(len, self.strata)) or None


class Measurements:
    """Reads a results folder; a result that is not there is None, a malformed one an error."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def cell(self, cell: GridCell) -> Measured | None:
        """The mean over the cell's sources; None where one of them has no result yet."""
        parts = [self.part(source) for source in cell.sources]
        found = [part for part in parts if part is not None]
        if not found or len(found) < len(parts):
            return None
        value = sum(part.value for part in found) / len(found)
        strata = tuple(part.per_query for part in found if part.per_query is not None)
        if len(strata) < len(found):
            return Measured(value, found[0].interval if len(found) == 1 else None, ())
        if len(found) == 1:
            return Measured(value, found[0].interval, strata)
        ordered = [[values[query] for query in sorted(values)] for values in strata]
        low, high = bootstrap_interval(ordered, seed=self._results.configuration.seed)
        return Measured(value, (low, high), strata)

    def part(self, source: Source) -> SourceValue | None:
        if isinstance(source, RunSource):
            return self._run(source)
        return self._latency(source) if isinstance(source, LatencySource) else self._task(source)

    def _run(self, source: RunSource) -> SourceValue | None:
        if source.dataset and self._results.path(places.METRICS, source.key).exists():
            return _quality(self._results.metrics(source.key))
        if source.published_run is not None:
            path = self._results.layout.path(places.PUBLISHED_RUN, run=source.published_run)
            if path.exists():
                return _quality(self._results.published_run(source.published_run))
        return None

    def _latency(self, source: LatencySource) -> SourceValue | None:
        if not self._results.path(places.LATENCY, source.key).exists():
            return None
        modes = self._results.latency(source.key).modes
        mode = modes.get("online") or next(iter(modes.values()))
        seconds = mode.seconds
        if source.phase == "total":
            return SourceValue(mode.mean, mode.interval)
        documents = _mean(seconds.get("documents", ()))
        return SourceValue(documents if source.phase == "documents" else mode.mean - documents)

    def _task(self, source: TaskSource) -> SourceValue | None:
        """A task's main score, as the record of its mteb entry has it."""
        entry = entry_of(self._results.configuration, source)
        if entry is None:
            return None
        if not self._results.layout.path(
            places.MTEB_RECORD, entry=entry, system=file_name(source.model)
        ).exists():
            return None
        scores = {one.task: one.score for one in self._results.mteb(entry, source.model).tasks}
        score = scores.get(source.task)
        return None if score is None else SourceValue(score)


def _quality(metrics: Metrics) -> SourceValue:
    low, high = metrics.interval[HEADLINE]
    values = {query: _PERCENT * value for query, value in metrics.per_query[HEADLINE].items()}
    return SourceValue(_PERCENT * metrics.mean[HEADLINE], (_PERCENT * low, _PERCENT * high), values)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
