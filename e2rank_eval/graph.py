"""What a configuration asks the workflow to build: which systems on which data sets, into which files."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import yaml

from e2rank_eval.configuration import (
    ComparisonSettings,
    Configuration,
    Strict,
    SweepSettings,
    parse_configuration,
    read_training,
)
from e2rank_eval.datasets.beir_folder import find
from e2rank_eval.errors import InputError
from e2rank_eval.planning.artefact_runs import ArtefactRuns, RunKey, spoken
from e2rank_eval.registry import entries
from e2rank_eval.report.index import figure_ids, paper_table_ids, table_ids
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import read_json, write_json, write_text

Key = TypeVar("Key", bound=Hashable)

_LEADER = "E2RANK_EVAL_LEADER"

TABLE_SUFFIXES = ("csv", "md", "tex", "html")
FIGURE_SUFFIXES = ("png", "svg", "csv")


def lead(*, elsewhere: bool = False) -> None:
    """Make this process the leader: shell lines find the e2rank-eval beside this Python, and die with it.

    ``elsewhere`` tells a job that a scheduler started, maybe on another machine: there the process
    that asked for it is no leader, and its number may be nobody's.
    """
    beside = str(Path(sys.executable).parent)
    os.environ["PATH"] = f"{beside}{os.pathsep}{os.environ['PATH']}"
    if elsewhere:
        os.environ[_LEADER] = str(os.getpid())
    else:
        os.environ.setdefault(_LEADER, str(os.getpid()))


class Graph:
    """A checked configuration and everything that the rules read off it.

    ``rerankings`` maps (first stage, reranker) to the data sets on which a comparison, a sweep or a
    latency entry asks for it, in the configuration's order; ``retrievals`` likewise maps first stages;
    ``timings`` are the (latency entry, reranker) pairs, ``mteb_jobs`` the (mteb entry, system) pairs;
    ``trainings`` maps (training file, run) to the file's content and the run's. Without ``whole``, tables of
    the paper ask for no more than this machine can make; ``left_out`` says what that leaves out, and why.

    Raises
    ------
    InputError
        When the configuration fails a check or names a model that no registry has.
    """

    def __init__(self, values: dict[str, Any], origin: str, *, whole: bool = True) -> None:
        self.configuration = parse_configuration(values, origin)
        self.values = values
        self.root = f"results/{self.configuration.profile}"
        self.config = self.path(places.CONFIG)
        self.trainings = {
            (str(path), name): (file, run)
            for path in self.configuration.training
            for file in [read_training(path)]
            for name, run in file.runs.items()
        }
        self.artefacts = ArtefactRuns(self.configuration, origin)
        suites = self.configuration.mteb
        self.mteb_jobs = [(entry, system) for entry in suites for system in suites[entry].systems]
        self._check_registries(origin)
        self.left_out = {} if whole else self._left_out()
        wanted = chain(_wanted(self.configuration), self._of_artefacts())
        self.rerankings = _in_order(wanted, self.configuration)
        retrieved = ((first_stage, names) for (first_stage, _), names in self.rerankings.items())
        self.retrievals = _in_order(retrieved, self.configuration)
        timed = self.configuration.latency
        self.timings = [(entry, reranker) for entry in timed for reranker in timed[entry].rerankers]
        declared = [*self.configuration.artefacts]
        declared += [t for name in declared for t in paper_table_ids(self.configuration, name)]
        self._all_tables, self._all_figures = table_ids(self.configuration), figure_ids(self.configuration)
        self.tables = [table for table in self._all_tables if table not in declared]
        self.drawn = [name for name in declared if name in self._all_figures]
        self.figures = [figure for figure in self._all_figures if figure not in declared]

    def _left_out(self) -> dict[str, str]:
        """What this machine cannot make for a table: found by the process that leads, and kept for its jobs,
        which must see the same graph whatever the network does meanwhile."""
        if not self.configuration.artefacts:
            return {}
        path = Path(self.path(places.LEFT_OUT))
        if path.exists() and os.environ.get(_LEADER, str(os.getpid())) != str(os.getpid()):
            kept: dict[str, str] = read_json(path)
            return kept
        found = self.artefacts.left_out()
        write_json(path, found)
        return found

    def left_out_summary(self) -> list[str]:
        """What this machine lacks, each with how many of the tables' results it leaves out."""
        reasons = Counter(reason for text in self.left_out.values() for reason in text.split("; "))
        return [f"{count} results need {reason}" for reason, count in reasons.items()]

    def _of_artefacts(self) -> Iterator[tuple[tuple[str, str], Sequence[str]]]:
        for name in self.configuration.artefacts:
            for dataset, first_stage, reranker in self.artefacts.runs(name):
                if self.artefacts.is_figure(name) or self._possible((dataset, first_stage, reranker)):
                    yield (first_stage, reranker), [dataset]

    def _possible(self, key: RunKey) -> bool:
        return spoken(key) not in self.left_out

    def artefact_inputs(self, name: str) -> list[str]:
        """What an artefact is made of: of a table all that this machine can make, of a figure everything."""
        keys = [
            key for key in self.artefacts.runs(name) if self.artefacts.is_figure(name) or self._possible(key)
        ]
        found = [self._of_run(pattern, key) for key in keys for pattern in self._needed(name)]
        if self._reads_collections(name):
            found += self.dataset_files(dict.fromkeys(dataset for dataset, _, _ in keys))
        timed = {(self.configuration.latency[e].dataset, self.configuration.latency[e].first_stage, r)
                 for e, r in self.timings}  # fmt: skip
        found += [
            self._of_run(places.LATENCY, key)
            for key in self.artefacts.timings(name)
            if key in timed and (self.artefacts.is_figure(name) or self._possible(key))
        ]
        runs = [run for run in self.artefacts.published_runs(name) if run not in self.left_out]
        return found + [self.path(places.PUBLISHED_RUN, run=run) for run in runs]

    def _needed(self, name: str) -> tuple[str, ...]:
        if self._reads_collections(name):
            return places.CANDIDATES, places.RUN, places.TRACE, places.METRICS
        return places.METRICS, places.TRACE

    def _reads_collections(self, name: str) -> bool:
        """Whether an analysis looks into candidates and judgements rather than at means."""
        return getattr(self.configuration.artefacts[name], "first_stage", None) is not None and (
            self.artefacts.is_figure(name)
        )

    def _of_run(self, pattern: str, key: RunKey) -> str:
        dataset, first_stage, reranker = key
        return self.path(pattern, dataset=dataset, first_stage=first_stage, reranker=reranker)

    def artefact_files(self, name: str) -> list[str]:
        """What an artefact is written as."""
        tables = paper_table_ids(self.configuration, name)
        figures = [] if tables else [name]
        return [self.path(places.TABLE, table=t, suffix=s) for t in tables for s in TABLE_SUFFIXES] + [
            self.path(places.FIGURE, figure=f, suffix=s) for f in figures for s in FIGURE_SUFFIXES
        ]

    def artefacts_here(self) -> list[str]:
        """Every table, and the figures all of whose runs this machine can make."""
        return [
            name
            for name in self.configuration.artefacts
            if not self.artefacts.is_figure(name)
            or all(map(self._possible, [*self.artefacts.runs(name), *self.artefacts.timings(name)]))
        ]

    def _check_registries(self, origin: str) -> None:
        systems = [*self.configuration.first_stages.values(), *self.configuration.rerankers.values()]
        try:
            for system in systems:
                if model := getattr(system, "model", None):
                    entries.model(model)
            for entry, name in self.mteb_jobs:
                for model in self._mteb_models(entry, name):
                    entries.model(model)
            for identifier in self._registered().values():
                entries.dataset(identifier)
        except InputError as error:
            raise InputError(error.problem, path=origin, mend=error.mend) from error

    def _registered(self) -> dict[str, str]:
        """Registry id by name, of the data sets that are neither a folder nor a slice."""
        named = self.configuration.datasets.items()
        whole = [name for name, one in named if one.slice_of is None]
        found = {name: self.configuration.registry_id(name) for name in whole}
        return {name: identifier for name, identifier in found.items() if identifier is not None}

    def downloaded(self) -> list[str]:
        """Data sets that come from elsewhere, so that another attempt may succeed where one failed."""
        generated = ("generated", "local")
        return [
            name
            for name, identifier in self._registered().items()
            if entries.dataset(identifier).sources[0].kind not in generated
        ]

    def pin(self) -> None:
        """Write the configuration as resolved, once, so that verbs read what the graph was built from."""
        text = yaml.safe_dump(self.values, sort_keys=False, allow_unicode=True)
        path = Path(self.config)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)

    def path(self, pattern: str, **names: str) -> str:
        """A place of e2rank_eval.store.layout below this profile's results; unnamed wildcards stay open."""
        for name, value in names.items():
            pattern = pattern.replace(f"{{{name}}}", value)
        return f"{self.root}/{pattern}"

    def model_records(self, section: str, name: str) -> list[str]:
        """The records of the models that a first stage or reranker draws on; empty where it needs none."""
        models = {model for one in self._parts(section, name) if (model := getattr(one, "model", None))}
        return [self.path(places.MODEL, model=model) for model in sorted(models)]

    def settings(self, section: str, name: str) -> dict[str, Any]:
        """What decides a job's bytes: its settings, its models' registry entries, and what all jobs share."""
        parts = self._parts(section, name)
        models = {model for one in parts if (model := getattr(one, "model", None))}
        return {
            "settings": [one.model_dump(mode="json", exclude={"label"}) for one in parts],
            "shared": self.configuration.model_dump(include={"seed", "threads", "depth", "shard_queries"}),
            "entries": {model: entries.model(model).model_dump(mode="json") for model in sorted(models)},
        }

    def _parts(self, section: str, name: str) -> list[Strict]:
        """A system's settings, followed by those of the first stages that a fusion is of."""
        systems: Mapping[str, Strict] = getattr(self.configuration, section)
        return [systems[name], *(systems[other] for other in getattr(systems[name], "of", []))]

    def dataset_files(self, datasets: Iterable[str]) -> list[str]:
        patterns = (places.CORPUS, places.QUERIES, places.QRELS, places.EXCLUSIONS, places.DATASET_MANIFEST)
        return [self.path(pattern, dataset=dataset) for dataset in datasets for pattern in patterns]

    def origin_files(self, dataset: str) -> list[str]:
        """What a data set is made of here: a user's folder, or the data set that a slice is cut from.

        Files of a folder that are missing are left to the verb, which says what to add.
        """
        settings = self.configuration.datasets[dataset]
        if settings.slice_of is not None:
            return self.dataset_files([settings.slice_of])
        if settings.path is None:
            return []
        try:
            return [str(path) for path in find(settings.path, settings.split).files]
        except InputError:
            return []

    def candidate_files(self, retrievals: Mapping[str, Sequence[str]]) -> list[str]:
        return [
            self.path(places.CANDIDATES, dataset=dataset, first_stage=first_stage)
            for first_stage, datasets in retrievals.items()
            for dataset in datasets
        ]

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
            if "dense" in {getattr(one, "retriever", "") for one in self._parts("first_stages", first_stage)}
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

    def gpus(self, section: str, name: str) -> int:
        """GPUs that a job of a first stage or reranker asks for: none without a model."""
        return self.configuration.gpus if self.model_records(section, name) else 0

    def compared_metrics(self, comparison: str) -> list[str]:
        entry = self.configuration.comparisons[comparison]
        wanted = {(entry.first_stage, reranker): entry.datasets for reranker in entry.rerankers}
        return self.reranking_files(places.METRICS, wanted)

    def latency_file(self, entry: str, reranker: str) -> str:
        timed = self.configuration.latency[entry]
        names = {"dataset": timed.dataset, "first_stage": timed.first_stage, "reranker": reranker}
        return self.path(places.LATENCY, **names)

    def latency_files(self) -> list[str]:
        return [self.latency_file(entry, reranker) for entry, reranker in self.timings]

    def trained_entry(self, path: str, run: str) -> str:
        """Where a run leaves its registry entry, beside its weights."""
        return str(self.trainings[path, run][0].output / run / "entry.yaml")

    def training_inputs(self, path: str, run: str) -> list[str]:
        """The slates of a run, and the record of the model, or the entry of the run, that it starts from."""
        _, settings = self.trainings[path, run]
        slates = [str(one.path) for one in settings.data]
        if settings.development is not None:
            slates.append(str(settings.development.path))
        if settings.follows is not None:
            return [*slates, self.trained_entry(path, settings.follows)]
        return [*slates, self.path(places.MODEL, model=str(settings.model))]

    def training_files(self) -> list[str]:
        return [self.trained_entry(path, run) for path, run in self.trainings]

    def mteb_files(self) -> list[str]:
        return [self.path(places.MTEB_RECORD, entry=entry, system=system) for entry, system in self.mteb_jobs]

    def mteb_models(self, entry: str, system: str) -> list[str]:
        """The records of the models that a job of an mteb entry draws on."""
        return [self.path(places.MODEL, model=model) for model in self._mteb_models(entry, system)]

    def mteb_settings(self, entry: str, system: str) -> dict[str, Any]:
        """What decides a job's record: the entry but for its title and its other systems, and the models."""
        suite = self.configuration.mteb[entry]
        shown = {"title", "models", "rerankers", "paper_table"}
        reranker = self.settings("rerankers", system) if system in suite.rerankers else None
        models = self._mteb_models(entry, system)
        return {
            "settings": suite.model_dump(mode="json", exclude=shown),
            "reranker": reranker,
            "entries": {model: entries.model(model).model_dump(mode="json") for model in models},
        }

    def _mteb_models(self, entry: str, system: str) -> list[str]:
        suite = self.configuration.mteb[entry]
        if system in suite.models:
            return [system]
        named = [getattr(self.configuration.rerankers[system], "model", None), suite.first_stage]
        return sorted({model for model in named if model is not None})

    def comparison_files(self) -> list[str]:
        return [self.path(places.COMPARISON, comparison=name) for name in self.configuration.comparisons]

    def table_files(self) -> list[str]:
        return [self.path(places.TABLE, table=t, suffix=s) for t in self._all_tables for s in TABLE_SUFFIXES]

    def figure_files(self) -> list[str]:
        return [
            self.path(places.FIGURE, figure=f, suffix=s) for f in self._all_figures for s in FIGURE_SUFFIXES
        ]


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


def _in_order(
    wanted: Iterable[tuple[Key, Sequence[str]]], configuration: Configuration
) -> dict[Key, list[str]]:
    """Data sets by key, each once, in the configuration's order."""
    names: dict[Key, set[str]] = {}
    for key, datasets in wanted:
        names.setdefault(key, set()).update(datasets)
    return {key: [d for d in configuration.datasets if d in some] for key, some in names.items()}
