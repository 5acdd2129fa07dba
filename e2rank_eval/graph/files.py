"""Paths of the files that the jobs of a configuration read and write, and settings that determine them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from e2rank_eval.config import Configuration
from e2rank_eval.datasets.loaders.beir import find
from e2rank_eval.datasets.loading import own_folder
from e2rank_eval.datasets.registry import registered_dataset
from e2rank_eval.errors import InputError
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import published_cosines
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_text

Key = TypeVar("Key", bound=Hashable)

Rerankings = Mapping[tuple[str, str], Sequence[str]]
"""Data sets by (first stage, reranker)."""

Retrievals = Mapping[str, Sequence[str]]
"""Data sets by first stage."""

_DATASET = (places.CORPUS, places.QUERIES, places.QRELS, places.EXCLUSIONS, places.DATASET_MANIFEST)


class Files:
    """Files of a checked configuration in ``results/<profile>``; ``values`` is what it was checked from."""

    def __init__(self, configuration: Configuration, values: dict[str, Any]) -> None:
        self.configuration = configuration
        self.values = values
        self.root = f"results/{configuration.profile}"
        self.config = self.path(places.CONFIG)
        self.catalogue = Catalogue.of(configuration)

    def pin(self) -> None:
        """Store the configuration from which the graph was built, for the commands of its jobs."""
        text = yaml.safe_dump(self.values, sort_keys=False, allow_unicode=True)
        path = Path(self.config)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)

    def path(self, pattern: str, **names: str) -> str:
        """Fill a pattern of e2rank_eval.store.layout; wildcards without a name here are kept."""
        for name, value in names.items():
            pattern = pattern.replace(f"{{{name}}}", value)
        return f"{self.root}/{pattern}"

    def run_files(self, pattern: str, rerankings: Rerankings) -> list[str]:
        """Return the files of one pattern for every run."""
        return [
            self.path(pattern, dataset=dataset, first_stage=first_stage, reranker=reranker)
            for (first_stage, reranker), datasets in rerankings.items()
            for dataset in datasets
        ]

    def candidate_files(self, retrievals: Retrievals) -> list[str]:
        return [
            self.path(places.CANDIDATES, dataset=dataset, first_stage=first_stage)
            for first_stage, datasets in retrievals.items()
            for dataset in datasets
        ]

    def dataset_files(self, datasets: Iterable[str]) -> list[str]:
        return [self.path(pattern, dataset=dataset) for dataset in datasets for pattern in _DATASET]

    def origin_files(self, dataset: str) -> list[str]:
        """Return the local files of which a data set is made: a user's folder, or the data set of a slice.

        The folder is the configuration's or ``$E2RANK_DATA/<id>``. If it lacks a file, nothing is returned,
        and the command reports what to add.
        """
        settings = self.configuration.datasets[dataset]
        if settings.slice_of is not None:
            return self.dataset_files([settings.slice_of])
        folder, split = settings.path, settings.split
        if identifier := self.configuration.registry_id(dataset):
            folder, split = own_folder(identifier), registered_dataset(identifier).options.get("split", split)
        if folder is None:
            return []
        try:
            return [str(path) for path in find(folder, split).files]
        except InputError:
            return []

    def dataset_settings(self, dataset: str) -> dict[str, Any]:
        """Return what determines a data set besides files: settings, registry entry, seed of a sample."""
        configuration = self.configuration
        settings, identifier = configuration.datasets[dataset], configuration.registry_id(dataset)
        entry = registered_dataset(identifier) if identifier else None
        sampled = settings.slice_of is not None or (entry is not None and not entry.fetched)
        return {
            "settings": settings.model_dump(mode="json"),
            "entry": entry.model_dump(mode="json") if entry else None,
            "seed": configuration.seed if sampled else None,
        }

    def own_files(self, first_stage: str, datasets: Iterable[str]) -> list[str]:
        """Return the user's files that a first stage, or a first stage that it fuses, reads for data sets."""
        parts = self.configuration.parts("first_stages", first_stage)
        return [file for one in parts for name in datasets for file in one.files(name)]

    def downloaded(self) -> list[str]:
        """Return the downloaded data sets; a failed download is worth another attempt."""
        whole = [name for name, one in self.configuration.datasets.items() if one.slice_of is None]
        ids = {name: self.configuration.registry_id(name) for name in whole}
        known = {name: registered_dataset(identifier) for name, identifier in ids.items() if identifier}
        return [name for name, entry in known.items() if entry.fetched]

    def model_records(self, section: str, name: str) -> list[str]:
        """Return the records of the models that a first stage or reranker uses."""
        return self.records_of(self.configuration.models_of(section, name))

    def records_of(self, models: Iterable[str]) -> list[str]:
        """Return the records of models and, where cosines are published, of the checks against them."""
        names = [self.catalogue.name(model) for model in models]
        records = [self.path(places.MODEL, model=name) for name in names]
        return records + [self.path(places.VERIFIED, model=n) for n in names if n in published_cosines()]

    def entries(self, models: Iterable[str]) -> dict[str, Any]:
        """Return the models' entries in registry files, without what is recognised from their files."""
        given = {self.catalogue.canonical(one): self.catalogue.given(one) for one in models}
        return {name: one.model_dump(mode="json") for name, one in given.items()}

    def settings(self, section: str, name: str) -> dict[str, Any]:
        """Return what determines a job's output: its settings, model entries, and settings of all jobs."""
        return {
            "settings": [
                one.model_dump(mode="json", exclude={"label"})
                for one in self.configuration.parts(section, name)
            ],
            "shared": self.configuration.model_dump(include={"seed", "threads", "depth", "shard_queries"}),
            "entries": self.entries(self.configuration.models_of(section, name)),
        }

    def gpus(self, section: str, name: str) -> int:
        """Return the number of GPUs for a job of a first stage or reranker: 0 without a model."""
        return self.configuration.gpus if self.configuration.models_of(section, name) else 0

    def threads(self, section: str, name: str) -> int:
        """Return the number of threads for a job of a first stage or reranker: 1 without a model."""
        return self.configuration.threads if self.configuration.models_of(section, name) else 1

    def encode_parts(self, retrievals: Retrievals) -> list[str]:
        """Return the receipts of jobs that encode parts of corpora; none where one job encodes all."""
        stored = {
            stage: datasets
            for stage, datasets in retrievals.items()
            if self.configuration.vector_models(stage)
        }
        return self._spread([
            self.path(places.ENCODE_PART, dataset=dataset, first_stage=stage)
            for stage, datasets in stored.items()
            for dataset in datasets
        ])  # fmt: skip

    def rerank_parts(self, rerankings: Rerankings) -> list[str]:
        """Return the receipts of jobs that rerank parts of data sets; none where one job reranks all."""
        ranked = {
            key: datasets
            for key, datasets in rerankings.items()
            if self.configuration.rerankers[key[1]].family != "identity"
        }
        return self._spread(self.run_files(places.RERANK_PART, ranked))

    def _spread(self, patterns: Sequence[str]) -> list[str]:
        jobs = self.configuration.jobs
        numbers = range(1, jobs + 1) if jobs > 1 else ()
        return [one.format(part=number, parts=jobs) for one in patterns for number in numbers]

    def mteb_models(self, entry: str, system: str) -> list[str]:
        """Return the records of the models that a job of an mteb entry uses."""
        return self.records_of(self.configuration.mteb_models(self.configuration.mteb[entry], system))

    def mteb_settings(self, entry: str, system: str) -> dict[str, Any]:
        """Return what determines an mteb job's record: its models, and its entry without other systems."""
        suite = self.configuration.mteb[entry]
        shown = {"title", "models", "rerankers", "paper_table"}
        return {
            "settings": suite.model_dump(mode="json", exclude=shown),
            "reranker": self.settings("rerankers", system) if system in suite.rerankers else None,
            "entries": self.entries(self.configuration.mteb_models(suite, system)),
        }
