"""What the names of a configuration stand for: places, models, and the settings that decide a job's bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from e2rank_eval.config import Configuration, Strict, entries
from e2rank_eval.datasets.beir_folder import find
from e2rank_eval.errors import InputError
from e2rank_eval.planning.artefact_runs import RunKey
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_text


class Systems:
    """Data sets, first stages and rerankers of a checked configuration, and where their files lie."""

    def __init__(self, configuration: Configuration, values: dict[str, Any]) -> None:
        self.configuration = configuration
        self.values = values
        self.root = f"results/{configuration.profile}"
        self.config = self.path(places.CONFIG)

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

    def run_file(self, pattern: str, key: RunKey) -> str:
        """The place of one kind of file of a run."""
        dataset, first_stage, reranker = key
        return self.path(pattern, dataset=dataset, first_stage=first_stage, reranker=reranker)

    def registered(self) -> dict[str, str]:
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
            for name, identifier in self.registered().items()
            if entries.dataset(identifier).sources[0].kind not in generated
        ]

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

    def model_records(self, section: str, name: str) -> list[str]:
        """The records of the models that a first stage or reranker draws on; empty where it needs none."""
        models = {model for one in self.parts(section, name) if (model := getattr(one, "model", None))}
        return [self.path(places.MODEL, model=model) for model in sorted(models)]

    def settings(self, section: str, name: str) -> dict[str, Any]:
        """What decides a job's bytes: its settings, its models' registry entries, and what all jobs share."""
        parts = self.parts(section, name)
        models = {model for one in parts if (model := getattr(one, "model", None))}
        return {
            "settings": [one.model_dump(mode="json", exclude={"label"}) for one in parts],
            "shared": self.configuration.model_dump(include={"seed", "threads", "depth", "shard_queries"}),
            "entries": {model: entries.model(model).model_dump(mode="json") for model in sorted(models)},
        }

    def parts(self, section: str, name: str) -> list[Strict]:
        """A system's settings, followed by those of the first stages that a fusion is of."""
        systems: Mapping[str, Strict] = getattr(self.configuration, section)
        return [systems[name], *(systems[other] for other in getattr(systems[name], "of", []))]

    def gpus(self, section: str, name: str) -> int:
        """GPUs that a job of a first stage or reranker asks for: none without a model."""
        return self.configuration.gpus if self.model_records(section, name) else 0
