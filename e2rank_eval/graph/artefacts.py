"""Tables and figures of the paper: the files each is made of, and what this machine cannot make of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from e2rank_eval.graph.leader import led
from e2rank_eval.graph.systems import Systems
from e2rank_eval.planning.artefact_runs import ArtefactRuns, MtebJob, RunKey, spoken, spoken_timing
from e2rank_eval.planning.partial import made_here, not_stored, read_left_out
from e2rank_eval.report.index import paper_table_ids
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_json
from e2rank_eval.store.layout import Layout

TABLE_SUFFIXES = ("csv", "md", "tex", "html")
FIGURE_SUFFIXES = ("png", "svg", "csv")


class Artefacts:
    """The artefacts that a configuration names; without ``whole``, of no more than this machine can make.

    ``left_out`` says what that leaves out, and why; ``shown`` is the configuration without it.

    Raises
    ------
    InputError
        When an artefact names what the configuration or the registry of runs has not.
    """

    def __init__(self, systems: Systems, origin: str, *, whole: bool) -> None:
        self._systems = systems
        self._configuration = systems.configuration
        self._runs = ArtefactRuns(self._configuration, origin)
        timed = self._configuration.latency.values()
        self._timed = {(one.dataset, one.first_stage, r) for one in timed for r in one.rerankers}
        self.left_out: Mapping[str, list[str]] = {} if whole else self._left_out()
        self.shown = made_here(self._runs, self.left_out)

    def _left_out(self) -> dict[str, list[str]]:
        """What this machine cannot make for a table and does not have.

        The process that leads finds it, and keeps it for its jobs, which must see the same graph whatever the
        network does meanwhile.
        """
        layout = Layout(Path(self._systems.root))
        path = layout.path(places.LEFT_OUT)
        if led() and path.exists():
            return read_left_out(layout)
        found = not_stored(self._runs.left_out(), self._runs, layout)
        if self._configuration.artefacts or path.exists():
            write_json(path, found)
        return found

    def left_out_summary(self) -> list[str]:
        """What this machine lacks, each with how many of the tables' results it leaves out."""
        reasons = Counter(chain.from_iterable(self.left_out.values()))
        return [f"{count} results need {reason}" for reason, count in reasons.items()]

    def rerankings(self) -> Iterator[tuple[tuple[str, str], Sequence[str]]]:
        """(First stage, reranker) and data set of every run that artefacts ask for here."""
        for name in self._configuration.artefacts:
            for dataset, first_stage, reranker in self._runs.runs(name):
                if self._runs.is_figure(name) or self._possible((dataset, first_stage, reranker)):
                    yield (first_stage, reranker), [dataset]

    def _possible(self, key: RunKey | MtebJob) -> bool:
        return spoken(key) not in self.left_out

    def inputs(self, name: str) -> list[str]:
        """What an artefact is made of: of a table all that this machine can make, of a figure everything."""
        keys = [key for key in self._runs.runs(name) if self._runs.is_figure(name) or self._possible(key)]
        found = [self._systems.run_file(pattern, key) for key in keys for pattern in self._needed(name)]
        if self._reads_collections(name):
            found += self._systems.dataset_files(dict.fromkeys(dataset for dataset, _, _ in keys))
        found += [
            self._systems.run_file(places.LATENCY, key)
            for key in self._runs.timings(name)
            if key in self._timed and (self._runs.is_figure(name) or spoken_timing(key) not in self.left_out)
        ]
        found += [
            self._systems.path(places.MTEB_RECORD, entry=entry, system=model)
            for entry, model in self._runs.mteb_jobs(name)
            if self._possible((entry, model))
        ]
        runs = [run for run in self._runs.published_runs(name) if run not in self.left_out]
        return found + [self._systems.path(places.PUBLISHED_RUN, run=run) for run in runs]

    def _needed(self, name: str) -> tuple[str, ...]:
        if self._reads_collections(name):
            return places.CANDIDATES, places.RUN, places.STATISTICS, places.METRICS
        return places.METRICS, places.STATISTICS

    def _reads_collections(self, name: str) -> bool:
        """Whether an analysis looks into candidates and judgements rather than at means."""
        return getattr(self._configuration.artefacts[name], "first_stage", None) is not None and (
            self._runs.is_figure(name)
        )

    def files(self, name: str) -> list[str]:
        """What an artefact is written as."""
        tables = paper_table_ids(self._configuration, name)
        figures = [] if tables else [name]
        return [
            self._systems.path(places.TABLE, table=t, suffix=s) for t in tables for s in TABLE_SUFFIXES
        ] + [self._systems.path(places.FIGURE, figure=f, suffix=s) for f in figures for s in FIGURE_SUFFIXES]
