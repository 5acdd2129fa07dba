"""What a configuration asks the workflow to build: which systems on which data sets, into which files."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import Any, TypeVar

from e2rank_eval.config import (
    ComparisonSettings,
    Configuration,
    FigureArtefact,
    SweepSettings,
    entries,
    parse_configuration,
)
from e2rank_eval.errors import InputError
from e2rank_eval.graph.artefacts import FIGURE_SUFFIXES, TABLE_SUFFIXES, Artefacts
from e2rank_eval.graph.mteb import MtebJobs
from e2rank_eval.graph.systems import Systems
from e2rank_eval.graph.trainings import Trainings
from e2rank_eval.paper.trained_models import training_command
from e2rank_eval.planning.partial import possible_runs
from e2rank_eval.report.index import figure_ids, paper_table_ids, table_ids
from e2rank_eval.store import layout as places

Key = TypeVar("Key", bound=Hashable)


class Graph(Systems):
    """A checked configuration and everything that the rules read off it.

    ``rerankings`` maps (first stage, reranker) to the data sets on which a comparison, a sweep or a
    latency entry asks for it, in the configuration's order; ``retrievals`` likewise maps first stages;
    ``timings`` are the (latency entry, reranker) pairs. What is asked for by parts of their own lies in
    ``artefacts``, ``mteb`` and ``trainings``. Without ``whole``, tables of the paper, and what shows all of
    the results, ask for no more than this machine can make: ``shown_rerankings`` and ``shown_retrievals``.

    Raises
    ------
    InputError
        When the configuration fails a check or names a model that no registry has.
    """

    def __init__(self, values: dict[str, Any], origin: str, *, whole: bool = True) -> None:
        super().__init__(parse_configuration(values, origin), values)
        self.trainings = Trainings(self)
        self.mteb = MtebJobs(self)
        asked = list(_wanted(self.configuration))
        drawn = [a for a in self.configuration.artefacts.values() if isinstance(a, FigureArtefact)]
        needed = {reranker for (_, reranker), _ in asked} | {name for one in drawn for name in one.systems}
        self._check_registries(origin, needed)
        self.artefacts = Artefacts(self, origin, whole=whole)
        wanted = chain(asked, self.artefacts.rerankings())
        self.rerankings = _in_order(wanted, self.configuration)
        self.retrievals = _retrieved(self.rerankings, self.configuration)
        self.timings = _timings(self.configuration)
        self.shown_rerankings = possible_runs(self.rerankings, self.artefacts.left_out)
        self.shown_retrievals = _retrieved(self.shown_rerankings, self.configuration)
        declared = [*self.configuration.artefacts]
        declared += [t for name in declared for t in paper_table_ids(self.configuration, name)]
        figures = figure_ids(self.configuration)
        self.tables = [table for table in table_ids(self.configuration) if table not in declared]
        self.drawn = [name for name in declared if name in figures]
        self.figures = [figure for figure in figures if figure not in declared]

    def rerank_jobs(self) -> Iterator[tuple[tuple[str, str], str, list[str]]]:
        """(First stage, reranker), end of the rule's name and data sets of every job.

        One takes all that this machine can make, so that weights load once. What it cannot make has a job
        apart, which runs for nobody but who asks for it, and says what is missing.
        """
        return _parted(self.rerankings, self.shown_rerankings)

    def retrieve_jobs(self) -> Iterator[tuple[str, str, list[str]]]:
        """First stage, end of the rule's name and data sets of every job, as :meth:`rerank_jobs` has them."""
        return _parted(self.retrievals, self.shown_retrievals)

    def _check_registries(self, origin: str, needed: Set[str]) -> None:
        """Only tables of the paper, which say so, may name rerankers whose model has yet to be trained."""
        try:
            for stage in self.configuration.first_stages.values():
                self._check_model(stage.model)
            for name, reranker in self.configuration.rerankers.items():
                self._check_model(getattr(reranker, "model", None), trained=name in needed)
            for entry, name in self.mteb.jobs:
                for model in self.configuration.mteb_models(entry, name):
                    self._check_model(model)
            for identifier in self.registered().values():
                entries.dataset(identifier)
        except InputError as error:
            raise InputError(error.problem, path=origin, hint=error.hint) from error

    def _check_model(self, model: str | None, *, trained: bool = True) -> None:
        command = training_command(self.configuration, model) if model else None
        if command and trained:
            raise InputError(f"model {model!r} has yet to be trained", hint=command)
        if model and not command:
            entries.model(model)

    def candidate_files(self, retrievals: Mapping[str, Sequence[str]]) -> list[str]:
        return [
            self.path(places.CANDIDATES, dataset=dataset, first_stage=first_stage)
            for first_stage, datasets in retrievals.items()
            for dataset in datasets
        ]

    def retrieved_datasets(self) -> list[str]:
        """Data sets that a run shown here is on, in the configuration's order."""
        used = {dataset for datasets in self.shown_retrievals.values() for dataset in datasets}
        return [dataset for dataset in self.configuration.datasets if dataset in used]

    def published_bm25_files(self) -> list[str]:
        """Candidates of BM25, with their data sets, where the registry knows a published BM25."""
        known = {
            dataset
            for dataset in self.configuration.datasets
            if (identifier := self.configuration.registry_id(dataset)) is not None
            and entries.dataset(identifier).published_bm25 is not None
        }
        first_stages = self.configuration.first_stages
        wanted = {
            first_stage: [dataset for dataset in datasets if dataset in known]
            for first_stage, datasets in self.retrievals.items()
            if first_stages[first_stage].retriever == "bm25"
        }
        return [
            *self.candidate_files(wanted),
            *self.dataset_files(sorted({d for datasets in wanted.values() for d in datasets})),
        ]

    def reranking_files(self, pattern: str, rerankings: Mapping[tuple[str, str], Sequence[str]]) -> list[str]:
        return [
            self.path(pattern, dataset=dataset, first_stage=first_stage, reranker=reranker)
            for (first_stage, reranker), datasets in rerankings.items()
            for dataset in datasets
        ]

    def encode_parts(self, retrievals: Mapping[str, Sequence[str]]) -> list[str]:
        """Receipts of the jobs that encode these corpora; none where one job does it all."""
        names = [
            {"dataset": dataset, "first_stage": first_stage}
            for first_stage, datasets in retrievals.items()
            if "dense" in {getattr(one, "retriever", "") for one in self.parts("first_stages", first_stage)}
            for dataset in datasets
        ]
        return self._spread(places.ENCODE_PART, names)

    def rerank_parts(self, rerankings: Mapping[tuple[str, str], Sequence[str]]) -> list[str]:
        """Receipts of the jobs that rank these shards; none where one job does it all."""
        names = [
            {"dataset": dataset, "first_stage": first_stage, "reranker": reranker}
            for (first_stage, reranker), datasets in rerankings.items()
            if self.configuration.rerankers[reranker].family != "identity"
            for dataset in datasets
        ]
        return self._spread(places.RERANK_PART, names)

    def _spread(self, pattern: str, names: Sequence[Mapping[str, str]]) -> list[str]:
        jobs = self.configuration.jobs
        numbers = [str(number) for number in range(1, jobs + 1)] if jobs > 1 else []
        return [
            self.path(pattern, **one, part=number, parts=str(jobs)) for one in names for number in numbers
        ]

    def compared_metrics(self, comparison: str) -> list[str]:
        entry = self.configuration.comparisons[comparison]
        wanted = {(entry.first_stage, reranker): entry.datasets for reranker in entry.rerankers}
        return self.reranking_files(places.METRICS, wanted)

    def latency_file(self, entry: str, reranker: str) -> str:
        timed = self.configuration.latency[entry]
        names = {"dataset": timed.dataset, "first_stage": timed.first_stage, "reranker": reranker}
        return self.path(places.LATENCY, **names)

    def latency_files(self) -> list[str]:
        return [self.latency_file(entry, reranker) for entry, reranker in _timings(self.artefacts.shown)]

    def mteb_files(self) -> list[str]:
        return self.mteb.files(self.artefacts.shown)

    def comparison_files(self) -> list[str]:
        return [self.path(places.COMPARISON, comparison=name) for name in self.configuration.comparisons]

    def table_files(self) -> list[str]:
        tables = table_ids(self.artefacts.shown)
        return [self.path(places.TABLE, table=t, suffix=s) for t in tables for s in TABLE_SUFFIXES]

    def figure_files(self) -> list[str]:
        figures = figure_ids(self.artefacts.shown)
        return [self.path(places.FIGURE, figure=f, suffix=s) for f in figures for s in FIGURE_SUFFIXES]


