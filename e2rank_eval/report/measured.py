"""Our value of a table's cell, from whatever results are stored: mean, interval, per-query values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2rank_eval.datasets.sources.kinds import HubSource
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.significance import bootstrap_interval
from e2rank_eval.models.registry import registered_model
from e2rank_eval.paper.grid import GridCell, LatencySource, RunSource, Source, TaskSource, entry_of
from e2rank_eval.report.collect import Results
from e2rank_eval.report.names import HEADLINE
from e2rank_eval.store import layout as places
from e2rank_eval.store.results import Interval, Metrics

_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Part:
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

    def part(self, source: Source) -> Part | None:
        if isinstance(source, RunSource):
            return self._run(source)
        return self._latency(source) if isinstance(source, LatencySource) else self._task(source)

    def _run(self, source: RunSource) -> Part | None:
        if source.dataset and self._results.path(places.METRICS, source.key).exists():
            return _quality(self._results.metrics(source.key))
        if source.published_run is not None:
            path = self._results.layout.path(places.PUBLISHED_RUN, run=source.published_run)
            if path.exists():
                return _quality(self._results.published_run(source.published_run))
        return None

    def _latency(self, source: LatencySource) -> Part | None:
        if not self._results.path(places.LATENCY, source.key).exists():
            return None
        modes = self._results.latency(source.key).modes
        mode = modes.get("online") or next(iter(modes.values()))
        seconds = mode.seconds
        if source.phase == "total":
            return Part(mode.mean, mode.interval)
        documents = _mean(seconds.get("documents", ()))
        return Part(documents if source.phase == "documents" else mode.mean - documents)

    def _task(self, source: TaskSource) -> Part | None:
        """A task's main score: as the record of its mteb entry has it, else as mteb's own result file has."""
        configuration, layout = self._results.configuration, self._results.layout
        entry = entry_of(configuration, source)
        if entry is None or not layout.path(places.MTEB_RECORD, entry=entry, system=source.model).exists():
            return self._result_file(source)
        scores = {one.task: one.score for one in self._results.mteb(entry, source.model).tasks}
        score = scores.get(source.task)
        return None if score is None else Part(score)

    def _result_file(self, source: TaskSource) -> Part | None:
        """The mean of the main scores of a task's splits and subsets."""
        folder = self._results.layout.path(places.MTEB) / "results"
        names = {source.model, *_repositories(source.model)}
        paths = sorted(
            path
            for path in folder.glob(f"*/*/{source.task}.json")
            if path.parent.parent.name.split("__")[-1] in names or path.parent.parent.name in names
        )
        if not paths:
            return None
        if len(paths) > 1:
            raise InputError(
                f"results of {source.task} for {len(paths)} revisions of {source.model}", path=paths[1],
                hint="keep the folder of one revision",
            )  # fmt: skip
        try:
            splits = self._results.mteb_result(paths[0])["scores"]
            scores = [float(row["main_score"]) for rows in splits.values() for row in rows]
            return Part(_PERCENT * sum(scores) / len(scores))
        except (KeyError, TypeError, AttributeError, ValueError, ZeroDivisionError) as error:
            raise InputError(
                f"no result file of mteb ({type(error).__name__}: {error})", path=paths[0],
                hint="evaluate the task again",
            ) from error  # fmt: skip


def _quality(metrics: Metrics) -> Part:
    low, high = metrics.interval[HEADLINE]
    values = {query: _PERCENT * value for query, value in metrics.per_query[HEADLINE].items()}
    return Part(_PERCENT * metrics.mean[HEADLINE], (_PERCENT * low, _PERCENT * high), values)


def _repositories(model: str) -> list[str]:
    """Folder names that mteb gives a model by its hub repository."""
    sources = registered_model(model).sources
    return [one.repository.replace("/", "__") for one in sources if isinstance(one, HubSource)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
