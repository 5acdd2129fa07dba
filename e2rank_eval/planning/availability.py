"""What this machine lacks for a run: a data set's licence, a model's weights, a GPU, a network."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from e2rank_eval.config import Configuration, entries
from e2rank_eval.config.entries import DatasetEntry, HubSource, UrlSource
from e2rank_eval.datasets.planning import plan
from e2rank_eval.datasets.sources import hub
from e2rank_eval.datasets.sources.fetch import described, offline
from e2rank_eval.paper import runs as registered_runs
from e2rank_eval.paper.grid import RunSource, Source, TaskSource
from e2rank_eval.paper.mteb_tasks import on_the_hub
from e2rank_eval.paper.runs import VARIABLE as RUNS_VARIABLE
from e2rank_eval.planning.parameters import parameters
from e2rank_eval.retrieval.published import REPOSITORY

GPU_VARIABLE = "E2RANK_GPU"
CPU_PARAMETERS = 5e8
"""A model this large takes minutes for a query of a hundred candidates on a CPU: it is left to a GPU."""


class Availability:
    """Answers for one configuration, each name asked for once; no network is used but to knock.

    ``E2RANK_GPU`` (1 or 0) speaks for a cluster's nodes where the machine that plans has no GPU itself.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._known: dict[tuple[str, str], str] = {}

    def lacks(self, source: Source) -> list[str]:
        """What is missing here for ``source``, in words; empty where it can be made in some way."""
        if not isinstance(source, RunSource) or source.published_run is None:
            return self.lacks_of_own(source)
        reason = self.published_run(source.published_run)
        return [*self.lacks_of_own(source), reason] if reason else []

    def lacks_of_own(self, source: Source) -> list[str]:
        """What is missing to make ``source`` itself, whether or not a public run gives the same."""
        if isinstance(source, TaskSource):
            found = [self.model(source.model), self.task(source.task)]
        elif not source.dataset:
            found = []
        else:
            found = [
                self.dataset(source.dataset),
                self.first_stage(source.first_stage, source.dataset),
                self.system("rerankers", source.reranker),
            ]
        return list(dict.fromkeys(reason for reason in found if reason))

    def dataset(self, name: str) -> str:
        """What is missing for a data set of the configuration; empty where nothing is."""
        settings = self._configuration.datasets[name]
        if settings.slice_of is not None:
            return self.dataset(settings.slice_of)
        if settings.path is not None:
            return "" if settings.path.exists() else f"the folder {settings.path}"
        return self._once("dataset", settings.id or name)

    def first_stage(self, name: str, dataset: str) -> str:
        """What is missing to retrieve for ``dataset``: published lists, or a model."""
        settings = self._configuration.first_stages[name]
        if settings.lists is not None:
            here = self._configuration.cache / "candidates" / settings.lists / dataset
            return "" if here.exists() or self._hub else f"the model hub, for candidate lists of {REPOSITORY}"
        found = (self.system("first_stages", one) for one in [name, *settings.of])
        return next((reason for reason in found if reason), "")

    def system(self, section: str, name: str) -> str:
        """What is missing for the model of a first stage or reranker; empty where it has none."""
        model = getattr(getattr(self._configuration, section)[name], "model", None)
        return self.model(model) if model else ""

    def model(self, name: str) -> str:
        return self._once("model", name)

    def task(self, name: str) -> str:
        """What is missing for the data of a task of MTEB; the suite's own tasks need no hub.

        A local cache does not stand for the hub: offline, ``datasets`` takes the version cached last,
        whatever revision was asked for.
        """
        return "the model hub, for the data of MTEB" if on_the_hub(name) and not self._hub else ""

    def published_run(self, name: str) -> str:
        """What is missing to score a public run of the registry."""
        if os.environ.get(RUNS_VARIABLE) or self._fetched("runs", name):
            return ""
        host = _host(registered_runs.run_entry(name).sources[0])
        if not offline() and hub.answers(host):
            return ""
        return f"the public run {name}: {RUNS_VARIABLE}, or {host}, which is out of reach"

    def _fetched(self, kind: str, name: str) -> bool:
        return (self._configuration.cache / "downloads" / kind / name).exists()

    def _once(self, kind: str, name: str) -> str:
        if (kind, name) not in self._known:
            self._known[kind, name] = self._dataset(name) if kind == "dataset" else self._model(name)
        return self._known[kind, name]

    def _dataset(self, name: str) -> str:
        (row,) = plan([name], self._configuration.cache)
        entry = entries.dataset(name)
        if row["state"] == "needs you":
            return f"the data set {name} ({entry.licence}): {entry.registration or row['from']}"
        if row["state"] == "to fetch" and not self._reaches(entry):
            return f"the data set {name} ({entry.licence}), whose source is out of reach ({_place(entry)})"
        return ""

    def _reaches(self, entry: DatasetEntry) -> bool:
        source = entry.sources[0]
        if offline():
            return False
        if isinstance(source, HubSource):
            return self._hub
        return hub.answers(_host(source)) if isinstance(source, UrlSource) else True

    def _model(self, name: str) -> str:
        entry = entries.model(name)
        if entry.server is not None:
            key = entry.server.key_variable
            return f"{key}, the key of {entry.server.base_url}" if key and key not in os.environ else ""
        if parameters(entry) >= CPU_PARAMETERS and not gpu():
            return f"a GPU, for {entry.title} ({entry.parameters} parameters)"
        hub_only = all(isinstance(source, HubSource) for source in entry.sources)
        if not (self._configuration.cache / "models" / name).exists() and hub_only and not self._hub:
            return f"the model hub, for {entry.title}"
        return ""

    @cached_property
    def _hub(self) -> bool:
        return not offline() and hub.reachable()


def gpu() -> bool:
    """Whether a GPU is there (its device file, so that no library need be loaded) or promised."""
    promised = os.environ.get(GPU_VARIABLE)
    if promised is not None:
        return promised.lower() in ("1", "true", "yes", "on")
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()


def _place(entry: DatasetEntry) -> str:
    source = entry.sources[0]
    return _host(source) if isinstance(source, UrlSource) else described(source)


def _host(source: UrlSource) -> str:
    scheme, _, rest = source.downloads[0].urls[0].partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}"