def _wanted(configuration: Configuration) -> Iterator[tuple[tuple[str, str], Sequence[str]]]:
    compared: list[ComparisonSettings | SweepSettings] = [
        *configuration.comparisons.values(),
        *configuration.sweeps.values(),
    ]
    for entry in compared:
        for reranker in entry.systems:
            yield (entry.first_stage, reranker), entry.datasets
    for timed in configuration.latency.values():
        # Quality is shown beside latency, so whatever is timed is also evaluated.
        for reranker in timed.rerankers:
            yield (timed.first_stage, reranker), [timed.dataset]


def _timings(configuration: Configuration) -> list[tuple[str, str]]:
    timed = configuration.latency.items()
    return [(name, reranker) for name, entry in timed for reranker in entry.rerankers]


def _retrieved(
    rerankings: Mapping[tuple[str, str], Sequence[str]], configuration: Configuration
) -> dict[str, list[str]]:
    retrieved = ((first_stage, names) for (first_stage, _), names in rerankings.items())
    return _in_order(retrieved, configuration)


def _parted(
    asked: Mapping[Key, Sequence[str]], shown: Mapping[Key, Sequence[str]]
) -> Iterator[tuple[Key, str, list[str]]]:
    """Key, end of the rule's name and data sets: those that are shown, and apart from them the rest."""
    for key, datasets in asked.items():
        here = shown.get(key, ())
        rest = [dataset for dataset in datasets if dataset not in here]
        if here:
            yield key, "", list(here)
        if rest:
            yield key, "-left-out", rest


def _in_order(
    wanted: Iterable[tuple[Key, Sequence[str]]], configuration: Configuration
) -> dict[Key, list[str]]:
    """Data sets by key, each once, in the configuration's order."""
    names: dict[Key, set[str]] = {}
    for key, datasets in wanted:
        names.setdefault(key, set()).update(datasets)
    return {key: [d for d in configuration.datasets if d in some] for key, some in names.items()}
