"""Paths of a configuration's files, and the settings that decide what is in them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from e2rank_eval.config import Configuration
from e2rank_eval.datasets.loaders.beir import find
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
    """Paths below ``results/<profile>`` of a checked configuration; ``values`` are what it was read from."""

    def __init__(self, configuration: Configuration, values: dict[str, Any]) -> None:
        self.configuration = configuration
        self.values = values
        self.root = f"results/{configuration.profile}"
        self.config = self.path(places.CONFIG)
        self.catalogue = Catalogue.of(configuration)

    def pin(self) -> None:
        """Write the configuration as resolved, once, so that commands read what the graph was built from."""
        text = yaml.safe_dump(self.values, sort_keys=False, allow_unicode=True)
        path = Path(self.config)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)

    def path(self, pattern: str, **names: str) -> str:
        """Fill a pattern of e2rank_eval.store.layout; wildcards that are not named stay open."""
        for name, value in names.items():
            pattern = pattern.replace(f"{{{name}}}", value)
        return f"{self.root}/{pattern}"

    def run_files(self, pattern: str, rerankings: Rerankings) -> list[str]:
        """Return one kind of file of every run."""
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
        """Return what a data set is made of here: a user's folder, or the data set that a slice is cut from.

        Files of a folder that are missing are left to the command, which says what to add.
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

    def own_files(self, first_stage: str, datasets: Iterable[str]) -> list[str]:
        """Return the user's files that a first stage, or what it fuses, reads for these data sets."""
        stages = self.configuration.first_stages
        parts = [stages[first_stage], *(stages[name] for name in stages[first_stage].fused)]
        return [file for one in parts for name in datasets for file in one.files(name)]

    def downloaded(self) -> list[str]:
        """Return the data sets from elsewhere, where another attempt may succeed after one that failed."""
        whole = [name for name, one in self.configuration.datasets.items() if one.slice_of is None]
        ids = {name: self.configuration.registry_id(name) for name in whole}
        known = {name: registered_dataset(identifier) for name, identifier in ids.items() if identifier}
        return [name for name, entry in known.items() if entry.fetched]

    def model_records(self, section: str, name: str) -> list[str]:
        """Return the records of the models that a first stage or reranker uses; empty where it needs none."""
        return self.records_of(self.configuration.models_of(section, name))

    def records_of(self, models: Iterable[str]) -> list[str]:
        """Return the records of models, each under one name, and of their checks against published values."""
        names = [self.catalogue.name(model) for model in models]
        records = [self.path(places.MODEL, model=name) for name in names]
        return records + [self.path(places.VERIFIED, model=n) for n in names if n in published_cosines()]

    def entries(self, models: Iterable[str]) -> dict[str, Any]:
        """Return what registry files say of models; the rest is in their records."""
        given = {self.catalogue.canonical(one): self.catalogue.given(one) for one in models}
        return {name: one.model_dump(mode="json") for name, one in given.items()}

    def settings(self, section: str, name: str) -> dict[str, Any]:
        """Return what decides a job's bytes: settings, its models' registry entries, what all jobs share."""
        return {
            "settings": [
                one.model_dump(mode="json", exclude={"label"})
                for one in self.configuration.parts(section, name)
            ],
            "shared": self.configuration.model_dump(include={"seed", "threads", "depth", "shard_queries"}),
            "entries": self.entries(self.configuration.models_of(section, name)),
        }

    def gpus(self, section: str, name: str) -> int:
        """Return how many GPUs a job of a first stage or reranker asks for: none without a model."""
        return self.configuration.gpus if self.configuration.models_of(section, name) else 0

    def threads(self, section: str, name: str) -> int:
        """Return how many threads a job of a first stage or reranker asks for: one without a model."""
        return self.configuration.threads if self.configuration.models_of(section, name) else 1

    def encode_parts(self, retrievals: Retrievals) -> list[str]:
        """Return the receipts of the jobs that encode these corpora; none where one job does it all."""
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
        """Return the receipts of the jobs that rank these shards; none where one job does it all."""
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
        """Return what decides a job's record: the entry without its title and other systems; the models."""
        suite = self.configuration.mteb[entry]
        shown = {"title", "models", "rerankers", "paper_table"}
        return {
            "settings": suite.model_dump(mode="json", exclude=shown),
            "reranker": self.settings("rerankers", system) if system in suite.rerankers else None,
            "entries": self.entries(self.configuration.mteb_models(suite, system)),
        }
