"""Which runs, timings, public runs and MTEB jobs an artefact is made of, and which this machine can make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from e2rank_eval.config import Configuration, FigureArtefact, TableArtefact
from e2rank_eval.paper.grid import LatencySource, RunSource, Source, TaskSource, grid
from e2rank_eval.paper.mteb_tasks import entry_of
from e2rank_eval.planning.availability import Availability

RunKey = tuple[str, str, str]
"""(data set, first stage, reranker)."""

MtebJob = tuple[str, str]
"""(entry of section mteb, model)."""


@dataclass(frozen=True)
class ArtefactRuns:
    """The sources of every artefact of a configuration.

    Raises :class:`InputError` from every method when a table's row is not one of the paper's.
    """

    configuration: Configuration
    origin: str = ""

    @cached_property
    def _sources(self) -> dict[str, list[Source]]:
        return {name: list(self._found(name)) for name in self.configuration.artefacts}

    def _found(self, name: str) -> Iterator[Source]:
        artefact = self.configuration.artefacts[name]
        if isinstance(artefact, TableArtefact):
            yield from grid(self.configuration, name, self.origin).sources()
        elif artefact.figure == "bars":
            yield from self._found(str(artefact.of))
        elif artefact.figure == "frontier":
            timed = self.configuration.latency[str(artefact.of)]
            for reranker in timed.rerankers:
                yield RunSource(timed.dataset, timed.first_stage, reranker)
                yield LatencySource(timed.dataset, timed.first_stage, reranker, "total")
        elif artefact.figure == "sweep":
            sweep = self.configuration.sweeps[str(artefact.of)]
            yield from _runs(sweep.datasets, sweep.first_stage, sweep.systems)
        else:
            yield from _runs(artefact.datasets, str(artefact.first_stage), artefact.systems)

    def is_figure(self, name: str) -> bool:
        """Whether an artefact is drawn from whole runs: a bar chart is a table's, filled as far as it ran."""
        artefact = self.configuration.artefacts[name]
        return isinstance(artefact, FigureArtefact) and artefact.figure != "bars"

    def sources(self, name: str) -> list[Source]:
        return self._sources[name]

    def runs(self, name: str) -> list[RunKey]:
        """Runs that are evaluated."""
        found = (one for one in self.sources(name) if isinstance(one, RunSource) and one.dataset)
        return list(dict.fromkeys(one.key for one in found))

    def timings(self, name: str) -> list[RunKey]:
        found = (one for one in self.sources(name) if isinstance(one, LatencySource))
        return list(dict.fromkeys(one.key for one in found))

    def published_runs(self, name: str) -> list[str]:
        found = (one.published_run for one in self.sources(name) if isinstance(one, RunSource))
        return list(dict.fromkeys(run for run in found if run is not None))

    def mteb_jobs(self, name: str) -> list[MtebJob]:
        """Jobs of the configuration's mteb entries that score the artefact's tasks."""
        found = (self._mteb_job(one) for one in self.sources(name) if isinstance(one, TaskSource))
        return list(dict.fromkeys(job for job in found if job is not None))

    def _mteb_job(self, source: TaskSource) -> MtebJob | None:
        entry = entry_of(self.configuration, source.model, source.task, source.benchmark)
        return None if entry is None else (entry, source.model)

    def names(self, artefact: str) -> list[str]:
        """The runs and timings of an artefact, as :meth:`left_out` calls them."""
        return [*map(spoken, self.runs(artefact)), *map(spoken_timing, self.timings(artefact))]

    def left_out(self) -> dict[str, list[str]]:
        """What this machine cannot make, by :func:`spoken` name, with all that it lacks.

        Covers the runs, timings, public runs and MTEB jobs of all artefacts; asks no more of a network
        than whether hosts answer.
        """
        availability = Availability(self.configuration)
        found: dict[str, list[str]] = {}
        for source in chain.from_iterable(map(self.sources, self.configuration.artefacts)):
            if isinstance(source, RunSource) and source.published_run is not None:
                reason = availability.published_run(source.published_run)
                found[source.published_run] = [reason] if reason else []
            if name := self._name(source):
                found[name] = availability.lacks_of_own(source)
        return {name: reasons for name, reasons in found.items() if reasons}

    def _name(self, source: Source) -> str | None:
        if isinstance(source, TaskSource):
            job = self._mteb_job(source)
            return None if job is None else spoken(job)
        if not source.dataset:
            return None
        return spoken_timing(source.key) if isinstance(source, LatencySource) else spoken(source.key)


def spoken(key: RunKey | MtebJob) -> str:
    """``dl19/bm25/e2rank-0.6b``, or ``v1/e2rank-0.6b`` of an MTEB job."""
    return "/".join(key)


def spoken_timing(key: RunKey) -> str:
    """``latency/dl19/bm25/e2rank-0.6b``."""
    return f"latency/{spoken(key)}"


def _runs(datasets: list[str], first_stage: str, rerankers: list[str]) -> Iterator[RunSource]:
    for dataset in datasets:
        for reranker in rerankers:
            yield RunSource(dataset, first_stage, reranker)
